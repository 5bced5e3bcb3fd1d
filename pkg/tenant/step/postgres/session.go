package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"deployhooks/pkg/tenant/step"
)

// Login is what a secret holds: the form of Amazon RDS ("JSON structure of AWS Secrets Manager
// database credential secrets", AWS Secrets Manager User Guide).
type Login struct {
	Engine   string      `json:"engine,omitempty"`
	Host     string      `json:"host,omitempty"`
	Port     json.Number `json:"port,omitempty"`
	Database string      `json:"dbname,omitempty"`
	Username string      `json:"username"`
	Password string      `json:"password"`
}

// session is one try: the administrator's connection and what it is about.
type session struct {
	Parameters
	in      step.Input
	kind    *Kind
	admin   *pgx.Conn
	server  Login // the administrator's
	tls     *tls.Config
	secretN string // name of the tenant's secret
}

// closeTimeout bounds the end of a connection, which is not worth waiting for.
const closeTimeout = time.Second

func (k *Kind) begin(ctx context.Context, in step.Input) (*session, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, err
	}
	s := &session{Parameters: p, in: in, kind: k, secretN: "deployhooks/" + in.Tenant + "/" + in.Step}
	if s.server, err = ReadLogin(ctx, k.secrets, p.Administrator); err != nil {
		return nil, err
	}
	s.server.Host = cmp.Or(p.Host, s.server.Host)
	if p.Port != 0 {
		s.server.Port = json.Number(strconv.Itoa(p.Port))
	}
	s.server.Port = cmp.Or(s.server.Port, "5432")
	if s.server.Host == "" {
		return nil, step.Refuse(fmt.Errorf("step %s does not know its server", in.Step), "Give the parameter host, or add host to the administrator's secret.")
	}
	if s.tls, err = TLS(p.TLS, p.CA, s.server.Host, in.Files); err != nil {
		return nil, err
	}
	s.server.Database = cmp.Or(s.server.Database, "postgres")
	if s.admin, err = connect(ctx, s.server, s.tls, k.dial); err != nil {
		return nil, fmt.Errorf("connect to %s as the administrator: %w", s.server.Host, classified(err))
	}
	return s, nil
}

func (s *session) close() { closeConn(s.admin) }

// closeConn ends a connection also after the try's own time is up.
func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx)
}

// TLS is the encryption of a mode (verify-full, the default; require; disable) to a host.
func TLS(mode, ca, host string, files fs.FS) (*tls.Config, error) {
	if mode == "disable" {
		return nil, nil
	}
	// The mode require is a platform engineer's choice, for servers with a certificate of their own.
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: mode == "require"}
	if ca == "" {
		return config, nil
	}
	text, err := fs.ReadFile(files, ca)
	config.RootCAs = x509.NewCertPool()
	if err == nil && !config.RootCAs.AppendCertsFromPEM(text) {
		err = errors.New("it has no certificate in PEM")
	}
	if err != nil {
		return nil, step.Refuse(fmt.Errorf("certificate authorities %s: %w", ca, err), "Correct the file in the blueprint.")
	}
	return config, nil
}

// connect logs in. Nothing of it comes from the environment. Queries take one round trip each,
// and no statement is prepared, so that a connection pooler may be in between.
func connect(ctx context.Context, l Login, t *tls.Config, dial pgconn.DialFunc) (*pgx.Conn, error) {
	config, err := configuration(l, t, dial)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

func configuration(l Login, t *tls.Config, dial pgconn.DialFunc) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("host=localhost port=5432 user=none password=none dbname=none sslmode=disable application_name=deployhooks connect_timeout=10")
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(l.Port.String(), 10, 16)
	if err != nil {
		return nil, step.Refuse(fmt.Errorf("port %q of %s is no port", l.Port, l.Host), "Correct the administrator's secret.")
	}
	config.Host, config.Port, config.Database, config.User, config.Password = l.Host, uint16(port), l.Database, l.Username, l.Password
	config.TLSConfig, config.Fallbacks = t, nil
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if dial != nil {
		config.DialFunc = dial
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	}
	return config, nil
}

// LogIn checks that a login of a secret works.
func LogIn(ctx context.Context, l Login, t *tls.Config, dial pgconn.DialFunc) error {
	c, err := connect(ctx, l, t, dial)
	if err != nil {
		return classified(err)
	}
	closeConn(c)
	return nil
}

// classified gives an error of PostgreSQL its class, by the first characters of its code
// ("PostgreSQL Error Codes", PostgreSQL documentation). Errors without a code, such as a lost
// connection, may pass, and so do those of a server that is read-only during a failover (25006).
func classified(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	for _, passing := range []string{"08", "40", "25006", "53", "55", "57", "58", "XX"} {
		if strings.HasPrefix(e.Code, passing) {
			return &step.Error{Class: step.Transient, Err: err}
		}
	}
	remedy := "Correct the blueprint's files or parameters."
	switch {
	case strings.HasPrefix(e.Code, "28"):
		remedy = "Correct the administrator's secret, or the server's pg_hba.conf."
	case e.Code == "2BP01":
		remedy = "Drop or reassign what the role owns or may use elsewhere (DROP OWNED, REASSIGN OWNED), then retry."
	case e.Code == "42501":
		remedy = "Give the administrator the attributes CREATEDB and CREATEROLE."
	}
	return step.Refuse(err, remedy)
}
