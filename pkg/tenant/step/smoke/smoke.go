// Package smoke is the step that checks what a tenant's users will meet, as a tester would by
// clicking through it.
package smoke

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/postgres"
)

// Identities is what the step asks Amazon SES.
type Identities interface {
	GetEmailIdentity(context.Context, *sesv2.GetEmailIdentityInput, ...func(*sesv2.Options)) (*sesv2.GetEmailIdentityOutput, error)
}

// Resolver looks hosts up; it is net.DefaultResolver.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// Clients are what the step works with.
type Clients struct {
	Resolver   Resolver
	Web        Doer // verifies certificates
	Identities Identities
	Secrets    postgres.Reader
	Dial       pgconn.DialFunc // to databases; nil is by the system
}

// Kind is the kind of step.
type Kind struct{ clients Clients }

// New returns the kind.
func New(c Clients) *Kind { return &Kind{c} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// Check finds nothing: what was right at the last try may not be now.
func (*Kind) Check(context.Context, step.Input) (step.State, error) { return step.Absent, nil }

// Undo does nothing: checks leave nothing behind.
func (*Kind) Undo(context.Context, step.Input) error { return nil }

// check is one check: what it is about, and what is wrong.
type check struct {
	name string
	run  func(context.Context) error
}

// Apply makes all checks at once. Its error has a line for each that failed; it is [step.NotYet]
// unless one of them will not pass by itself.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, err
	}
	checks := k.checks(p, in)
	faults := make([]error, len(checks))
	var all errgroup.Group
	for i, c := range checks {
		all.Go(func() error {
			if err := c.run(ctx); err != nil {
				faults[i] = fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		})
	}
	_ = all.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, &step.Error{Class: class(faults), Err: err, Remedy: remedy(faults)}
	}
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return step.Outputs{"checks": strings.Join(names, "\n")}, nil
}

// refused is a fault that will not pass by itself.
func refused(err error) bool {
	var e *step.Error
	return errors.As(err, &e) && e.Class == step.Refused
}

func class(faults []error) step.ErrorClass {
	for _, err := range faults {
		if refused(err) {
			return step.Refused
		}
	}
	return step.NotYet
}

func remedy(faults []error) string {
	var e *step.Error
	for _, err := range faults {
		if refused(err) && errors.As(err, &e) {
			return e.Remedy
		}
	}
	return ""
}

// checks are those that the parameters ask for. Each is a line of a fault.
func (k *Kind) checks(p Parameters, in step.Input) []check {
	var all []check
	if p.URL != "" {
		all = append(all,
			check{"DNS of " + p.URL, func(ctx context.Context) error { return k.resolve(ctx, p.URL) }},
			check{"log-in page " + p.URL, func(ctx context.Context) error { return k.page(ctx, p.URL, p.Title) }})
	}
	if p.Branding != "" {
		all = append(all, check{"branding " + p.Branding, func(ctx context.Context) error { return k.palette(ctx, p.Branding) }})
	}
	if p.Identity != "" {
		all = append(all, check{"mail identity " + p.Identity, func(ctx context.Context) error { return k.identity(ctx, p.Identity) }})
	}
	if p.Database != "" {
		all = append(all, check{"database log-in", func(ctx context.Context) error { return k.database(ctx, p, in) }})
	}
	return all
}

func (k *Kind) identity(ctx context.Context, domain string) error {
	out, err := k.clients.Identities.GetEmailIdentity(ctx, &sesv2.GetEmailIdentityInput{EmailIdentity: &domain})
	if err != nil {
		return err
	}
	if !out.VerifiedForSendingStatus {
		return fmt.Errorf("is not verified: DKIM is %s", dkim(out))
	}
	return nil
}

func dkim(out *sesv2.GetEmailIdentityOutput) string {
	if out.DkimAttributes == nil || out.DkimAttributes.Status == "" {
		return "NOT_STARTED"
	}
	return string(out.DkimAttributes.Status)
}

func (k *Kind) database(ctx context.Context, p Parameters, in step.Input) error {
	login, err := postgres.ReadLogin(ctx, k.clients.Secrets, p.Database)
	if err != nil {
		return err
	}
	encryption, err := postgres.TLS(p.TLS, p.CA, login.Host, in.Files)
	if err != nil {
		return err
	}
	return postgres.LogIn(ctx, login, encryption, k.clients.Dial)
}
