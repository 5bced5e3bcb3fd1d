package steps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/blueprint/example"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/spec"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/smoke"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/clouds"
)

var update = flag.Bool("update", false, "renew the golden files")

const zone = "023e105f4ecef8ad9ca31a8372d0c353" // of the example

// product is the shipped example with the real kinds, and a web server of its instances.
type product struct {
	state
	blueprint *blueprint.Blueprint
	runner    *workflow.Runner
	network   *network // of the workers
	log       bytes.Buffer
}

func newProduct(t *testing.T) *product {
	t.Helper()
	p := &product{state: newState(), network: &network{}}
	var err error
	if p.blueprint, err = source.Load(replaced(t), kinds.Descriptions()); err != nil {
		t.Fatal(err)
	}
	cloud.AddIdentity("mail.example.com")
	cloud.Verify("mail.example.com")
	web := httptest.NewTLSServer(http.HandlerFunc(instance))
	t.Cleanup(web.Close)
	all := p.process(p.network).kinds
	clients := smokeClients(web)
	clients.Resolver = records{}
	all["smoke"] = smoke.New(clients)
	blueprints := func(context.Context, string) (*blueprint.Blueprint, error) { return p.blueprint, nil }
	log := slog.New(slog.NewJSONHandler(&p.log, nil)) // writes one line at a time
	workers := map[step.Class]*workflow.Worker{}
	for _, class := range step.Classes() {
		workers[class] = workflow.NewWorker(workflow.Parts{Class: class, Registry: p.registry, Kinds: all, Blueprints: blueprints, Now: func() time.Time { return noon }, Log: log})
	}
	p.runner = workflow.NewRunner(workflow.RunnerParts{
		Run: func(ctx context.Context, class step.Class, task workflow.Task) (workflow.Result, error) {
			return workers[class].Run(ctx, task)
		},
		Blueprints: blueprints, Now: func() time.Time { return noon }, Fraction: func() float64 { return 0 },
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	return p
}

// replaced is the example with the values of this machine for those that are marked REPLACE.
func replaced(t *testing.T) fstest.MapFS {
	t.Helper()
	directory := fstest.MapFS{}
	err := fs.WalkDir(example.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(example.FS(), name)
		directory[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := string(directory[source.Main].Data)
	for _, r := range [][2]string{
		{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:production/postgres-AbCdEf", administrator},
		{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:staging/postgres-GhIjKl", administrator},
		{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:cloudflare-MnOpQr", cloud.PutSecret("cloudflare-token", clouds.Token)},
		{"tls: verify-full", "tls: disable"},
	} {
		if !strings.Contains(text, r[0]) {
			t.Fatalf("the example does not hold %s", r[0])
		}
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	directory[source.Main] = &fstest.MapFile{Data: []byte(text)}
	return directory
}

// instance serves the log-in page and the palette of the tenant of a host, as its instance would.
func instance(w http.ResponseWriter, r *http.Request) {
	tenant, environment := strings.TrimSuffix(r.Host, ".example.com"), "production"
	if name, staging := strings.CutSuffix(tenant, "-staging"); staging {
		tenant, environment = name, "staging"
	}
	objects := of(tenant)
	if r.URL.Path == "/branding.json" {
		_, _ = w.Write([]byte(objects[environment+"/public/branding.json"]))
		return
	}
	var config struct{ Title string }
	if err := yaml.Unmarshal([]byte(objects[environment+"/config/config.yml"]), &config); err != nil {
		http.Error(w, "the configuration cannot be read", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "<title>%s</title>", html.EscapeString(config.Title))
}

// records finds hosts that have a record at Cloudflare.
type records struct{}

func (records) LookupHost(_ context.Context, host string) ([]string, error) {
	for _, r := range cloud.CloudflareRecords(zone) {
		if r.Name == host {
			return []string{"127.0.0.1"}, nil
		}
	}
	return nil, errors.New("no such host")
}

// run runs an operation to its end, as the intake has it begin.
func (p *product) run(t *testing.T, kind registry.OperationKind, tenant, text string) registry.Operation {
	t.Helper()
	if faults := spec.Validate(p.blueprint.Spec, []byte(text)); len(faults) > 0 {
		t.Fatalf("the spec is refused: %v", faults)
	}
	op := registry.Operation{
		ID: tenant + "-" + string(kind), Tenant: tenant, Kind: kind, Spec: json.RawMessage(text), Blueprint: p.blueprint.Version,
		Created: noon, NotBefore: noon,
	}.Begun(noon)
	err := p.registry.Update(context.Background(), tenant, func(tx *registry.Tx) error {
		found, err := tx.Tenant()
		if err != nil {
			return err
		}
		if found.Name == "" {
			found = registry.Tenant{Name: tenant, State: registry.Launching, Created: noon}
		}
		found.Operation = op.ID
		return tx.Put(found, op)
	})
	if err == nil {
		err = p.runner.Start(context.Background(), op)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.runner.Wait()
	return p.view(t, tenant).Operation(op.ID)
}

func (p *product) view(t *testing.T, tenant string) registry.View {
	t.Helper()
	view, err := p.registry.View(context.Background(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// faults are the errors of a tenant's steps.
func faults(v registry.View) (all []string) {
	for _, s := range v.Steps {
		if s.Error != nil {
			all = append(all, s.Name+": "+s.Error.Text)
		}
	}
	return all
}

// TestExample launches, changes and removes a tenant of the shipped example.
func TestExample(t *testing.T) {
	p := newProduct(t)
	tenant := "orchid-" + newTenant()
	text := func(title, primary string) string {
		body, _ := json.Marshal(map[string]any{
			"schemaVersion": 1, "name": tenant, "title": title, "palette": map[string]string{"primary": primary},
			"contacts": map[string]any{"owner": map[string]string{"name": "Ana", "email": "ana@example.com"}},
			"footer":   map[string]string{"address": "High Street 1\n12345 Town: #3"}, "booking": false,
		})
		return string(body)
	}
	const title = `O'Neill & "Sons" $1 ${x} {{ .y }} 100 % #1: [no]; \`
	if op := p.run(t, registry.Launch, tenant, text(title, "#003366")); op.State != registry.Succeeded {
		t.Fatalf("the launch is %s: %q", op.State, faults(p.view(t, tenant)))
	}
	p.golden(t, tenant)
	conn := connectAs(t, tenant+"_production", p.password(t, tenant, "production"), tenant+"_production")
	got := ""
	if err := conn.QueryRow(context.Background(), "SELECT value FROM settings WHERE name = 'title'").Scan(&got); err != nil || got != title {
		t.Errorf("the title in the database is %q, %v, and not %q", got, err, title)
	}
	untouched := map[string]int{}
	for _, service := range []string{clouds.Cloudflare, clouds.SES} {
		untouched[service] = cloud.Calls(service)
	}
	if op := p.run(t, registry.Change, tenant, text("Orchid", "#112233")); op.State != registry.Succeeded {
		t.Fatalf("the change is %s: %q", op.State, faults(p.view(t, tenant)))
	}
	for _, environment := range []string{"production", "staging"} {
		if got := of(tenant)[environment+"/config/config.yml"]; !strings.Contains(got, `title: "Orchid"`) {
			t.Errorf("the title of %s is still the former one:\n%s", environment, got)
		}
		if got := of(tenant)[environment+"/public/branding.css"]; !strings.Contains(got, "--brand-primary: #112233;") {
			t.Errorf("the colours of %s are still the former ones:\n%s", environment, got)
		}
	}
	if calls := cloud.Calls(clouds.Cloudflare); calls != untouched[clouds.Cloudflare] {
		t.Errorf("%d calls of Cloudflare: a change touches what does not differ", calls-untouched[clouds.Cloudflare])
	}
	p.searchSecrets(t, tenant)
	if op := p.run(t, registry.Remove, tenant, text("Orchid", "#112233")); op.State != registry.Succeeded {
		t.Fatalf("the removal is %s: %q", op.State, faults(p.view(t, tenant)))
	}
	if got, want := leftOf(t, tenant), []string{
		"database TENANT_production", "database TENANT_staging", "role TENANT_production", "role TENANT_staging",
		"secret deployhooks/TENANT/database-production", "secret deployhooks/TENANT/database-staging",
	}; !slices.Equal(got, want) {
		t.Errorf("after the removal there is %q, want only what is retained: %q", got, want)
	}
}

func (p *product) password(t *testing.T, tenant, environment string) string {
	t.Helper()
	var l struct{ Password string }
	if err := json.Unmarshal([]byte(cloud.Secret("deployhooks/"+tenant+"/database-"+environment)), &l); err != nil || l.Password == "" {
		t.Fatalf("tenant %s has no secret, %v", tenant, err)
	}
	return l.Password
}

// golden compares the configuration files of a tenant with those that people have read.
func (p *product) golden(t *testing.T, tenant string) {
	t.Helper()
	for _, name := range []string{"config.yml", "nginx.conf"} {
		got := strings.ReplaceAll(of(tenant)["production/config/"+name], tenant, "acme")
		if _, arn, ok := strings.Cut(got, `secret: "`); ok {
			arn, _, _ = strings.Cut(arn, `"`)
			got = strings.Replace(got, arn, "ARN", 1)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(string(want), got); d != "" {
			t.Errorf("%s has changed; renew with -update (-golden +now):\n%s", name, d)
		}
	}
}

// searchSecrets looks for passwords and tokens in everything that is kept or written of a tenant but
// its secrets.
func (p *product) searchSecrets(t *testing.T, tenant string) {
	t.Helper()
	view, err := json.Marshal(p.view(t, tenant))
	if err != nil {
		t.Fatal(err)
	}
	statements, err := os.ReadFile(filepath.Join(server.Dir, "log"))
	if err != nil || !bytes.Contains(statements, []byte(tenant)) {
		t.Fatalf("the server's log has no statements about the tenant: %v", err)
	}
	places := map[string]string{"the registry": string(view), "the workers' log": p.log.String(), "the server's log": string(statements), "objects": fmt.Sprint(of(tenant))}
	for where, text := range places {
		for _, secret := range []string{p.password(t, tenant, "production"), p.password(t, tenant, "staging"), server.Password, clouds.Token} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is in %s", where)
			}
		}
	}
}

// leftOf is what there is of a tenant anywhere; TENANT stands for its name.
func leftOf(t *testing.T, tenant string) (left []string) {
	t.Helper()
	add := func(what string, names ...string) {
		for _, name := range names {
			if strings.Contains(name, tenant) {
				left = append(left, what+" "+strings.ReplaceAll(name, tenant, "TENANT"))
			}
		}
	}
	add("secret", cloud.Secrets()...)
	add("identity", cloud.Identities()...)
	for _, r := range cloud.CloudflareRecords(zone) {
		add("record", r.Name)
	}
	for key := range cloud.Objects() {
		add("object", key)
	}
	rows, err := connectAs(t, server.User, server.Password, "postgres").Query(context.Background(), "SELECT 'role', rolname FROM pg_roles UNION ALL SELECT 'database', datname FROM pg_database")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var what, name string
		if err := rows.Scan(&what, &name); err != nil {
			t.Fatal(err)
		}
		add(what, name)
	}
	slices.Sort(left)
	return left
}
