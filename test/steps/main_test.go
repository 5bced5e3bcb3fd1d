// Package steps holds the scenarios of the kinds of steps: each against a real PostgreSQL and
// the services of test/clouds.
package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/dns"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/clouds"
	"deployhooks/test/postgres"
)

var (
	server *postgres.Server
	cloud  *clouds.Clouds
	// ARNs of the secrets of the server's superuser, and of Cloudflare.
	administrator, cloudflareToken string
	tenants                        atomic.Int64
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "steps-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if server, err = postgres.Start(context.Background(), dir); err != nil {
		panic(err)
	}
	defer server.Stop()
	cloud = clouds.Start()
	defer cloud.Close()
	administrator = cloud.PutSecret("administrator", login(server.User, server.Password))
	cloudflareToken = cloud.PutSecret("cloudflare", clouds.Token)
	return m.Run()
}

func login(user, password string) string {
	text, _ := json.Marshal(map[string]any{"host": server.Host, "port": server.Port, "username": user, "password": password})
	return string(text)
}

// files are those of the blueprint.
var files = fstest.MapFS{
	"migrations/00001_first.sql":  {Data: []byte("-- +goose Up\nCREATE TABLE pages (path text PRIMARY KEY, title text NOT NULL);\n")},
	"migrations/00002_second.sql": {Data: []byte("-- +goose Up\nALTER TABLE pages ADD COLUMN body text;\nCREATE TABLE visits (at timestamptz);\n")},
	"content.sql":                 {Data: []byte("INSERT INTO pages VALUES ('/', current_setting('tenant.title'), 'Welcome'), ('/imprint', 'Imprint', '');\nINSERT INTO visits VALUES (now());\n")},
	"first/a.txt":                 {Data: []byte("first")},
	"first/deep/b.html":           {Data: []byte("<p>second</p>")},
	"templates/config.yml":        {Data: []byte("title: {{ .values.title }}\n")},
	"templates/nginx.conf":        {Data: []byte("server_name {{ .values.host }};\n")},
}

// network is the network of one process: it can be killed when a call has been sent.
type network struct {
	calls  atomic.Int64
	killAt int64 // 0 is never
	before func(*http.Request)
	dead   atomic.Bool
}

var errKilled = errors.New("the process is killed")

// call makes one call, unless the process is dead.
func (n *network) call(do func() error) error {
	if n.dead.Load() {
		return errKilled
	}
	if n.calls.Add(1) != n.killAt {
		return do()
	}
	n.dead.Store(true)
	_ = do() // nobody gets the answer
	return errKilled
}

// Do sends a request.
func (n *network) Do(r *http.Request) (res *http.Response, err error) {
	if n.before != nil {
		n.before(r)
	}
	err = n.call(func() error {
		res, err = http.DefaultClient.Do(r)
		return err
	})
	if err != nil {
		if res != nil {
			res.Body.Close()
		}
		return nil, err
	}
	return res, nil
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	return &wire{conn, n}, nil
}

// wire counts what is sent to PostgreSQL.
type wire struct {
	net.Conn
	network *network
}

func (w *wire) Write(b []byte) (sent int, err error) {
	err = w.network.call(func() error {
		sent, err = w.Conn.Write(b)
		return err
	})
	if errors.Is(err, errKilled) {
		w.Conn.Close()
	}
	return sent, err
}

// process has all kinds on one network, with a registry that outlives it.
type process struct {
	*network
	kinds map[string]step.Kind
}

// engine keeps the executions of manual tasks by name.
type engine struct {
	started map[string]workflow.ManualExecution
}

func (e engine) StartManual(_ context.Context, x workflow.ManualExecution) error {
	e.started[x.Operation+"-"+x.Step] = x
	return nil
}

// state is what outlives a process.
type state struct {
	registry *registry.Registry
	engine   engine
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newState() state {
	return state{registry.New(registry.NewMemory(), func() time.Time { return noon }), engine{map[string]workflow.ManualExecution{}}}
}

func (s state) process(n *network) process {
	cfg := enforce(aws.Config{
		Region: home, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: &cloud.URL,
		HTTPClient: n, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	})
	secrets := secretsmanager.NewFromConfig(cfg)
	all := kinds.All(kinds.Clients{
		Registry: s.registry, Engine: s.engine, Secrets: secrets, Identities: sesv2.NewFromConfig(cfg), Dial: n.dial,
		Bucket: bucket.Bucket{Name: clouds.Bucket, ARN: "arn:aws:s3:::" + clouds.Bucket, S3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })},
		DNS:    dns.Clients{Route53: route53.NewFromConfig(cfg), Cloudflare: n, CloudflareURL: cloud.URL + "/client/v4/"},
		Web:    n, Resolver: net.DefaultResolver,
	})
	for name, k := range all {
		all[name] = limited{Kind: k}
	}
	return process{n, all}
}

// newTenant is a name that no other test has.
func newTenant() string { return fmt.Sprintf("tenant%dx", tenants.Add(1)) }

// input is that of a step of a tenant. In the parameters TENANT is the tenant's name.
func input(t *testing.T, tenant, name string, parameters map[string]any) step.Input {
	t.Helper()
	text, err := json.Marshal(parameters)
	if err != nil {
		t.Fatal(err)
	}
	return step.Input{
		Tenant: tenant, Operation: tenant + "-launch-1", Step: name, Environment: "production", Files: files,
		Parameters: json.RawMessage(strings.ReplaceAll(string(text), "TENANT", tenant)),
	}
}

// parameters are those of a step of each kind that changes something.
func parameters() map[string]map[string]any {
	return map[string]map[string]any{
		"postgres":     {"administrator": administrator, "tls": "disable", "database": "TENANT_production", "role": "TENANT", "migrations": "migrations", "content": "content.sql", "settings": map[string]string{"title": "O'Neill \"and\" $1; --"}},
		"dns":          {"provider": "route53", "zone": "Z1", "records": []string{"TENANT.example.com CNAME lb.example.net", "TENANT-stg.example.com A 192.0.2.1"}},
		"s3-prefix":    {"prefix": "TENANT/production", "content": "first"},
		"config":       {"prefix": "TENANT/config", "templates": "templates", "values": map[string]string{"title": "x: [", "host": "TENANT.example.com"}},
		"branding":     {"prefix": "TENANT/branding", "palette": map[string]string{"text": "#111111", "background": "#ffffff"}},
		"activate":     {"prefix": "TENANT/production", "host": "TENANT.example.com"},
		"ses-identity": {"domain": "TENANT.mail.example.com", "fallback": "mail@example.com"},
		"reserve":      {"names": []string{"TENANT.example.com", "TENANT-stg.example.com"}},
		"manual":       {"title": "Register the call-back", "owner": "web team", "instructions": "Enter https://TENANT.example.com/callback"},
	}
}

// converge applies a step until it is done: what another try left behind may still be under way.
func converge(p process, kind string, in step.Input) (out step.Outputs, err error) {
	err = persist(func() (err error) {
		out, err = p.kinds[kind].Apply(context.Background(), in)
		return err
	})
	return out, err
}

// persist repeats what fails with an error that may pass.
func persist(do func() error) (err error) {
	for range 2000 {
		if err = do(); err == nil || step.ClassOf(err) != step.Transient {
			return err
		}
	}
	return err
}

func class(err error) step.ErrorClass {
	if err == nil {
		return ""
	}
	return step.ClassOf(err)
}
