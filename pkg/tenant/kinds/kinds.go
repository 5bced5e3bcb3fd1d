// Package kinds lists the kinds of steps that a blueprint can use. A new kind is a package
// below pkg/tenant/step and its line here.
package kinds

import (
	"github.com/jackc/pgx/v5/pgconn"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/activate"
	"deployhooks/pkg/tenant/step/branding"
	"deployhooks/pkg/tenant/step/config"
	"deployhooks/pkg/tenant/step/dns"
	"deployhooks/pkg/tenant/step/manual"
	"deployhooks/pkg/tenant/step/postgres"
	"deployhooks/pkg/tenant/step/reserve"
	"deployhooks/pkg/tenant/step/s3prefix"
	"deployhooks/pkg/tenant/step/sesidentity"
	"deployhooks/pkg/tenant/step/smoke"
)

// Clients are what the kinds work with. A worker may leave out those that no kind of its class uses.
type Clients struct {
	Registry   *registry.Registry
	Engine     manual.Engine
	Bucket     bucket.Bucket
	Secrets    postgres.Secrets
	Identities sesidentity.Identities
	DNS        dns.Clients // its Secrets are those above unless set
	Web        smoke.Doer
	Resolver   smoke.Resolver
	// Dial connects to databases; nil is by the system.
	Dial pgconn.DialFunc
}

// All are the kinds, by name.
func All(c Clients) map[string]step.Kind {
	if c.DNS.Secrets == nil {
		c.DNS.Secrets = c.Secrets
	}
	all := map[string]step.Kind{}
	for _, k := range []step.Kind{
		activate.New(c.Bucket),
		branding.New(c.Bucket),
		config.New(c.Bucket),
		dns.New(c.DNS),
		manual.New(c.Registry, c.Engine),
		postgres.New(c.Secrets, c.Dial),
		reserve.New(c.Registry),
		s3prefix.New(c.Bucket),
		sesidentity.New(c.Identities),
		smoke.New(smoke.Clients{Resolver: c.Resolver, Web: c.Web, Identities: c.Identities, Secrets: c.Secrets, Dial: c.Dial}),
	} {
		all[k.Describe().Name] = k
	}
	return all
}

// Descriptions are those of all kinds, by name. They need no clients.
func Descriptions() map[string]step.Description {
	all := map[string]step.Description{}
	for name, k := range All(Clients{}) {
		all[name] = k.Describe()
	}
	return all
}
