package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"deployhooks/pkg/tenant/step"
)

// The completion marker is in a table beside the tenant's own, as goose's versions are.
const (
	hasMarkerTable = `SELECT to_regclass('public.deployhooks_content') IS NOT NULL`
	createMarker   = `CREATE TABLE IF NOT EXISTS public.deployhooks_content (step text PRIMARY KEY, completed timestamptz NOT NULL DEFAULT now())`
	hasMarker      = `SELECT EXISTS (SELECT FROM public.deployhooks_content WHERE step = $1)`
	writeMarker    = `INSERT INTO public.deployhooks_content (step) VALUES ($1)`
)

// complete reports whether the role of the secret can log in to a database with all migrations and its
// first content.
func (s *session) complete(ctx context.Context) (bool, error) {
	_, login, err := s.readSecret(ctx)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	conn, err := connect(ctx, login, s.tls, s.kind.dial)
	if err != nil {
		err = fmt.Errorf("log in to database %s: %w", s.Database, classified(err))
		if step.ClassOf(err) == step.Refused { // a password of its own: Apply corrects it
			return false, nil
		}
		return false, err
	}
	defer closeConn(conn)
	if done, err := s.marked(ctx, conn); err != nil || !done {
		return false, err
	}
	pending := false
	err = s.migrations(login, func(p *goose.Provider, _ fs.FS) error {
		pending, err = p.HasPending(ctx)
		return err
	})
	return !pending, err
}

// fill logs in as the role, runs the migrations and, in a database that is not complete, the first
// content.
func (s *session) fill(ctx context.Context, login Login) error {
	conn, err := connect(ctx, login, s.tls, s.kind.dial)
	if wrong, fault := s.setPassword(ctx, login.Password, err); fault != nil {
		return fault
	} else if wrong {
		conn, err = connect(ctx, login, s.tls, s.kind.dial)
	}
	if err != nil {
		return fmt.Errorf("log in to database %s: %w", s.Database, classified(err))
	}
	defer closeConn(conn)
	sums, err := s.migrate(ctx, conn, login)
	if err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return s.finish(ctx, tx, sums) }); err != nil {
		return fmt.Errorf("fill database %s: %w", s.Database, classified(err))
	}
	return nil
}

// querier is a connection or a transaction on it.
type querier interface {
	QueryRow(ctx context.Context, query string, arguments ...any) pgx.Row
}

func (s *session) marked(ctx context.Context, conn querier) (done bool, err error) {
	if err = conn.QueryRow(ctx, hasMarkerTable).Scan(&done); err == nil && done {
		err = conn.QueryRow(ctx, hasMarker, s.in.Step).Scan(&done)
	}
	if err != nil {
		return false, fmt.Errorf("read the marker of database %s: %w", s.Database, classified(err))
	}
	return done, nil
}

// finish records what the migrations and the first content have made, in one transaction with a lock like
// that of the migrations.
func (s *session) finish(ctx context.Context, tx pgx.Tx, sums checksums) error {
	if err := s.locked(tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", s.lockName())); err != nil {
		return err
	}
	if err := sums.write(ctx, tx); err != nil {
		return err
	}
	return s.content(ctx, tx)
}

// content runs the first content and writes the marker, unless it is there. The values of the
// settings are those of the transaction, never a part of the SQL.
func (s *session) content(ctx context.Context, tx pgx.Tx) error {
	if done, err := s.marked(ctx, tx); err != nil || done {
		return err
	}
	if _, err := tx.Exec(ctx, createMarker); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		if _, err := tx.Exec(ctx, "SELECT set_config($1, $2, true)", "tenant."+name, s.Settings[name]); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if s.Content != "" {
		if err := s.runContent(ctx, tx); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, writeMarker, s.in.Step)
	return err
}

// runContent runs the file, and refuses one that ends the transaction: a setting of the transaction ends
// with it, even if the file begins another.
func (s *session) runContent(ctx context.Context, tx pgx.Tx) error {
	text, err := fs.ReadFile(s.in.Files, path.Clean(s.Content))
	if err != nil {
		return step.Refuse(fmt.Errorf("read the first content: %w", err), "Correct the file in the blueprint.")
	}
	if _, err := tx.Exec(ctx, "SELECT set_config('deployhooks.filling', 'yes', true)"); err != nil {
		return err
	}
	if _, err := tx.Conn().PgConn().Exec(ctx, string(text)).ReadAll(); err != nil {
		return fmt.Errorf("%s: %w", s.Content, err)
	}
	whole := false
	if err := tx.QueryRow(ctx, "SELECT coalesce(current_setting('deployhooks.filling', true), '') = 'yes'").Scan(&whole); err != nil {
		return err
	}
	if !whole {
		return step.Refuse(errors.New(s.Content+" ends its transaction"), "Remove COMMIT and ROLLBACK from the file: it runs in one transaction with the marker that says that it is complete.")
	}
	return nil
}
