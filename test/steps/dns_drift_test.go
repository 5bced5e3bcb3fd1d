package steps

import (
	"context"
	"slices"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/step"
	"deployhooks/test/clouds"
)

// TestDNSChangedByHand: a record of a tenant that somebody has changed or deleted is corrected by the next
// try, and removed with the tenant.
func TestDNSChangedByHand(t *testing.T) {
	ctx := context.Background()
	for provider, at := range providers {
		for name, change := range map[string]func(tenant string){
			"deleted":          func(tenant string) { at.change(tenant+".example.com", "CNAME", "") },
			"another value":    func(tenant string) { at.change(tenant+".example.com", "CNAME", "other.example.net") },
			"another spelling": func(tenant string) { at.change(tenant+".example.com", "CNAME", "LB.example.net.") },
			"another, then deleted": func(tenant string) {
				at.change(tenant+".example.com", "CNAME", "X.example.net.")
				at.change(tenant+".example.com", "CNAME", "")
			},
		} {
			t.Run(provider+"/"+name, func(t *testing.T) {
				tenant := newTenant()
				in := dnsInput(t, provider, tenant, "TENANT.example.com CNAME lb.example.net")
				k := newState().process(&network{}).kinds["dns"]
				for _, end := range []func() error{
					func() error { return nil },
					func() error { _, err := k.Apply(ctx, in); return err },
				} {
					apply(t, "dns", in)
					change(tenant)
					if err := end(); err != nil {
						t.Errorf("Apply: %v: a change of the tenant is held", err)
					}
					if err := k.Undo(ctx, in); err != nil {
						t.Errorf("Undo: %v: a removal is held", err)
					}
					if got := recordsOf(at.records(), tenant); len(got) > 0 {
						t.Errorf("after a removal there is %q: whoever gets the address gets the tenant's host", got)
					}
					if slices.ContainsFunc(cloud.Route53Records("Z2"), func(r string) bool { return strings.Contains(r, tenant) }) {
						t.Error("a removal leaves the owner of the record: a new tenant of this name is refused")
					}
				}
				apply(t, "dns", in)
				change(tenant)
				apply(t, "dns", in)
				if got, want := recordsOf(at.records(), tenant), []string{"TENANT.example.com CNAME lb.example.net"}; !slices.EqualFunc(got, want, func(a, b string) bool { return strings.EqualFold(strings.TrimSuffix(a, "."), b) }) {
					t.Errorf("there is %q, want %q: the tenant cannot be reached", got, want)
				}
			})
		}
	}
}

// TestCloudflareUnsuccessful: Cloudflare may answer 200 and say in the body that nothing was done.
func TestCloudflareUnsuccessful(t *testing.T) {
	ctx := context.Background()
	failed := clouds.Fault{Status: 200}
	for name, c := range map[string]struct {
		there  bool
		faults []clouds.Fault
		do     func(step.Kind, step.Input) error
	}{
		"find":    {false, []clouds.Fault{failed}, applied},
		"create":  {false, []clouds.Fault{{}, failed}, applied},
		"replace": {true, []clouds.Fault{{}, failed}, applied},
		"delete":  {true, []clouds.Fault{{}, failed}, func(k step.Kind, in step.Input) error { return k.Undo(ctx, in) }},
	} {
		t.Run(name, func(t *testing.T) {
			in := dnsInput(t, "cloudflare", newTenant(), "TENANT.example.com CNAME lb.example.net")
			if c.there {
				apply(t, "dns", in)
				providers["cloudflare"].change(in.Tenant+".example.com", "CNAME", "other.example.net")
			}
			cloud.Fail(clouds.Cloudflare, c.faults...)
			if err := c.do(newState().process(&network{}).kinds["dns"], in); class(err) != step.Transient {
				t.Errorf("%v: the step counts as done, and nothing was", err)
			}
		})
	}
}

func applied(k step.Kind, in step.Input) error {
	_, err := k.Apply(context.Background(), in)
	return err
}
