package steps

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/step"
)

// A database takes its time, so that only some of the calls of postgres are tried by default.
var every = flag.Int64("every", 7, "kill the step postgres at each so many-th of its calls")

// TestKilledAtEveryCall kills the process of a step after each call that it has sent, and runs the step
// again: the end is the same, for Apply and for Undo. To be killed before a call is to be killed after
// the one before.
func TestKilledAtEveryCall(t *testing.T) {
	for kind := range kinds.Descriptions() {
		p, known := parameters()[kind]
		if kind == "smoke" { // changes nothing
			continue
		}
		if !known {
			t.Errorf("kind %s has no parameters here: nobody knows what it leaves when it is killed", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			s := newState()
			tenant := newTenant()
			in := input(t, tenant, kind, p)
			clean := s.process(&network{})
			out, err := converge(clean, kind, in)
			if err != nil {
				t.Fatal(err)
			}
			want, applies := left(t, s, tenant, kind, out), clean.calls.Load()
			undo := s.process(&network{})
			if err := undo.kinds[kind].Undo(context.Background(), in); err != nil {
				t.Fatal(err)
			}
			gone, undoes := left(t, s, tenant, kind, nil), undo.calls.Load()
			if gone != "" && kind != "manual" { // a cancelled task is kept
				t.Errorf("after Undo there is %s: a removed tenant leaves something behind", gone)
			}
			stride := int64(1)
			if kind == "postgres" {
				stride = *every
			}
			for n := int64(1); n <= max(applies, undoes); n += stride {
				killed(t, kind, p, n, want, gone)
			}
			t.Logf("%d calls of Apply, %d of Undo", applies, undoes)
		})
	}
}

func killed(t *testing.T, kind string, p map[string]any, killAt int64, want, gone string) {
	t.Helper()
	s := newState()
	tenant := newTenant()
	in := input(t, tenant, kind, p)
	label := fmt.Sprintf("killed after call %d", killAt)
	_, _ = s.process(&network{killAt: killAt}).kinds[kind].Apply(context.Background(), in)
	again := s.process(&network{})
	out, err := converge(again, kind, in)
	if err != nil {
		t.Fatalf("%s, Apply runs again: %v: the launch is held for good", label, err)
	}
	if got := left(t, s, tenant, kind, out); got != want {
		t.Errorf("%s, then run again, there is\n%s\nwant\n%s\na launch that died leaves a tenant that differs", label, got, want)
	}
	in.Before = out
	if state, err := again.kinds[kind].Check(context.Background(), in); err != nil || state != step.Present && kind != "ses-identity" {
		t.Errorf("%s, then run again, the step is %s, %v: a change touches it for nothing", label, state, err)
	}
	_ = s.process(&network{killAt: killAt}).kinds[kind].Undo(context.Background(), in)
	if err := persist(func() error { return again.kinds[kind].Undo(context.Background(), in) }); err != nil {
		t.Fatalf("%s, Undo runs again: %v: the removal is held for good", label, err)
	}
	if got := left(t, s, tenant, kind, nil); got != gone {
		t.Errorf("%s, then undone again, there is\n%s\nwant\n%s\na removed tenant leaves something behind", label, got, gone)
	}
}

// left is what a step of a tenant has left everywhere, with its outputs; TENANT stands for the tenant's name.
func left(t *testing.T, s state, tenant, kind string, out step.Outputs) string {
	t.Helper()
	var lines []string
	add := func(what string, found ...string) {
		for _, f := range found {
			if strings.Contains(f, tenant) {
				lines = append(lines, what+" "+f)
			}
		}
	}
	add("secret", cloud.Secrets()...)
	add("identity", cloud.Identities()...)
	add("record", cloud.Route53Records("Z1")...)
	add("object", objects(t, s, tenant)...)
	view, err := s.registry.View(context.Background(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range view.Tasks {
		text, _ := json.Marshal(task)
		add("task", string(text))
	}
	if kind == "postgres" {
		lines = append(lines, databases(t, tenant)...)
	}
	if kind == "reserve" && out != nil {
		add("names", out["names"])
	}
	slices.Sort(lines)
	return strings.ReplaceAll(strings.Join(lines, "\n"), tenant, "TENANT")
}

// objects are the keys and texts of the tenant's objects.
func objects(t *testing.T, _ state, tenant string) (found []string) {
	t.Helper()
	for key, body := range cloud.Objects() {
		if strings.HasPrefix(key, tenant+"/") {
			found = append(found, key+" "+body)
		}
	}
	return found
}

// databases are the tenant's role and database as the server has them, and what the role of the secret
// finds when it logs in.
func databases(t *testing.T, tenant string) (found []string) {
	t.Helper()
	admin := connectAs(t, server.User, server.Password, "postgres")
	rows, err := admin.Query(context.Background(), `
		SELECT 'role ' || rolname || ' ' || coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1
		UNION ALL SELECT 'database ' || datname || ' of ' || pg_get_userbyid(datdba) || ' ' || has_database_privilege('public', oid, 'CONNECT')
		FROM pg_database WHERE datname = $1 || '_production'`, tenant)
	if err != nil {
		t.Fatal(err)
	}
	if found, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	text := cloud.Secret("deployhooks/" + tenant + "/postgres")
	if text == "" {
		return found
	}
	var l struct{ Dbname, Username, Password string }
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	role := connectAs(t, l.Username, l.Password, l.Dbname)
	for _, query := range []string{
		"SELECT 'page ' || path || ' ' || title FROM pages",
		"SELECT 'visits ' || count(*) FROM visits",
		"SELECT 'marker ' || step FROM deployhooks_content",
		"SELECT 'version ' || max(version_id) FROM goose_db_version",
		"SELECT 'checksum ' || version || ' ' || sha256 FROM deployhooks_migrations",
	} {
		rows, err := role.Query(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		more, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
	}
	return found
}

func connectAs(t *testing.T, user, password, database string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig("sslmode=disable host=localhost")
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.Port, config.User, config.Password, config.Database = server.Host, uint16(server.Port), user, password, database
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("log in to %s as %s: %v: the instance does not start", database, user, err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}
