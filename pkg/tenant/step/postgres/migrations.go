package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"deployhooks/pkg/tenant/step"
)

// The checksums of the migrations that a database has are in a table beside goose's versions, which do
// not show that a file was edited after it ran: goose would skip it, and the tenants' schemas would differ.
const (
	hasSums    = `SELECT to_regclass('public.deployhooks_migrations') IS NOT NULL`
	createSums = `CREATE TABLE IF NOT EXISTS public.deployhooks_migrations (version bigint PRIMARY KEY, sha256 text NOT NULL)`
	editedSums = `SELECT coalesce(string_agg(version::text, ', ' ORDER BY version), '') FROM public.deployhooks_migrations AS ran
		JOIN unnest($1::bigint[], $2::text[]) AS files (version, sha256) USING (version) WHERE ran.sha256 <> files.sha256`
	writeSums = `INSERT INTO public.deployhooks_migrations SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT DO NOTHING`
)

// checksums are those of the blueprint's migrations, by the same index.
type checksums struct {
	versions []int64
	sums     []string // SHA-256, in hexadecimal
}

// migrate runs the migrations, unless one that ran before was edited since. It returns the
// checksums of all.
func (s *session) migrate(ctx context.Context, conn *pgx.Conn, login Login) (sums checksums, err error) {
	err = s.migrations(login, func(p *goose.Provider, files fs.FS) error {
		for _, m := range p.ListSources() {
			text, err := fs.ReadFile(files, m.Path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(text)
			sums.versions, sums.sums = append(sums.versions, m.Version), append(sums.sums, hex.EncodeToString(sum[:]))
		}
		if err := sums.check(ctx, conn); err != nil {
			return err
		}
		_, err := p.Up(ctx)
		return err
	})
	return sums, err
}

// check refuses migrations that were edited after they ran.
func (c checksums) check(ctx context.Context, conn querier) error {
	var known bool
	if err := conn.QueryRow(ctx, hasSums).Scan(&known); err != nil || !known {
		return err
	}
	var edited string
	if err := conn.QueryRow(ctx, editedSums, c.versions, c.sums).Scan(&edited); err != nil || edited == "" {
		return err
	}
	return step.Refuse(fmt.Errorf("edited after they ran: versions %s", edited),
		"Restore the files in the blueprint, and put what is new into another migration. If the schema already is as the edited files say, delete the rows of these versions from public.deployhooks_migrations.")
}

// write records the checksums of migrations that ran for the first time.
func (c checksums) write(ctx context.Context, tx pgx.Tx) error {
	if len(c.versions) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, createSums)
	if err == nil {
		_, err = tx.Exec(ctx, writeSums, c.versions, c.sums)
	}
	return err
}

// migrations calls do with the migrations of the blueprint, if there are any.
func (s *session) migrations(login Login, do func(*goose.Provider, fs.FS) error) error {
	if s.Migrations == "" {
		return nil
	}
	files, err := fs.Sub(s.in.Files, path.Clean(s.Migrations))
	if err != nil {
		return step.Refuse(err, "Correct the folder of migrations in the blueprint.")
	}
	config, err := configuration(login, s.tls, s.kind.dial)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(migrationLock{s}))
	if err != nil {
		return step.Refuse(fmt.Errorf("read migrations %s: %w", s.Migrations, err), "Correct the migrations in the blueprint.")
	}
	if err := do(p, files); err != nil {
		return fmt.Errorf("migrate database %s: %w", s.Database, classified(err))
	}
	return nil
}

// migrationLock keeps a second try from migrating at once: the server releases the try's own lock when the
// administrator's connection is lost, which is idle meanwhile.
type migrationLock struct{ *session }

func (l migrationLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	return l.locked(conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", l.lockName()))
}

func (l migrationLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock(hashtextextended($1, 0))", l.lockName())
	return err
}
