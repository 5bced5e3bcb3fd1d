package steps

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"deployhooks/pkg/tenant/step"
)

func TestPostgres(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		// before prepares, and may change the step.
		before func(t *testing.T, tenant string, in *step.Input)
		class  step.ErrorClass
		pages  int // that the database has in the end
		harm   string
	}{
		"nothing is there": {func(*testing.T, string, *step.Input) {}, "", 2, "a launch creates no database"},
		"somebody else's role": {func(t *testing.T, tenant string, _ *step.Input) {
			sql(t, "CREATE ROLE "+tenant)
		}, step.Conflict, 0, "a tenant takes over somebody else's role"},
		"somebody else's database": {func(t *testing.T, tenant string, _ *step.Input) {
			sql(t, "CREATE DATABASE "+tenant+"_production")
		}, step.Conflict, 0, "a tenant takes over somebody else's database"},
		"a database half filled by an earlier try": {func(t *testing.T, tenant string, in *step.Input) {
			whole := in.Files
			in.Files = broken("content.sql", "INSERT INTO pages VALUES ('/', 'x', 'y'); SELECT nothing_like_this();")
			if _, err := newState().process(&network{}).kinds["postgres"].Apply(ctx, *in); class(err) != step.Refused {
				t.Fatalf("broken content: %v", err)
			}
			in.Files = whole
		}, "", 2, "a database without its content stays that way"},
		"complete content that the tenant has changed": {func(t *testing.T, tenant string, in *step.Input) {
			apply(t, "postgres", *in)
			conn := connectAs(t, tenant, password(t, tenant), tenant+"_production")
			if _, err := conn.Exec(ctx, "DELETE FROM pages WHERE path = '/imprint'"); err != nil {
				t.Fatal(err)
			}
		}, "", 1, "a change brings back what the tenant has deleted"},
		"content that ends its transaction": {func(_ *testing.T, _ string, in *step.Input) {
			in.Files = broken("content.sql", "INSERT INTO pages VALUES ('/', 'x', 'y'); COMMIT;")
		}, step.Refused, 0, "a half-filled database counts as complete"},
		"a broken migration": {func(_ *testing.T, _ string, in *step.Input) {
			in.Files = broken("migrations/00002_second.sql", "-- +goose Up\nALTER TABLE nothing ADD COLUMN x int;\n")
		}, step.Refused, 0, "a broken migration is tried for ever"},
		"a migration that was edited after it ran": {func(t *testing.T, _ string, in *step.Input) {
			apply(t, "postgres", *in)
			in.Files = broken("migrations/00001_first.sql", "-- +goose Up\nCREATE TABLE pages (path text PRIMARY KEY, title text NOT NULL, author text);\n")
		}, step.Refused, 0, "the tenant's schema lacks what those of new tenants have, and nobody knows"},
		"a migration that was added": {func(t *testing.T, _ string, in *step.Input) {
			apply(t, "postgres", *in)
			in.Files = broken("migrations/00003_third.sql", "-- +goose Up\nALTER TABLE pages ADD COLUMN author text;\n")
		}, "", 2, "a tenant is held for a good migration"},
		"an edited migration that an operator has accepted": {func(t *testing.T, tenant string, in *step.Input) {
			apply(t, "postgres", *in)
			in.Files = broken("migrations/00001_first.sql", "-- +goose Up\n-- reviewed\nCREATE TABLE pages (path text PRIMARY KEY, title text NOT NULL);\n")
			conn := connectAs(t, tenant, password(t, tenant), tenant+"_production")
			if tag, err := conn.Exec(ctx, "DELETE FROM public.deployhooks_migrations WHERE version = 1"); err != nil || tag.RowsAffected() != 1 {
				t.Fatal(tag, err)
			}
		}, "", 2, "the remedy does not help"},
		"a database whose migrations have no checksums yet": {func(t *testing.T, tenant string, in *step.Input) {
			apply(t, "postgres", *in)
			conn := connectAs(t, tenant, password(t, tenant), tenant+"_production")
			if _, err := conn.Exec(ctx, "DROP TABLE public.deployhooks_migrations"); err != nil {
				t.Fatal(err)
			}
		}, "", 2, "tenants of an earlier version are held"},
		"another database than before": {func(_ *testing.T, _ string, in *step.Input) {
			in.Before = step.Outputs{"database": "another"}
		}, step.Refused, 0, "a tenant loses its data by a change"},
		"a password that somebody has changed": {func(t *testing.T, tenant string, in *step.Input) {
			apply(t, "postgres", *in)
			sql(t, "ALTER ROLE "+tenant+" PASSWORD 'another'")
		}, "", 2, "the instance cannot log in with its secret"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := newTenant()
			in := input(t, tenant, "postgres", parameters()["postgres"])
			c.before(t, tenant, &in)
			out, err := converge(newState().process(&network{}), "postgres", in) // the server may not have ended the last try's connection yet
			if class(err) != c.class {
				t.Fatalf("Apply: %v, want class %q: %s", err, c.class, c.harm)
			}
			if err != nil {
				return
			}
			conn := connectAs(t, out["role"], password(t, tenant), out["database"])
			pages := 0
			if err := conn.QueryRow(ctx, "SELECT count(*) FROM pages").Scan(&pages); err != nil || pages != c.pages {
				t.Errorf("%d pages, %v, want %d: %s", pages, err, c.pages, c.harm)
			}
		})
	}
}

