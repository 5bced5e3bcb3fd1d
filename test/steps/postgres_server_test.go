package steps

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/postgres"
)

// TestPostgresServer: which server and database the administrator logs in to.
func TestPostgresServer(t *testing.T) {
	secrets := secretsmanager.NewFromConfig(aws.Config{Region: home, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: &cloud.URL})
	for name, c := range map[string]struct {
		secret string
		with   map[string]any
		want   string // the address, or what the error says
	}{
		"of the secret":                {`{"host":"a.example","port":"5433","username":"u","password":"p"}`, nil, "a.example:5433"},
		"with a number as its port":    {`{"host":"a.example","port":5433,"username":"u","password":"p"}`, nil, "a.example:5433"},
		"without a port":               {`{"host":"a.example","username":"u","password":"p"}`, nil, "a.example:5432"},
		"with a port of the blueprint": {`{"host":"a.example","port":"5433","username":"u","password":"p"}`, map[string]any{"port": 5434}, "a.example:5434"},
		"with a host of the blueprint": {`{"host":"a.example","username":"u","password":"p"}`, map[string]any{"host": "b.example"}, "b.example:5432"},
		"without a user":               {`{"host":"a.example","password":"p"}`, nil, "is no login"},
		"without a password":           {`{"host":"a.example","username":"u"}`, nil, "is no login"},
	} {
		tenant := newTenant()
		p := map[string]any{"administrator": cloud.PutSecret(tenant+"-admin", c.secret), "tls": "disable", "database": "TENANT"}
		for k, v := range c.with {
			p[k] = v
		}
		dial := func(_ context.Context, _, address string) (net.Conn, error) {
			return nil, errors.New("dialled " + address)
		}
		_, err := postgres.New(secrets, dial).Apply(context.Background(), input(t, tenant, "postgres", p))
		if !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %s: databases are made on another server", name, err, c.want)
		}
	}
	in := input(t, newTenant(), "postgres", parameters()["postgres"])
	in.Parameters = []byte(strings.Replace(string(in.Parameters), administrator, cloud.PutSecret(in.Tenant+"-admin", strings.Replace(login(server.User, server.Password), "}", `,"dbname":"maintenance"}`, 1)), 1))
	if _, err := newState().process(&network{}).kinds["postgres"].Apply(context.Background(), in); !strings.Contains(fmt.Sprint(err), `database "maintenance" does not exist`) {
		t.Errorf("%v: an administrator who may not enter the database postgres creates no tenant", err)
	}
}

// TestPostgresOpenToAll: a database that every role may enter, as one is after a try that was killed before it
// closed it, is closed by the next try.
func TestPostgresOpenToAll(t *testing.T) {
	ctx := context.Background()
	in := input(t, newTenant(), "postgres", parameters()["postgres"])
	apply(t, "postgres", in)
	sql(t, "GRANT CONNECT ON DATABASE "+in.Tenant+"_production TO PUBLIC")
	k := newState().process(&network{}).kinds["postgres"]
	if state, err := k.Check(ctx, in); err != nil || state != step.Drifted {
		t.Errorf("it is %s, %v: every tenant may read it", state, err)
	}
	apply(t, "postgres", in)
	if got := strings.Join(databases(t, in.Tenant), " "); strings.Contains(got, "true") {
		t.Errorf("there is %s: every tenant may read it", got)
	}
}

// TestPostgresSecretsOfOthers: a secret of the step's name is its own only if it is the login of its role to its database.
func TestPostgresSecretsOfOthers(t *testing.T) {
	ctx := context.Background()
	for name, text := range map[string]string{
		"another role":     `{"username":"somebody","password":"x","dbname":"TENANT_production"}`,
		"another database": `{"username":"TENANT","password":"x","dbname":"another"}`,
		"no password":      `{"username":"TENANT","dbname":"TENANT_production"}`,
	} {
		in := input(t, newTenant(), "postgres", parameters()["postgres"])
		secret, text := "deployhooks/"+in.Tenant+"/postgres", strings.ReplaceAll(text, "TENANT", in.Tenant)
		cloud.PutSecret(secret, text)
		k := newState().process(&network{}).kinds["postgres"]
		if _, err := k.Apply(ctx, in); class(err) != step.Refused {
			t.Errorf("%s: %v: the instance gets a login that opens nothing", name, err)
		}
		if err := undo(in); err != nil || cloud.Secret(secret) != text {
			t.Errorf("%s: %v: a removal deletes somebody else's secret, without recovery", name, err)
		}
	}
}

// TestPostgresSecretOfFormerServer: after a move of the database the instance is led to where it is.
func TestPostgresSecretOfFormerServer(t *testing.T) {
	in := input(t, newTenant(), "postgres", parameters()["postgres"])
	apply(t, "postgres", in)
	secret := "deployhooks/" + in.Tenant + "/postgres"
	text := strings.Replace(cloud.Secret(secret), `"host":"`+server.Host, `"host":"127.0.0.2`, 1)
	text = strings.Replace(text, fmt.Sprintf(`"port":%d`, server.Port), `"port":1`, 1)
	cloud.PutSecret(secret, text)
	if out := apply(t, "postgres", in); out["host"] != server.Host || out["port"] != fmt.Sprint(server.Port) {
		t.Errorf("the outputs are %v: the instance looks for its database on the former server", out)
	}
}

// TestPostgresSecretScheduledForDeletion: what somebody has deleted in the console does not hold a removal.
func TestPostgresSecretScheduledForDeletion(t *testing.T) {
	in := input(t, newTenant(), "postgres", parameters()["postgres"])
	apply(t, "postgres", in)
	cloud.ScheduleDeletion("deployhooks/" + in.Tenant + "/postgres")
	_, err := newState().process(&network{}).kinds["postgres"].Apply(context.Background(), in)
	for err != nil && strings.Contains(err.Error(), "another try works") { // the server has not ended the last try's connection yet
		_, err = newState().process(&network{}).kinds["postgres"].Apply(context.Background(), in)
	}
	if class(err) != step.Transient || !strings.Contains(step.RemedyOf(err), "restore it") {
		t.Errorf("a change: %v: nobody knows how to get the tenant's password back", err)
	}
	if err := undo(in); err != nil || cloud.Secret("deployhooks/"+in.Tenant+"/postgres") != "" {
		t.Errorf("a removal: %v: it is held, or the secret stays", err)
	}
}
