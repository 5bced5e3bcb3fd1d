package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/infra/config"
	"deployhooks/pkg/tenant/blueprint/example"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/step/postgres"
	postgresql "deployhooks/test/postgres"
)

// tenant is launched, changed and removed; stranger is one whose request is bad.
const (
	tenant   = "acme"
	stranger = "globex"
)

// hosts are the tenant's, by environment.
var hosts = map[string]string{"production": tenant + "." + domain, "staging": tenant + "-staging." + domain}

// secretOf is the name of the secret with the login to the database of an environment.
func secretOf(environment string) string {
	return "deployhooks/" + tenant + "/database-" + environment
}

// tenants are what tenants of the shipped blueprint need beside the stack: a database
// server, a hosted zone, a verified mail domain, and something that serves their pages.
type tenants struct {
	pages     *pages
	server    *postgresql.Server
	folder    string // of the server, which has a user of its own
	cloud     *cloud
	zone      string
	admin     string            // ARN of the secret of the server's administrator
	blueprint string            // its folder
	before    map[string]string // versions of the tenant's objects before a change
}

// startTenants starts what runs on this machine.
func startTenants(ctx context.Context, w *runner) (*tenants, string, error) {
	t := &tenants{blueprint: filepath.Join(w.tmp, "blueprint")}
	var err error
	if t.pages, err = startPages(w.tmp); err != nil {
		return nil, "", err
	}
	if t.folder, err = os.MkdirTemp("", "deployhooks-e2e-"); err == nil {
		t.server, err = postgresql.Start(ctx, t.folder)
	}
	if err != nil {
		t.close()
		return nil, "", err
	}
	return t, fmt.Sprintf("PostgreSQL on port %d, pages at %s", t.server.Port, t.pages.server.URL), nil
}

func (t *tenants) close() {
	t.pages.server.Close()
	if t.server != nil {
		_ = t.server.Stop()
	}
	_ = os.RemoveAll(t.folder)
}

// prepare makes what a platform engineer has before the first tenant, and a blueprint
// that names it.
func (t *tenants) prepare(ctx context.Context) (string, error) {
	login, err := json.Marshal(postgres.Login{Host: t.server.Host, Port: json.Number(fmt.Sprint(t.server.Port)), Username: t.server.User, Password: t.server.Password})
	if err != nil {
		return "", err
	}
	secret, err := secretsmanager.NewFromConfig(t.cloud.config).CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("administrator"), SecretString: aws.String(string(login))})
	if err != nil {
		return "", err
	}
	zone, err := route53.NewFromConfig(t.cloud.config).CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: aws.String(domain), CallerReference: aws.String("e2e")})
	if err != nil {
		return "", err
	}
	if _, err := sesv2.NewFromConfig(t.cloud.config).CreateEmailIdentity(ctx, &sesv2.CreateEmailIdentityInput{EmailIdentity: aws.String("mail." + domain)}); err != nil {
		return "", err
	}
	t.admin, t.zone = *secret.ARN, strings.TrimPrefix(*zone.HostedZone.Id, "/hostedzone/")
	return "the shipped blueprint with the values of this machine", t.writeBlueprint()
}

// writeBlueprint copies the shipped blueprint and replaces what it says to replace. The
// smoke test has the address of this machine; see [pages.ServeHTTP].
func (t *tenants) writeBlueprint() error {
	if err := os.CopyFS(t.blueprint, example.FS()); err != nil {
		return err
	}
	file := filepath.Join(t.blueprint, "blueprint.yaml")
	text, err := fs.ReadFile(os.DirFS(t.blueprint), "blueprint.yaml")
	if err != nil {
		return err
	}
	var missing []error
	s := string(text)
	for _, r := range [][2]string{
		{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:production/postgres-AbCdEf", t.admin},
		{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:staging/postgres-GhIjKl", t.admin},
		{"tls: verify-full", "tls: disable"},
		{"provider: cloudflare", "provider: route53"},
		{"zone: 023e105f4ecef8ad9ca31a8372d0c353", "zone: " + t.zone},
		{"      token: arn:aws:secretsmanager:eu-central-1:123456789012:secret:cloudflare-MnOpQr\n", ""},
		{"https://${environment.host}/login", t.pages.server.URL + "/${environment.host}/login"},
		{"branding: https://${environment.host}/branding.json", "branding: " + t.pages.server.URL + "/${environment.host}/branding.json"},
	} {
		if !strings.Contains(s, r[0]) {
			missing = append(missing, fmt.Errorf("the shipped blueprint has no %q", r[0]))
		}
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return errors.Join(append(missing, os.WriteFile(file, []byte(s), 0o644))...)
}

// request publishes a request about a tenant. A nil spec is left out.
func (t *tenants) request(ctx context.Context, name, operation string, spec map[string]any) error {
	message := map[string]any{"tenant": name, "operation": operation, "id": "order-" + operation}
	if spec != nil {
		message["spec"] = spec
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = sns.NewFromConfig(t.cloud.config).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(t.cloud.outputs[config.RequestTopicOutput]), Message: aws.String(string(text))})
	return err
}

// specOf is the tenant's spec, with the colour of links.
func specOf(link string) map[string]any {
	return map[string]any{
		"schemaVersion": 1, "name": tenant, "title": "Acme Markets & Sons", "locale": "en-GB", "booking": true,
		"contacts": map[string]any{"owner": map[string]any{"name": "Ana", "email": "ana@example.net"}},
		"palette":  map[string]any{"link": link},
	}
}

// status asks intake how a tenant stands, as an operator would.
func (t *tenants) status(ctx context.Context, name string) (s intake.Status, err error) {
	return s, t.cloud.invoke(ctx, config.IntakeFunctionOutput, `{"action":"tenant","tenant":"`+name+`"}`, &s)
}