// TestPostgresForeignUndo holds that a removal after a conflict leaves what is somebody else's.
func TestPostgresForeignUndo(t *testing.T) {
	tenant := newTenant()
	sql(t, "CREATE DATABASE "+tenant+"_production")
	in := input(t, tenant, "postgres", parameters()["postgres"])
	if err := undo(in); err != nil {
		t.Fatal(err)
	}
	connectAs(t, server.User, server.Password, tenant+"_production")
}

// TestPostgresWithoutSuperuser runs the step as an administrator like that of Amazon RDS.
func TestPostgresWithoutSuperuser(t *testing.T) {
	tenant := newTenant()
	sql(t, "CREATE ROLE "+tenant+"_admin LOGIN CREATEDB CREATEROLE PASSWORD 'admin-password'")
	p := maps.Clone(parameters()["postgres"])
	p["administrator"] = cloud.PutSecret(tenant+"-admin", login(tenant+"_admin", "admin-password"))
	in := input(t, tenant, "postgres", p)
	apply(t, "postgres", in)
	if err := undo(in); err != nil {
		t.Errorf("Undo: %v: tenants on Amazon RDS cannot be removed", err)
	}
}

// TestPostgresHostileNames holds that no name breaks out of its quotes.
func TestPostgresHostileNames(t *testing.T) {
	for _, name := range []string{`a"; DROP DATABASE postgres; --`, `a'b\c Ä%s$$d`} {
		tenant := newTenant()
		p := maps.Clone(parameters()["postgres"])
		p["database"], p["role"] = tenant+name, tenant+name
		in := input(t, tenant, "postgres", p)
		out := apply(t, "postgres", in)
		connectAs(t, tenant+name, password(t, tenant), out["database"])
		if err := undo(in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "postgres", "pg_x", "template1", "rdsadmin", strings.Repeat("x", 64), "a\x00b"} {
		p := maps.Clone(parameters()["postgres"])
		p["database"] = name
		if _, err := newState().process(&network{}).kinds["postgres"].Apply(context.Background(), input(t, newTenant(), "postgres", p)); class(err) != step.Refused {
			t.Errorf("database %q: %v: a tenant gets a database that is not its own", name, err)
		}
	}
}

// TestPostgresTwoAtOnce runs two tries for one tenant side by side.
func TestPostgresTwoAtOnce(t *testing.T) {
	in := input(t, newTenant(), "postgres", parameters()["postgres"])
	s := newState()
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := converge(s.process(&network{}), "postgres", in)
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	conn := connectAs(t, in.Tenant, password(t, in.Tenant), in.Tenant+"_production")
	visits := 0
	if err := conn.QueryRow(context.Background(), "SELECT count(*) FROM visits").Scan(&visits); err != nil || visits != 1 {
		t.Errorf("the first content is there %d times, %v", visits, err)
	}
}

// TestPostgresIsolation holds that a tenant's role cannot enter another tenant's database.
func TestPostgresIsolation(t *testing.T) {
	a, b := newTenant(), newTenant()
	for _, tenant := range []string{a, b} {
		apply(t, "postgres", input(t, tenant, "postgres", parameters()["postgres"]))
	}
	admin := connectAs(t, server.User, server.Password, "postgres")
	may := true
	if err := admin.QueryRow(context.Background(), "SELECT has_database_privilege($1, $2, 'CONNECT')", a, b+"_production").Scan(&may); err != nil || may {
		t.Errorf("one tenant's role may connect to another's database: %t, %v", may, err)
	}
}

// TestPostgresSecrets looks for passwords in the server's log, which has every statement, and in errors.
func TestPostgresSecrets(t *testing.T) {
	tenant := newTenant()
	in := input(t, tenant, "postgres", parameters()["postgres"])
	out := apply(t, "postgres", in)
	secret := password(t, tenant)
	log, err := os.ReadFile(filepath.Join(server.Dir, "log"))
	if err != nil || !strings.Contains(string(log), "CREATE ROLE") {
		t.Fatalf("the server's log has no statements: %v", err)
	}
	sql(t, "ALTER ROLE "+tenant+" NOLOGIN")
	_, err = newState().process(&network{}).kinds["smoke"].Apply(context.Background(), input(t, tenant, "smoke", map[string]any{"database": out["secret"], "tls": "disable"}))
	if class(err) != step.Refused {
		t.Fatalf("log-in of a role that may not: %v", err)
	}
	for where, text := range map[string]string{"the server's log": string(log), "an error": fmt.Sprintf("%+v", err), "the outputs": fmt.Sprint(out)} {
		for _, s := range []string{secret, server.Password} {
			if strings.Contains(text, s) {
				t.Errorf("a password is in %s", where)
			}
		}
	}
}

func apply(t *testing.T, kind string, in step.Input) step.Outputs {
	t.Helper()
	out, err := converge(newState().process(&network{}), kind, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// undo undoes a step of kind postgres; the server may not have ended the last try's connection yet.
func undo(in step.Input) error {
	return persist(func() error {
		return newState().process(&network{}).kinds["postgres"].Undo(context.Background(), in)
	})
}

func sql(t *testing.T, statement string) {
	t.Helper()
	if _, err := connectAs(t, server.User, server.Password, "postgres").Exec(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}

func password(t *testing.T, tenant string) string {
	t.Helper()
	_, after, ok := strings.Cut(cloud.Secret("deployhooks/"+tenant+"/postgres"), `"password":"`)
	if !ok {
		t.Fatalf("tenant %s has no secret", tenant)
	}
	found, _, _ := strings.Cut(after, `"`)
	return found
}

// broken is the blueprint with another text of one file.
func broken(name, text string) fstest.MapFS {
	changed := maps.Clone(files)
	changed[name] = &fstest.MapFile{Data: []byte(text)}
	return changed
}
