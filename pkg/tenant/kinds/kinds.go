// Package kinds lists the kinds of steps that a blueprint can use. A new kind is a package
// below pkg/tenant/step and its line here.
package kinds

import (
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

// Descriptions are those of all kinds, by name. They need no clients.
func Descriptions() map[string]step.Description {
	all := map[string]step.Description{}
	for _, d := range []step.Description{
		activate.Description(), branding.Description(), config.Description(), dns.Description(), manual.Description(),
		postgres.Description(), reserve.Description(), s3prefix.Description(), sesidentity.Description(), smoke.Description(),
	} {
		all[d.Name] = d
	}
	return all
}
