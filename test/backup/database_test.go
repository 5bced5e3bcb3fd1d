package backup_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"deployhooks/test/harness"
	"deployhooks/test/postgres"
)

// server is the PostgreSQL that has all databases: one for each content that a snapshot can
// have.
var server *postgres.Server

// contents are what databases hold, by the name that region.DBInstance has in Data.
var contents = map[string]string{
	"good":    `CREATE TABLE orders (id int, "Made At" timestamptz); INSERT INTO orders SELECT n, '2024-03-04 02:00Z' FROM generate_series(1, 12) n`,
	"few":     `CREATE TABLE orders (id int, "Made At" timestamptz); INSERT INTO orders VALUES (1, '2024-03-04 02:00Z')`,
	"stale":   `CREATE TABLE orders (id int, "Made At" timestamptz); INSERT INTO orders SELECT n, '2024-02-01 02:00Z' FROM generate_series(1, 12) n`,
	"nothing": `SELECT 1`,
	"other":   `CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 12)`,
	"future":  `CREATE TABLE orders (id int, "Made At" timestamptz); INSERT INTO orders SELECT n, '2024-02-01 02:00Z' FROM generate_series(1, 12) n; INSERT INTO orders VALUES (0, '2204-03-04 02:00Z'), (0, 'infinity')`,
	"never":   `CREATE TABLE orders (id int, "Made At" timestamptz); INSERT INTO orders SELECT n, '2204-03-04 02:00Z' FROM generate_series(1, 12) n`,
	"texts":   `CREATE TABLE orders (id int, "Made At" text); INSERT INTO orders SELECT n, 'Jane Doe' FROM generate_series(1, 12) n`,
	"view":    `CREATE VIEW orders AS SELECT n AS id, now() AS "Made At" FROM generate_series(1, 12) n`,
	"brought": `CREATE TABLE spatial_ref_sys (id int); ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys`,
	"days":    `CREATE TABLE orders (id int, "Made At" date); INSERT INTO orders SELECT n, '2024-03-04' FROM generate_series(1, 12) n`,
	"old":     `CREATE TABLE orders (id int, "Made At" timestamptz)`,
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	harness.FixSeed()
	dir, err := os.MkdirTemp("", "backup-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if server, err = postgres.Start(ctx, dir); err != nil {
		panic(err)
	}
	defer server.Stop()
	for name, statements := range contents {
		if err := fill(ctx, name, statements); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

func fill(ctx context.Context, name, statements string) error {
	if err := execute(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
		return err
	}
	return execute(ctx, name, statements)
}

func execute(ctx context.Context, database, text string) error {
	config, err := local(database)
	if err != nil {
		return err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
	return err
}

func local(database string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("sslmode=disable")
	if err == nil {
		config.Host, config.Port, config.User, config.Password, config.Database = server.Host, uint16(server.Port), server.User, server.Password, database
	}
	return config, err
}

// connect reaches what answers at an endpoint's name with the instance's present password.
func (e *environment) connect(ctx context.Context, c *pgx.ConnConfig) (*pgx.Conn, error) {
	e.tls, e.parameters = c.TLSConfig, c.RuntimeParams
	at, ok := e.DBEndpoint(c.Host)
	if !ok {
		return nil, fmt.Errorf("no such host: %s", c.Host)
	}
	if c.User != at.User || c.Password != at.Password || c.Database != "app" {
		return nil, &pgconn.PgError{Code: "28P01", Message: "password authentication failed"}
	}
	here, err := local(at.Data)
	if err != nil {
		return nil, err
	}
	here.RuntimeParams = c.RuntimeParams
	return pgx.ConnectConfig(ctx, here)
}

// secrets is Secrets Manager, with the role's permissions.
type secrets struct{ e *environment }

func (s secrets) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	id, keys := aws.ToString(in.SecretId), map[string][]string{}
	user, word, managed := s.e.DBSecret(id)
	fail := func(err error) (*secretsmanager.GetSecretValueOutput, error) {
		return nil, &smithy.OperationError{ServiceID: secretsmanager.ServiceID, OperationName: "GetSecretValue", Err: err}
	}
	switch {
	case managed:
		keys["aws:resourcetag/aws:rds:primarydbinstancearn"] = []string{"arn:aws:rds:eu-west-1:123456789012:db:" + proofOf + s.e.config.Instance}
	case id == secretARN:
		user, word = "postgres", password
	default:
		return fail(&smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret."})
	}
	if err := s.e.role.Authorize("secretsmanager:GetSecretValue", id, keys); err != nil {
		return fail(err)
	}
	if s.e.deny == "secretsmanager:GetSecretValue" {
		return fail(&smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform: secretsmanager:GetSecretValue"})
	}
	text, err := json.Marshal(map[string]string{"username": user, "password": word})
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(string(text))}, err
}

// authority is a certificate authority: any, since the local server has no certificate.
var authority = newAuthority()

func newAuthority() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	made := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	text, err := x509.CreateCertificate(rand.Reader, made, made, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text})
}
