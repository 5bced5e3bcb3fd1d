// Package postgres is the step that gives a tenant a PostgreSQL database: a role with a generated
// secret, a database that only this role can use, migrations, and the first content of a new one.
//
// A try holds an advisory lock of the server, so that two of them never work on one database
// at once. What is there is made anew by nothing: a role, a secret and complete content are kept
// as they are, and what is half done is completed.
package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"deployhooks/pkg/tenant/step"
)

// Kind is the kind of step.
type Kind struct {
	secrets Secrets
	dial    pgconn.DialFunc
}

// New returns the kind. Dial connects to the servers; nil is by the system.
func New(s Secrets, dial pgconn.DialFunc) *Kind { return &Kind{s, dial} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Check compares what the server has with what is wanted.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	s, err := k.begin(ctx, in)
	if err != nil {
		return "", err
	}
	defer s.close()
	found, err := s.observe(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case found.foreign != nil:
		return "", found.foreign
	case !found.role && !found.database:
		return step.Absent, nil
	case !found.role || !found.database || found.public:
		return step.Drifted, nil
	}
	complete, err := s.complete(ctx)
	if err != nil || complete {
		return step.Present, err
	}
	return step.Drifted, nil
}

// Apply creates what is missing, migrates, and fills a database whose first content is not complete.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	s, err := k.begin(ctx, in)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if was := in.Before["database"]; was != "" && was != s.Database {
		return nil, step.Refuse(fmt.Errorf("database of step %s was %s and would be %s", in.Step, was, s.Database), "Keep the name: the tenant's data is in that database.")
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	found, err := s.observe(ctx)
	if err != nil || found.foreign != nil {
		return nil, errors.Join(err, found.foreign)
	}
	arn, login, err := s.secret(ctx, found)
	if err != nil {
		return nil, err
	}
	if err := s.createRole(ctx, found, login.Password); err != nil {
		return nil, err
	}
	if err := s.createDatabase(ctx, found); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, login); err != nil {
		return nil, err
	}
	return step.Outputs{"host": login.Host, "port": login.Port.String(), "database": s.Database, "role": s.role(), "secret": arn}, nil
}

// Undo ends all connections to the database and drops it, the role and the secret. Somebody else's
// of the same name stay.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	s, err := k.begin(ctx, in)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.lock(ctx); err != nil {
		return err
	}
	found, err := s.observe(ctx)
	if err != nil {
		return err
	}
	if err := s.drop(ctx, found); err != nil {
		return err
	}
	return s.deleteSecret(ctx)
}
