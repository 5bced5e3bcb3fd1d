package backup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// CheckResult is what a check has found.
type CheckResult struct {
	Table string `json:"table"`
	// Rows are counted up to the number that is asked for.
	Rows   int64     `json:"rows"`
	Newest time.Time `json:"newest,omitzero"`
}

// Limits of the checks, in which a table of some terabytes without an index may not be
// read: NewestColumn wants one.
const (
	statementLimit = 2 * time.Minute
	checksLimit    = 10 * time.Minute
)

// clockError is by how much a row may be newer than the backup that has it: the clocks of
// those who write rows differ, and a snapshot takes a while.
const clockError = time.Hour

// unfitError is a backup that does not pass: the same is found however often it is checked.
type unfitError struct{ error }

func unfit(format string, args ...any) error { return unfitError{fmt.Errorf(format, args...)} }

// refused reports whether PostgreSQL will refuse a statement again, or a connection to the
// database: by the class of the error ("PostgreSQL Error Codes"), among them corrupted data.
func refused(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && len(e.Code) == 5 && slices.Contains([]string{
		"0A", // feature not supported
		"22", // data exception
		"3D", // no such database
		"42", // syntax error or access rule violation
		"XX", // internal error, data corrupted, index corrupted
	}, e.Code[:2])
}

// verify checks a restored database by SQL; one that may be empty, and is, passes. An error that
// is no [unfitError] may pass.
func (b *Backups) verify(ctx context.Context, i *Instance, taken time.Time, mayBeEmpty bool) ([]CheckResult, error) {
	secret := b.Config.Secret
	if s := i.settings.MasterUserSecret; s != nil {
		secret = aws.ToString(s.SecretArn)
	}
	l, err := b.login(ctx, secret)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checksLimit)
	defer cancel()
	conn, err := b.connect(ctx, i.settings, l)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("begin the checks of %s: %w", i.ID, err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	tables, err := countTables(ctx, tx)
	switch {
	case err != nil:
		return nil, err
	case tables == 0 && mayBeEmpty, tables > 0 && len(b.Config.Checks) == 0:
		return []CheckResult{{Table: anyTable, Rows: tables}}, nil
	case len(b.Config.Checks) == 0:
		return nil, unfit("the database has no table")
	}
	return runChecks(ctx, tx, b.Config.Checks, taken)
}

// runChecks finds all that is wrong.
func runChecks(ctx context.Context, tx pgx.Tx, checks Checks, taken time.Time) ([]CheckResult, error) {
	results := []CheckResult{}
	var wrong []error
	for _, c := range checks {
		r, err := c.run(ctx, tx, taken)
		var e unfitError
		if err != nil && !errors.As(err, &e) {
			return nil, err
		}
		results, wrong = append(results, r), append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, unfitError{err}
	}
	return results, nil
}

// anyTable is what a result has for a table where the number of tables was counted.
const anyTable = "any"

