package steps

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/step"
	"deployhooks/test/clouds"
)

func TestSESIdentity(t *testing.T) {
	ctx := context.Background()
	tenant := newTenant()
	p := newState().process(&network{})
	in := input(t, tenant, "mail", parameters()["ses-identity"])
	domain := tenant + ".mail.example.com"
	out := apply(t, "ses-identity", in)
	if out["sender"] != "mail@example.com" {
		t.Errorf("mail comes from %s before SES has verified the domain: it is refused", out["sender"])
	}
	// The outputs are records of the step dns as they are.
	if _, err := p.kinds["dns"].Apply(ctx, input(t, tenant, "mail-dns", map[string]any{"provider": "route53", "zone": "Z3", "records": []string{out["dkim1"], out["dkim2"], out["dkim3"]}})); err != nil {
		t.Errorf("records of DKIM: %v: the domain is never verified", err)
	}
	in.Before = out
	if state, err := p.kinds["ses-identity"].Check(ctx, in); err != nil || state != step.Present {
		t.Errorf("the identity is %s, %v", state, err)
	}
	cloud.Verify(domain)
	if state, err := p.kinds["ses-identity"].Check(ctx, in); err != nil || state != step.Drifted {
		t.Errorf("the verified identity is %s, %v: mail comes from the fallback for ever", state, err)
	}
	if out = apply(t, "ses-identity", in); out["sender"] != "noreply@"+domain {
		t.Errorf("mail comes from %s although the domain is verified", out["sender"])
	}
}

func TestSESIdentityForeign(t *testing.T) {
	tenant := newTenant()
	cloud.AddIdentity(tenant + ".mail.example.com")
	k := newState().process(&network{}).kinds["ses-identity"]
	in := input(t, tenant, "mail", parameters()["ses-identity"])
	if _, err := k.Apply(context.Background(), in); class(err) != step.Conflict {
		t.Errorf("%v: a tenant sends as somebody else", err)
	}
	if err := k.Undo(context.Background(), in); err != nil {
		t.Errorf("Undo: %v", err)
	}
	if !strings.Contains(strings.Join(cloud.Identities(), " "), tenant) {
		t.Error("a removal deletes somebody else's identity")
	}
}

func TestSESFaults(t *testing.T) {
	for name, f := range map[string]clouds.Fault{"throttled": {Status: http.StatusTooManyRequests}, "out of service": {Status: http.StatusServiceUnavailable}, "a lost answer": {AfterEffect: true}} {
		in := input(t, newTenant(), "mail", parameters()["ses-identity"])
		cloud.Fail(clouds.SES, clouds.Fault{}, f)
		k := newState().process(&network{}).kinds["ses-identity"]
		if _, err := k.Apply(context.Background(), in); class(err) != step.Transient {
			t.Errorf("%s: %v: a launch is held for what passes", name, err)
		}
		if _, err := k.Apply(context.Background(), in); err != nil {
			t.Errorf("%s, then again: %v", name, err)
		}
	}
}
