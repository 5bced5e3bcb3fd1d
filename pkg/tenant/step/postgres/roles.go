package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"deployhooks/pkg/tenant/step"
)

// observed is what the server has.
type observed struct {
	role, database bool  // those of the step
	public         bool  // every role may connect to the database
	foreign        error // a role or database of this name is somebody else's
}

// owner is the comment of a role that a step has made.
func (s *session) owner() string { return "deployhooks " + s.in.Tenant + " " + s.in.Step }

// lock keeps a second try from working on the same database at once. The server releases it
// with the connection, however the try ends.
func (s *session) lock(ctx context.Context) error {
	return s.locked(s.admin.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", s.lockName()))
}

func (s *session) lockName() string { return "deployhooks " + s.Database }

// locked reads whether a lock was free.
func (s *session) locked(row interface{ Scan(...any) error }) error {
	var got bool
	if err := row.Scan(&got); err != nil {
		return fmt.Errorf("lock database %s: %w", s.Database, classified(err))
	}
	if !got {
		return &step.Error{Class: step.Transient, Err: fmt.Errorf("another try works on database %s", s.Database)}
	}
	return nil
}

// observe reads whose role and database are there. A role is known by its comment, which is
// written in one transaction with it; a database by its owner.
func (s *session) observe(ctx context.Context) (o observed, err error) {
	var comment, owner string
	err = s.admin.QueryRow(ctx, `
		SELECT r.oid IS NOT NULL, coalesce(shobj_description(r.oid, 'pg_authid'), ''),
		       d.oid IS NOT NULL, coalesce(pg_get_userbyid(d.datdba), ''),
		       coalesce(has_database_privilege('public', d.oid, 'CONNECT'), false)
		FROM (SELECT) AS one
		LEFT JOIN pg_roles r ON r.rolname = $1
		LEFT JOIN pg_database d ON d.datname = $2`, s.role(), s.Database).Scan(&o.role, &comment, &o.database, &owner, &o.public)
	if err != nil {
		return o, fmt.Errorf("look for database %s: %w", s.Database, classified(err))
	}
	foreign := ""
	switch {
	case o.role && comment != s.owner():
		foreign, o.role, o.database = "role "+s.role(), false, false // the role's database is not the step's either
	case o.database && owner != s.role():
		foreign, o.database = "database "+s.Database, false
	default:
		return o, nil
	}
	o.foreign = &step.Error{
		Class:  step.Conflict,
		Err:    fmt.Errorf("%s exists, and step %s of tenant %s has not made it", foreign, s.in.Step, s.in.Tenant),
		Remedy: "Drop or rename it if nothing uses it, or give the tenant's database another name; then retry.",
	}
	return o, nil
}

// createRole makes the role, its mark, and the administrator a member of it, which one that is no
// superuser must be to give it a database. A role that is there keeps its password.
func (s *session) createRole(ctx context.Context, o observed, password string) error {
	if o.role {
		return nil
	}
	v, err := verifier(password)
	if err != nil {
		return err
	}
	role := pgx.Identifier{s.role()}.Sanitize()
	err = pgx.BeginFunc(ctx, s.admin, func(tx pgx.Tx) error {
		for _, statement := range []string{
			"CREATE ROLE " + role + " LOGIN PASSWORD " + literal(v),
			"COMMENT ON ROLE " + role + " IS " + literal(s.owner()),
			"GRANT " + role + " TO CURRENT_USER",
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("create role %s: %w", s.role(), classified(err))
	}
	return nil
}

// createDatabase makes the database and closes it to all others. It copies template0: others may be
// connected to template1, which then cannot be copied.
func (s *session) createDatabase(ctx context.Context, o observed) error {
	name := pgx.Identifier{s.Database}.Sanitize()
	if !o.database {
		if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name+" OWNER "+pgx.Identifier{s.role()}.Sanitize()+" TEMPLATE template0"); err != nil {
			return fmt.Errorf("create database %s: %w", s.Database, classified(err))
		}
	}
	if !o.database || o.public {
		if _, err := s.admin.Exec(ctx, "REVOKE ALL ON DATABASE "+name+" FROM PUBLIC"); err != nil {
			return fmt.Errorf("close database %s to other roles: %w", s.Database, classified(err))
		}
	}
	return nil
}

// setPassword gives the role the password of its secret, which somebody has changed on one of both
// sides. It reports whether err is about that.
func (s *session) setPassword(ctx context.Context, password string, err error) (bool, error) {
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "28P01" { // invalid_password
		return false, nil
	}
	v, err := verifier(password)
	if err != nil {
		return true, err
	}
	if _, err := s.admin.Exec(ctx, "ALTER ROLE "+pgx.Identifier{s.role()}.Sanitize()+" LOGIN PASSWORD "+literal(v)); err != nil {
		return true, fmt.Errorf("set the password of role %s: %w", s.role(), classified(err))
	}
	return true, nil
}

// drop ends all connections to the database, and drops it and its role.
func (s *session) drop(ctx context.Context, o observed) error {
	if o.database {
		if _, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{s.Database}.Sanitize()+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop database %s: %w", s.Database, classified(err))
		}
	}
	if o.role {
		if _, err := s.admin.Exec(ctx, "DROP ROLE IF EXISTS "+pgx.Identifier{s.role()}.Sanitize()); err != nil {
			return fmt.Errorf("drop role %s: %w", s.role(), classified(err))
		}
	}
	return nil
}

// literal quotes a text without control characters and backslashes, of which ours have none.
func literal(text string) string {
	quoted := []byte{'\''}
	for _, c := range []byte(text) {
		if c == '\'' {
			quoted = append(quoted, c)
		}
		quoted = append(quoted, c)
	}
	return string(append(quoted, '\''))
}

// verifier is what the server stores of a password (SCRAM-SHA-256, RFC 5803 and "Password
// Authentication", PostgreSQL documentation). The password itself never reaches the server's log.
func verifier(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a password's verifier: %w", err)
	}
	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sum(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(sum(salted, "Server Key"))), nil
}