// countTables counts the tables that no extension has brought.
func countTables(ctx context.Context, tx pgx.Tx) (tables int64, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_class AS c WHERE relkind IN ('r', 'p')
		AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid AND deptype = 'e')`).Scan(&tables)
	if err != nil {
		return 0, fmt.Errorf("count tables: %w", err)
	}
	return tables, nil
}

// run checks one table.
func (c Check) run(ctx context.Context, tx pgx.Tx, taken time.Time) (CheckResult, error) {
	r := CheckResult{Table: c.Table}
	table := pgx.Identifier(strings.Split(c.Table, ".")).Sanitize()
	var there bool
	// A view or a foreign table may show what the backup does not hold.
	if err := tx.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_catalog.pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p', 'm')", table).Scan(&there); err != nil {
		return r, fmt.Errorf("find table %s: %w", c.Table, err)
	}
	if !there {
		return r, unfit("table %s is missing", c.Table)
	}
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM "+table+" LIMIT $1) AS counted", max(c.MinRows, 1)).Scan(&r.Rows); err != nil {
		return r, fmt.Errorf("count the rows of %s: %w", c.Table, err)
	}
	if r.Rows < c.MinRows {
		return r, unfit("table %s has %d rows, fewer than %d", c.Table, r.Rows, c.MinRows)
	}
	return c.newest(ctx, tx, table, r, taken)
}

func (c Check) newest(ctx context.Context, tx pgx.Tx, table string, r CheckResult, taken time.Time) (CheckResult, error) {
	if c.NewestColumn == "" {
		return r, nil
	}
	// The conversion of another type would have its error quote what a row holds.
	var columns int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND attnum > 0 AND NOT attisdropped
		AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)`, table, c.NewestColumn).Scan(&columns)
	if err != nil {
		return r, fmt.Errorf("find column %s of %s: %w", c.NewestColumn, c.Table, err)
	}
	if columns == 0 {
		return r, unfit("table %s has no column %s of timestamps or dates", c.Table, c.NewestColumn)
	}
	// One row of the future, a typing error, would hide for years that no other is new.
	column := pgx.Identifier{c.NewestColumn}.Sanitize()
	var newest *time.Time
	if err := tx.QueryRow(ctx, "SELECT max("+column+")::timestamptz FROM "+table+" WHERE "+column+" <= $1::timestamptz", taken.Add(clockError)).Scan(&newest); err != nil {
		return r, fmt.Errorf("read the newest %s of %s: %w", c.NewestColumn, c.Table, err)
	}
	limit := time.Duration(c.MaxAgeHours) * time.Hour
	switch {
	case newest == nil:
		return r, unfit("table %s has no row with a %s before the backup", c.Table, c.NewestColumn)
	case taken.Sub(*newest) > limit:
		return r, unfit("the newest %s of %s is %s, more than %d hours before the backup", c.NewestColumn, c.Table, newest.UTC().Format(time.RFC3339), c.MaxAgeHours)
	}
	r.Newest = newest.UTC()
	return r, nil
}

// login is what a secret of a master user holds ("JSON structure of AWS Secrets Manager
// database credential secrets", AWS Secrets Manager User Guide).
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func (b *Backups) login(ctx context.Context, secret string) (l login, err error) {
	out, err := b.Secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		return l, fmt.Errorf("read the secret of the master user: %w", err)
	}
	// The decoder's error would quote the secret.
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &l) != nil || l.Username == "" || l.Password == "" {
		return login{}, unfit("the secret %s has no username and password", secret)
	}
	return l, nil
}

// connect logs in to an instance whose certificate is of RDS's authorities and for its
// endpoint.
func (b *Backups) connect(ctx context.Context, d types.DBInstance, l login) (*pgx.Conn, error) {
	if d.Endpoint == nil {
		return nil, fmt.Errorf("the instance %s has no endpoint yet", aws.ToString(d.DBInstanceIdentifier))
	}
	authorities, err := b.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, errors.New("the certificate authorities of RDS are not in PEM")
	}
	config, err := pgx.ParseConfig("host=localhost port=5432 user=none password=none dbname=none sslmode=disable application_name=deployhooks connect_timeout=10")
	if err != nil {
		return nil, err
	}
	host := aws.ToString(d.Endpoint.Address)
	config.Host, config.Port, config.Database, config.User, config.Password = host, uint16(aws.ToInt32(d.Endpoint.Port)), b.Config.Database, l.Username, l.Password
	config.TLSConfig, config.Fallbacks = &tls.Config{ServerName: host, RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
	config.RuntimeParams["statement_timeout"] = fmt.Sprint(statementLimit.Milliseconds())
	conn, err := b.Connect(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	return conn, nil
}

// Authorities reads the certificate authorities of RDS in a region, from where AWS
// publishes them, by HTTPS ("Certificate bundles by AWS Region", Amazon RDS User Guide).
// So their rotation needs no new version of the function.
func Authorities(client *http.Client, region string) func(context.Context) ([]byte, error) {
	const most = 1 << 20
	return func(ctx context.Context) ([]byte, error) {
		url := "https://truststore.pki.rds.amazonaws.com/" + region + "/" + region + "-bundle.pem"
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		answer, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authorities of RDS: %w", err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("read the certificate authorities of RDS from %s: status %d", url, answer.StatusCode)
		}
		return io.ReadAll(io.LimitReader(answer.Body, most))
	}
}
