package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/tenant/registry"
)

// TestSecretsNowhere holds that a request which brings a secret is refused, and that the secret
// is in no record, log, notification, event or answer.
func TestSecretsNowhere(t *testing.T) {
	secrets := []string{
		"AKIAIOSFODNN7EXAMPLQ", // an access key's ID
		"wJalrXUtnFEMIK7MDENGbPxRfiCYzzEXAMPLEKEY",
		"-----BEGIN RSA PRIVATE KEY-----MIIEpAIBAAKCAQEA7",
		"ghp_16C7e42F292c6912E7710c838347Ae178B4a",
	}
	h := newHarness(t)
	n := 0
	for _, secret := range secrets {
		for _, more := range []string{
			`,"title2":"` + secret + `"`, `,"password":"` + secret + `"`, `,"footer":{"text":"` + secret + `"}`, `,"` + secret + `":1`,
			`,"locale":"` + secret + `"`, `,"mail":{"smtp":{"password":"` + secret + `"}}`, `,"palette":{"primary":"` + secret + `"}`,
		} {
			n++
			h.pass(time.Second)
			h.deliver(request(fmt.Sprint(n), "acme", "launch", specOf("acme", "acme", more)))
			if op := h.last("acme"); op.State != registry.Rejected {
				t.Errorf("a spec with %s is %s", more, op.State)
			}
		}
		h.deliver(request(fmt.Sprint("title", n), "acme", "launch", strings.Replace(specOf("acme", "acme", ""), "A shop", secret, 1)))
		h.deliver(request(fmt.Sprint("name", n), secret, "launch", specOf("acme", "acme", "")))
		h.deliver(event.TenantRequest{ID: fmt.Sprint("form", n), Tenant: secret, Operation: secret, Faults: []event.Fault{{Path: secret, Reason: "is not a field of a tenant request"}}})
		h.deliver(request(fmt.Sprint("operation", n), "acme", secret, specOf("acme", "acme", "")))
	}
	inFlight(h)
	answers := h.mustAsk(`{"action":"tenants"}`) + h.mustAsk(`{"action":"tenant","tenant":"acme"}`) + h.mustAsk(`{"action":"tenant","tenant":"-"}`)
	for _, secret := range append(secrets, "the-token") {
		for where, text := range map[string]string{
			"a record": strings.Join(h.process.written, "\n"), "the log": h.logs.String(), "a notification": strings.Join(h.texts, "\n") + strings.Join(h.published, "\n"),
			"an event": fmt.Sprintf("%+v", h.details), "an answer": answers,
		} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s is in %s: …%s", secret, where, text[max(0, at-200):at])
			}
		}
	}
}
