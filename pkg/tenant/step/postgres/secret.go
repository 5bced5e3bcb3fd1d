package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"deployhooks/pkg/tenant/step"
)

// Secrets is what the step asks Secrets Manager.
type Secrets interface {
	Reader
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// Reader reads secrets.
type Reader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// ReadLogin reads a login from a secret. No error repeats what is in it.
func ReadLogin(ctx context.Context, secrets Reader, id string) (Login, error) {
	out, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return Login{}, fmt.Errorf("read secret %s: %w", id, err)
	}
	var l Login
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &l) != nil || l.Username == "" || l.Password == "" {
		return Login{}, step.Refuse(fmt.Errorf("secret %s is no login", id), "Store JSON with username and password in it.")
	}
	return l, nil
}

// errForeignSecret is a secret that is no login of the step's role and database.
var errForeignSecret = errors.New("is not the login of the step's role")

// secret returns the tenant's login, generated if there is none. It is only called under the lock, and
// before the role is made: a password that was generated is never lost.
func (s *session) secret(ctx context.Context, o observed) (arn string, l Login, err error) {
	arn, l, err = s.readSecret(ctx)
	switch {
	case err == nil && !o.database && s.in.Before["database"] != "":
		return "", l, step.Refuse(fmt.Errorf("database %s, which was complete, is not on server %s any more", s.Database, s.server.Host),
			"Restore it; or delete secret "+s.secretN+" to go on with an empty database.")
	case err == nil || !missing(err):
		return arn, l, err
	}
	l = Login{Engine: "postgres", Host: s.server.Host, Port: s.server.Port, Database: s.Database, Username: s.role(), Password: rand.Text()}
	text, err := json.Marshal(l)
	if err != nil {
		return "", l, fmt.Errorf("encode secret %s: %w", s.secretN, err)
	}
	// The SDK sends the same ClientRequestToken with each of its tries, so that one whose answer was
	// lost is made once (CreateSecret, "ClientRequestToken").
	out, err := s.kind.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &s.secretN, SecretString: aws.String(string(text)),
		Description: aws.String("Login of database " + s.Database),
		Tags:        []types.Tag{{Key: aws.String("deployhooks:tenant"), Value: &s.in.Tenant}},
	})
	var exists *types.ResourceExistsException
	switch {
	case errors.As(err, &exists):
		return s.readSecret(ctx)
	case err != nil:
		return "", l, fmt.Errorf("create secret %s: %w", s.secretN, deleting(err))
	}
	return aws.ToString(out.ARN), l, nil
}

func (s *session) readSecret(ctx context.Context) (string, Login, error) {
	out, err := s.kind.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.secretN})
	if err != nil {
		return "", Login{}, fmt.Errorf("read secret %s: %w", s.secretN, deleting(err))
	}
	var l Login
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &l) != nil || l.Password == "" || l.Username != s.role() || l.Database != s.Database {
		return "", Login{}, step.Refuse(fmt.Errorf("secret %s %w", s.secretN, errForeignSecret), "Restore its earlier version, or delete it: the next try generates a new one.")
	}
	l.Host, l.Port = s.server.Host, s.server.Port
	return aws.ToString(out.ARN), l, nil
}

// deleteSecret deletes the secret at once: it opens nothing without its database, and a launch of the
// same name need not wait for the end of a recovery window. Somebody else's stays.
func (s *session) deleteSecret(ctx context.Context) error {
	_, _, err := s.readSecret(ctx)
	var scheduled *types.InvalidRequestException // for deletion, which is hastened
	switch {
	case missing(err), errors.Is(err, errForeignSecret):
		return nil
	case err != nil && !errors.As(err, &scheduled):
		return err
	}
	_, err = s.kind.secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &s.secretN, ForceDeleteWithoutRecovery: aws.Bool(true)})
	if err != nil && !missing(err) {
		return fmt.Errorf("delete secret %s: %w", s.secretN, deleting(err))
	}
	return nil
}

func missing(err error) bool {
	var none *types.ResourceNotFoundException
	return errors.As(err, &none)
}

// deleting marks the error of a secret whose deletion is under way: it takes a while, also without a
// recovery window (DeleteSecret).
func deleting(err error) error {
	var invalid *types.InvalidRequestException
	if errors.As(err, &invalid) {
		return &step.Error{Class: step.Transient, Err: err, Remedy: "If the secret is scheduled for deletion, restore it."}
	}
	return err
}
