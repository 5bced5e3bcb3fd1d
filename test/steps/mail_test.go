package steps

import (
	"context"
	"net/http"
	"slices"
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
	if want := "." + clouds.SigningZone; !strings.HasSuffix(out["dkim1"], want) {
		t.Errorf("the record is %q, without %s: the domain is never verified", out["dkim1"], want)
	}
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
	chosen := parameters()["ses-identity"]
	chosen["sender"] = "hello@TENANT.mail.example.com"
	if out = apply(t, "ses-identity", input(t, tenant, "mail", chosen)); out["sender"] != "hello@"+domain {
		t.Errorf("mail comes from %s and not from the address of the spec", out["sender"])
	}
}

// TestSESFormerDomain: a blueprint that moves a tenant to another domain leaves no identity at the former.
func TestSESFormerDomain(t *testing.T) {
	ctx := context.Background()
	k := newState().process(&network{}).kinds["ses-identity"]
	moved := func() step.Input {
		in := input(t, newTenant(), "mail", parameters()["ses-identity"])
		in.Before = apply(t, "ses-identity", in)
		in.Parameters = []byte(strings.Replace(string(in.Parameters), ".mail.", ".post.", 1))
		return in
	}
	identities := func(in step.Input) (found []string) {
		for _, d := range cloud.Identities() {
			if rest, ok := strings.CutPrefix(d, in.Tenant); ok {
				found = append(found, rest)
			}
		}
		return found
	}
	in := moved()
	apply(t, "ses-identity", in)
	if got := identities(in); !slices.Equal(got, []string{".post.example.com"}) {
		t.Errorf("after the move there are %q: anybody with the former address can be impersonated", got)
	}
	if state, err := k.Check(ctx, in); err != nil || state != step.Drifted { // by its outputs it is not moved
		t.Errorf("before its outputs are kept the identity is %s, %v: the former one is forgotten", state, err)
	}
	in = moved()
	apply(t, "ses-identity", input(t, in.Tenant, "mail", map[string]any{"domain": "TENANT.post.example.com"})) // in vain: its outputs were lost
	if err := k.Undo(ctx, in); err != nil || len(identities(in)) > 0 {
		t.Errorf("a removal leaves %q, %v", identities(in), err)
	}
}

func TestSESIdentityForeign(t *testing.T) {
	for name, tags := range map[string][]string{"nobody's": nil, "another tenant's": {"deployhooks:tenant=another"}, "with the tenant's name in another tag": {"customer=TENANT"}} {
		tenant := newTenant()
		for n := range tags {
			tags[n] = strings.ReplaceAll(tags[n], "TENANT", tenant)
		}
		cloud.AddIdentity(tenant+".mail.example.com", tags...)
		k := newState().process(&network{}).kinds["ses-identity"]
		in := input(t, tenant, "mail", parameters()["ses-identity"])
		if _, err := k.Apply(context.Background(), in); class(err) != step.Conflict {
			t.Errorf("%s: %v: a tenant sends as somebody else", name, err)
		}
		if err := k.Undo(context.Background(), in); err != nil {
			t.Errorf("%s: Undo: %v", name, err)
		}
		if !strings.Contains(strings.Join(cloud.Identities(), " "), tenant) {
			t.Errorf("%s: a removal deletes somebody else's identity", name)
		}
	}
}

// TestSESWithoutTokens: the records that verify a domain are not guessed.
func TestSESWithoutTokens(t *testing.T) {
	in := input(t, newTenant(), "mail", parameters()["ses-identity"])
	cloud.AddIdentity(in.Tenant+".mail.example.com", "deployhooks:tenant="+in.Tenant)
	if _, err := newState().process(&network{}).kinds["ses-identity"].Apply(context.Background(), in); class(err) != step.NotYet {
		t.Errorf("%v: the launch goes on without the records of DKIM", err)
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

// TestSESCreatedMeanwhile: an identity that another try has created between two calls is the tenant's.
func TestSESCreatedMeanwhile(t *testing.T) {
	in := input(t, newTenant(), "mail", parameters()["ses-identity"])
	n := &network{before: func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v2/email/") {
			cloud.AddIdentity(in.Tenant+".mail.example.com", "deployhooks:tenant="+in.Tenant)
		}
	}}
	if _, err := newState().process(n).kinds["ses-identity"].Apply(context.Background(), in); class(err) != step.NotYet { // its tokens are not there yet
		t.Errorf("%v: a launch fails for what it wants", err)
	}
}
