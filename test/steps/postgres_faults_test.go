package steps

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"deployhooks/pkg/tenant/step"
)

// TestPostgresClasses raises errors of PostgreSQL in the first content: what passes is tried again.
func TestPostgresClasses(t *testing.T) {
	tenant := newTenant()
	in := input(t, tenant, "postgres", parameters()["postgres"])
	for code, c := range map[string]struct {
		class step.ErrorClass
		what  string
	}{
		"53100": {step.Transient, "the disk is full"},
		"53300": {step.Transient, "too many connections"},
		"25006": {step.Transient, "the server is read-only, as in a failover"},
		"XX000": {step.Transient, "an internal error, such as a tuple that is concurrently updated"},
		"57P01": {step.Transient, "the server is shut down"},
		"40001": {step.Transient, "a serialization failure"},
		"23505": {step.Refused, "a duplicate key"},
		"42501": {step.Refused, "no permission"},
	} {
		in.Files = broken("content.sql", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '"+code+"'; END $$")
		_, err := newState().process(&network{}).kinds["postgres"].Apply(context.Background(), in)
		for err != nil && strings.Contains(err.Error(), "another try") { // the server has not yet ended the last one's connection
			_, err = newState().process(&network{}).kinds["postgres"].Apply(context.Background(), in)
		}
		if class(err) != c.class {
			t.Errorf("%s, %s: %v: a launch is held for what passes, or tried in vain", code, c.what, err)
		}
	}
	in.Files = files
	apply(t, "postgres", in)
}

// TestPostgresReserved: only names that PostgreSQL or Amazon RDS keep for themselves are refused.
func TestPostgresReserved(t *testing.T) {
	for name, refused := range map[string]bool{
		"rds-consulting_production": false, "rdsco_production": false, "template-shop_production": false, "templates_staging": false, "public-affairs_production": false,
		"pg_shop": true, "rds_superuser": true, "rdsadmin": true, "template0": true, "none": true,
		strings.Repeat("x", 32) + "_" + strings.Repeat("y", 16): false,
	} {
		p := maps.Clone(parameters()["postgres"])
		p["database"], p["administrator"] = name, "no secret" // whose error is another one
		_, err := newState().process(&network{}).kinds["postgres"].Apply(context.Background(), input(t, newTenant(), "postgres", p))
		if got := err != nil && strings.Contains(err.Error(), "reserved"); got != refused {
			t.Errorf("database %s: %v: a launch is held for its tenant's name", name, err)
		}
	}
}

// TestPostgresUndoHalf: what a launch has made goes, and what is somebody else's stays.
func TestPostgresUndoHalf(t *testing.T) {
	ctx := context.Background()
	tenant := newTenant()
	in := input(t, tenant, "postgres", parameters()["postgres"])
	undo := func() {
		t.Helper()
		if err := persist(func() error { return newState().process(&network{}).kinds["postgres"].Undo(ctx, in) }); err != nil {
			t.Fatal(err)
		}
	}
	sql(t, "CREATE ROLE "+tenant)
	sql(t, "COMMENT ON ROLE "+tenant+" IS 'deployhooks "+tenant+" postgres'") // by a try that was killed here
	sql(t, "CREATE DATABASE "+tenant+"_production")
	undo()
	if got := databases(t, tenant); !slices.Equal(got, []string{"database " + tenant + "_production of postgres true"}) {
		t.Errorf("there is %q: a role that nobody uses any more may still log in, or somebody else's database is dropped", got)
	}
	sql(t, "DROP DATABASE "+tenant+"_production")
	foreign := `{"username":"somebody","password":"else"}`
	cloud.PutSecret("deployhooks/"+tenant+"/postgres", foreign)
	if _, err := converge(newState().process(&network{}), "postgres", in); class(err) != step.Refused {
		t.Errorf("somebody else's secret: %v", err)
	}
	undo()
	if cloud.Secret("deployhooks/"+tenant+"/postgres") != foreign {
		t.Error("a removal deletes somebody else's secret, without recovery")
	}
}

// TestPostgresDatabaseGone: a change of a tenant whose database has been dropped or left on another server does
// not go on with an empty one.
func TestPostgresDatabaseGone(t *testing.T) {
	tenant := newTenant()
	in := input(t, tenant, "postgres", parameters()["postgres"])
	in.Before = apply(t, "postgres", in)
	sql(t, "DROP DATABASE "+tenant+"_production")
	p := newState().process(&network{})
	if _, err := converge(p, "postgres", in); class(err) != step.Refused {
		t.Errorf("%v: the tenant's users find an empty site, and nobody knows that its data is gone", err)
	}
	if err := persist(func() error { return p.kinds["postgres"].Undo(context.Background(), in) }); err != nil || len(databases(t, tenant)) > 0 {
		t.Errorf("Undo: %v: what has no database cannot be removed", err)
	}
}

// TestPostgresContentTransactions: content that ends its transaction and begins another is refused.
func TestPostgresContentTransactions(t *testing.T) {
	in := input(t, newTenant(), "postgres", parameters()["postgres"])
	for _, text := range []string{"COMMIT; BEGIN;", "ROLLBACK; BEGIN;", "COMMIT;", "COMMIT AND CHAIN;"} {
		in.Files = broken("content.sql", "INSERT INTO visits VALUES (now()); "+text+" INSERT INTO visits VALUES (now());")
		_, err := converge(newState().process(&network{}), "postgres", in)
		if class(err) != step.Refused || !strings.Contains(err.Error(), "ends its transaction") {
			t.Errorf("%s %v: a try that is killed there leaves a half-filled database", text, err)
		}
	}
}

// TestPostgresLockLost has the administrator's connection end while a try migrates or fills: the
// server releases its lock, and a second try begins. It waits for the first, and both succeed.
func TestPostgresLockLost(t *testing.T) {
	for name, slow := range map[string]fstest.MapFS{
		"migrations": broken("migrations/00002_second.sql", "-- +goose Up\nSELECT pg_sleep(0.5);\nALTER TABLE pages ADD COLUMN body text;\nCREATE TABLE visits (at timestamptz);\n"),
		"content":    broken("content.sql", "SELECT pg_sleep(0.5); INSERT INTO pages VALUES ('/', 'x', 'y');"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			tenant := newTenant()
			in := input(t, tenant, "postgres", parameters()["postgres"])
			in.Files = slow
			s := newState()
			first := make(chan error)
			go func() {
				_, err := s.process(&network{}).kinds["postgres"].Apply(ctx, in)
				first <- err
			}()
			admin := connectAs(t, server.User, server.Password, "postgres")
			for sleeping := false; !sleeping; time.Sleep(5 * time.Millisecond) {
				if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep')", tenant+"_production").Scan(&sleeping); err != nil {
					t.Fatal(err)
				}
			}
			sql(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deployhooks' AND datname = 'postgres'")
			_, err := s.process(&network{}).kinds["postgres"].Apply(ctx, in)
			if class(err) != step.Transient && err != nil {
				t.Errorf("second try: %v: a launch that goes on is held", err)
			}
			if err := <-first; err != nil {
				t.Errorf("first try: %v: a launch is held", err)
			}
			apply(t, "postgres", in)
		})
	}
}
