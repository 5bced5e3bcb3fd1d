package dns

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"deployhooks/pkg/tenant/step"
)

// Secrets is what the step asks Secrets Manager: the API token of Cloudflare.
type Secrets interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Clients are what the step works with.
type Clients struct {
	Route53 Route53
	Secrets Secrets
	// Cloudflare sends the requests to CloudflareURL; empty is Cloudflare's own address.
	Cloudflare    HTTPClient
	CloudflareURL string
}

// zone is the zone that the parameters name.
func (c Clients) zone(ctx context.Context, p Parameters) (Zone, error) {
	if p.Provider == "route53" {
		return route53Zone{c.Route53, p.Zone}, nil
	}
	secret, err := c.Secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &p.Token})
	if err != nil {
		return nil, fmt.Errorf("read Cloudflare's token from secret %s: %w", p.Token, err)
	}
	if aws.ToString(secret.SecretString) == "" {
		return nil, step.Refuse(fmt.Errorf("secret %s is empty", p.Token), "Store an API token of Cloudflare in it, as plain text.")
	}
	return newCloudflareZone(c, p.Zone, *secret.SecretString), nil
}
