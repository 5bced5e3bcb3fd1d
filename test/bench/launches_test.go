package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/errgroup"

	"deployhooks/events"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/clouds"
	"deployhooks/test/harness/tenants"
	"deployhooks/test/postgres"
)

const (
	launchesAtOnce = 200
	// databasesAtOnce bounds the connections to the server, as the concurrency of a
	// Lambda function does: three for each task.
	databasesAtOnce = 64
)

// TestLaunchesAtOnce launches 200 tenants of the shipped example at once with a real PostgreSQL,
// and has the same SQL run by hand in a loop on another server before. It takes minutes, so
// only `make bench` plays it.
func TestLaunchesAtOnce(t *testing.T) {
	if *reportFile == "" {
		t.Skip("without -report")
	}
	r := &recorder{}
	h, err := tenants.Start(t.Context(), t.TempDir(), tenants.Options{Databases: databasesAtOnce, OnTry: r.add})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	byHand := launchByHand(t, h.Blueprint)
	alone := launch(t, h, "alone-0")
	engine := alone - r.path(h.Blueprint, "alone-0")
	before, asked := h.Store.Calls.Load(), calls(h.Clouds)
	names := make([]string, launchesAtOnce)
	for i := range names {
		names[i] = fmt.Sprintf("many-%d", i)
	}
	took := launch(t, h, names...)
	each := func(n int64) float64 { return float64(n) / launchesAtOnce }
	report(
		figure{"tenant.launchesAMinute", perMinute(took), "launches a minute, 200 at once", 0, perMinute(byHand)},
		figure{"tenant.launchAlone", alone.Seconds(), "s, on this machine", 0, 0},
		figure{"tenant.engineAlone", engine.Seconds() * 1000, "ms of it", 0, 0},
		figure{"tenant.registryCalls.200", each(h.Store.Calls.Load() - before), "calls a launch", 0, 0},
		figure{"tenant.otherCalls.200", each(int64(calls(h.Clouds) - asked)), "calls a launch to other services", 0, 0},
	)
}

// perMinute is how many launches a minute 200 are in so much time.
func perMinute(took time.Duration) float64 { return launchesAtOnce / took.Minutes() }

// calls are those of all services but the database.
func calls(c *clouds.Clouds) (n int) {
	for _, service := range []string{clouds.SecretsManager, clouds.SES, clouds.S3, clouds.Cloudflare} {
		n += c.Calls(service)
	}
	return n
}

// recorder keeps the tries of steps.
type recorder struct {
	mu    sync.Mutex
	tries []tenants.Try
}

func (r *recorder) add(t tenants.Try) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries = append(r.tries, t)
}

// path is how long the critical path of a tenant's launch took in the kinds of its steps: what a
// launch would take with an engine that takes no time.
func (r *recorder) path(b *blueprint.Blueprint, tenant string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	measured := append([]blueprint.Step{}, b.Steps...)
	for i := range measured {
		measured[i].Policy.Expected = 0
		for _, t := range r.tries {
			if t.Tenant == tenant && t.Step == measured[i].Name {
				measured[i].Policy.Expected += t.To.Sub(t.From)
			}
		}
	}
	_, took := workflow.CriticalPath(measured)
	return took
}

// launch launches tenants from recorded messages, ten to a batch, and returns how long it took
// until the last one was active.
func launch(t *testing.T, h *tenants.Tenants, names ...string) time.Duration {
	t.Helper()
	began := time.Now()
	var batches errgroup.Group
	for from := 0; from < len(names); from += 10 {
		batches.Go(func() error {
			payload, err := batch(names[from:min(from+10, len(names))])
			if err != nil {
				return err
			}
			answer, err := h.Intake.Invoke(context.Background(), payload)
			if err == nil && string(answer) != `{"batchItemFailures":[]}` {
				err = fmt.Errorf("intake answers %s", answer)
			}
			return err
		})
	}
	if err := batches.Wait(); err != nil {
		t.Fatal(err)
	}
	h.Runner.Wait()
	took := time.Since(began)
	for _, name := range names {
		v, err := h.Registry.View(t.Context(), name)
		if err != nil || v.Tenant.State != registry.Active {
			t.Fatalf("%v, tenant %s is %q: the figures are of something else", err, name, v.Tenant.State)
		}
	}
	return took
}

// batch is a batch of the queue with the recorded message for each tenant.
func batch(names []string) ([]byte, error) {
	text, err := events.Read("portal-sqs-sns-launch")
	if err != nil {
		return nil, err
	}
	var records []json.RawMessage
	for i, name := range names {
		var recorded struct{ Records []map[string]any }
		if err := json.Unmarshal(text, &recorded); err != nil {
			return nil, err
		}
		record := recorded.Records[0]
		body, _ := record["body"].(string)
		record["body"] = strings.NewReplacer("order-1001", name, `\"acme\"`, `\"`+name+`\"`).Replace(body)
		record["messageId"] = fmt.Sprint(i)
		text, err := json.Marshal(record)
		if err != nil {
			return nil, err
		}
		records = append(records, text)
	}
	return json.Marshal(map[string]any{"Records": records})
}

// launchByHand runs the SQL of as many launches one after another on a server of its own, and
// returns how long it took: no other service, no checks, nothing kept.
func launchByHand(t *testing.T, b *blueprint.Blueprint) time.Duration {
	t.Helper()
	server, err := postgres.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	files, err := b.FS()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for n := range launchesAtOnce {
		for _, environment := range []string{"production", "staging"} {
			if err := createByHand(t.Context(), server, files, fmt.Sprintf("hand%d_%s", n, environment)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return time.Since(began)
}

// createByHand creates a role and a database of this name, migrates it and fills it.
func createByHand(ctx context.Context, server *postgres.Server, files fs.FS, name string) error {
	address := func(user, password, database string) string {
		return fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable&default_query_exec_mode=exec", user, password, server.Host, server.Port, database)
	}
	const password = "by-hand"
	err := inDatabase(ctx, address(server.User, server.Password, "postgres"), func(c *pgx.Conn) error {
		for _, statement := range []string{
			"CREATE ROLE " + name + " LOGIN PASSWORD '" + password + "'",
			"COMMENT ON ROLE " + name + " IS 'by hand'",
			"GRANT " + name + " TO CURRENT_USER",
			"CREATE DATABASE " + name + " OWNER " + name + " TEMPLATE template0",
			"REVOKE ALL ON DATABASE " + name + " FROM PUBLIC",
		} {
			if _, err := c.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return inDatabase(ctx, address(name, password, name), func(c *pgx.Conn) error {
		if err := migrateByHand(ctx, c.Config(), files); err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			for _, setting := range []string{"title", "locale", "owner", "booking"} {
				if _, err := tx.Exec(ctx, "SELECT set_config($1, $2, true)", "tenant."+setting, name); err != nil {
					return err
				}
			}
			content, err := fs.ReadFile(files, "database/content.sql")
			if err != nil {
				return err
			}
			_, err = tx.Conn().PgConn().Exec(ctx, string(content)).ReadAll()
			return err
		})
	})
}

func inDatabase(ctx context.Context, address string, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	return do(c)
}

func migrateByHand(ctx context.Context, config *pgx.ConnConfig, files fs.FS) error {
	migrations, err := fs.Sub(files, "database/migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
