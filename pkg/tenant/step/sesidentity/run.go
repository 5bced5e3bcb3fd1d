package sesidentity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"deployhooks/pkg/tenant/step"
)

// Identities is what the step asks Amazon SES.
type Identities interface {
	CreateEmailIdentity(context.Context, *sesv2.CreateEmailIdentityInput, ...func(*sesv2.Options)) (*sesv2.CreateEmailIdentityOutput, error)
	GetEmailIdentity(context.Context, *sesv2.GetEmailIdentityInput, ...func(*sesv2.Options)) (*sesv2.GetEmailIdentityOutput, error)
	DeleteEmailIdentity(context.Context, *sesv2.DeleteEmailIdentityInput, ...func(*sesv2.Options)) (*sesv2.DeleteEmailIdentityOutput, error)
}

// Kind is the kind of step.
type Kind struct{ identities Identities }

// New returns the kind.
func New(i Identities) *Kind { return &Kind{i} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// tag is the tag of an identity with its owner.
const tag = "deployhooks:tenant"

// Check looks for the identity. One that has been verified since the last Apply has drifted: its sender
// is no longer the fallback.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return "", err
	}
	found, err := k.find(ctx, in, p.Domain)
	switch {
	case err != nil:
		return "", err
	case found == nil:
		return step.Absent, nil
	case former(in, p) != "" || in.Before["sender"] != sender(p, found):
		return step.Drifted, nil
	}
	return step.Present, nil
}

// Apply creates the identity. It does not wait until SES has verified it, which needs the DNS
// records that are its outputs.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return nil, err
	}
	found, err := k.find(ctx, in, p.Domain)
	if err != nil {
		return nil, err
	}
	if found == nil {
		if found, err = k.create(ctx, in, p.Domain); err != nil {
			return nil, err
		}
	}
	if was := former(in, p); was != "" {
		if err := k.remove(ctx, in, was); err != nil {
			return nil, err
		}
	}
	out := step.Outputs{"identity": p.Domain, "sender": sender(p, found)}
	if found.DkimAttributes == nil || len(found.DkimAttributes.Tokens) != 3 {
		return nil, &step.Error{Class: step.NotYet, Err: fmt.Errorf("SES has no DKIM tokens for %s yet", p.Domain)}
	}
	for n, token := range found.DkimAttributes.Tokens {
		// "Easy DKIM in Amazon SES", Amazon SES Developer Guide. The zone differs by region.
		zone := cmp.Or(aws.ToString(found.DkimAttributes.SigningHostedZone), "dkim.amazonses.com")
		out["dkim"+strconv.Itoa(n+1)] = fmt.Sprintf("%s._domainkey.%s CNAME %s.%s", token, p.Domain, token, zone)
	}
	return out, nil
}

// Undo deletes the identity.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	p, err := step.Parameters[Parameters](in)
	if err != nil {
		return err
	}
	err = k.remove(ctx, in, p.Domain)
	if was := former(in, p); was != "" {
		err = errors.Join(err, k.remove(ctx, in, was))
	}
	return err
}

// former is the domain of the last Apply, if it is another one.
func former(in step.Input, p Parameters) string {
	if was := in.Before["identity"]; was != p.Domain {
		return was
	}
	return ""
}

func sender(p Parameters, found *sesv2.GetEmailIdentityOutput) string {
	if p.Fallback != "" && !found.VerifiedForSendingStatus {
		return p.Fallback
	}
	return cmp.Or(p.Sender, "noreply@"+p.Domain)
}

// find returns the tenant's identity, nil for none. Somebody else's is a conflict.
func (k *Kind) find(ctx context.Context, in step.Input, domain string) (*sesv2.GetEmailIdentityOutput, error) {
	out, err := k.identities.GetEmailIdentity(ctx, &sesv2.GetEmailIdentityInput{EmailIdentity: &domain})
	var none *types.NotFoundException
	switch {
	case errors.As(err, &none):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read SES identity %s: %w", domain, err)
	case !slices.ContainsFunc(out.Tags, func(t types.Tag) bool { return aws.ToString(t.Key) == tag && aws.ToString(t.Value) == in.Tenant }):
		return nil, &step.Error{
			Class:  step.Conflict,
			Err:    fmt.Errorf("SES identity %s exists, and is not that of tenant %s", domain, in.Tenant),
			Remedy: "Give the tenant another domain, or tag the identity with " + tag + " = " + in.Tenant + " if it is the tenant's.",
		}
	}
	return out, nil
}

// create makes the identity and reads it back: the first call may have taken effect before.
func (k *Kind) create(ctx context.Context, in step.Input, domain string) (*sesv2.GetEmailIdentityOutput, error) {
	_, err := k.identities.CreateEmailIdentity(ctx, &sesv2.CreateEmailIdentityInput{
		EmailIdentity: &domain, Tags: []types.Tag{{Key: aws.String(tag), Value: &in.Tenant}},
	})
	var exists *types.AlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return nil, fmt.Errorf("create SES identity %s: %w", domain, err)
	}
	found, err := k.find(ctx, in, domain)
	if err == nil && found == nil {
		err = &step.Error{Class: step.Transient, Err: fmt.Errorf("SES identity %s was created and is not found", domain)}
	}
	return found, err
}

// remove deletes an identity of the tenant. Somebody else's stays.
func (k *Kind) remove(ctx context.Context, in step.Input, domain string) error {
	found, err := k.find(ctx, in, domain)
	if err != nil && step.ClassOf(err) != step.Conflict {
		return err
	}
	if found == nil {
		return nil
	}
	_, err = k.identities.DeleteEmailIdentity(ctx, &sesv2.DeleteEmailIdentityInput{EmailIdentity: &domain})
	var none *types.NotFoundException
	if err != nil && !errors.As(err, &none) {
		return fmt.Errorf("delete SES identity %s: %w", domain, err)
	}
	return nil
}
