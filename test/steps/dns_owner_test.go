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

// TestDNSCheck says of records that are there what a change has to do.
func TestDNSCheck(t *testing.T) {
	ctx := context.Background()
	const one, two = "TENANT.example.com CNAME lb.example.net", "stg.TENANT.example.com A 192.0.2.1"
	for provider, at := range providers {
		for name, c := range map[string]struct {
			wanted []string // after the first Apply, of one and two
			change func(tenant string)
			state  step.State
			harm   string
		}{
			"as they should be":               {[]string{one, two}, nil, step.Present, "each change writes them again"},
			"another value":                   {[]string{one, two}, func(tenant string) { at.change(tenant+".example.com", "CNAME", "other.example.net") }, step.Drifted, "the tenant's host leads elsewhere"},
			"one is missing":                  {[]string{one, two}, func(tenant string) { at.change("stg."+tenant+".example.com", "A", "") }, step.Drifted, "a host of the tenant does not resolve"},
			"one too many":                    {[]string{one}, nil, step.Drifted, "the former host stays for ever"},
			"only one that is wanted no more": {[]string{"new.TENANT.example.com A 192.0.2.1"}, func(tenant string) {}, step.Drifted, "the former host stays for ever"},
		} {
			t.Run(provider+"/"+name, func(t *testing.T) {
				tenant := newTenant()
				before := apply(t, "dns", dnsInput(t, provider, tenant, one, two))
				if c.change != nil {
					c.change(tenant)
				}
				in := dnsInput(t, provider, tenant, c.wanted...)
				in.Before = before
				k := newState().process(&network{}).kinds["dns"]
				if state, err := k.Check(ctx, in); err != nil || state != c.state {
					t.Errorf("they are %s, %v, want %s: %s", state, err, c.state, c.harm)
				}
			})
		}
	}
}

// TestDNSTTL holds that resolvers keep a record as long as the blueprint says.
func TestDNSTTL(t *testing.T) {
	for provider := range providers {
		in := dnsInput(t, provider, newTenant(), "TENANT.example.com A 192.0.2.1")
		apply(t, "dns", in)
		in.Parameters = []byte(strings.Replace(string(in.Parameters), `"provider"`, `"ttl":60,"provider"`, 1))
		k := newState().process(&network{}).kinds["dns"]
		if state, err := k.Check(context.Background(), in); err != nil || state != step.Drifted {
			t.Errorf("%s: with another TTL the record is %s, %v", provider, state, err)
		}
		apply(t, "dns", in)
		if provider == "cloudflare" {
			if all := cloud.CloudflareRecords("zone1"); !slices.ContainsFunc(all, func(r clouds.CloudflareRecord) bool { return r.Name == in.Tenant+".example.com" && r.TTL == 60 }) {
				t.Errorf("the records are %+v: users meet the former address for longer than the blueprint says", all)
			}
		}
		if state, err := k.Check(context.Background(), in); err != nil || state != step.Present {
			t.Errorf("%s: after the change the record is %s, %v", provider, state, err)
		}
	}
}

// TestDNSOwner holds that a record is that of one step of one tenant.
func TestDNSOwner(t *testing.T) {
	ctx := context.Background()
	for provider, at := range providers {
		in := dnsInput(t, provider, newTenant(), "TENANT.example.com A 192.0.2.1")
		apply(t, "dns", in)
		k := newState().process(&network{}).kinds["dns"]
		for name, change := range map[string]func(*step.Input){
			"tenant": func(in *step.Input) { in.Tenant = newTenant() },
			"step":   func(in *step.Input) { in.Step = "dns-staging" },
		} {
			other := in
			change(&other)
			if _, err := k.Apply(ctx, other); class(err) != step.Conflict {
				t.Errorf("%s, another %s: %v: two hosts are one", provider, name, err)
			}
			if err := k.Undo(ctx, other); err != nil {
				t.Error(err)
			}
			if got := recordsOf(at.records(), in.Tenant); len(got) != 1 {
				t.Errorf("%s: the removal of another %s leaves %q: the tenant cannot be reached", provider, name, got)
			}
		}
	}
}

// TestDNSRecordsBeside: other records of a name are left as they are, unless they share its type.
func TestDNSRecordsBeside(t *testing.T) {
	ctx := context.Background()
	for provider, at := range providers {
		t.Run(provider, func(t *testing.T) {
			in := dnsInput(t, provider, newTenant(), "TENANT.example.com A 192.0.2.1")
			host := in.Tenant + ".example.com"
			at.add(host, "TXT", `"somebody's"`)
			apply(t, "dns", in)
			in.Before = apply(t, "dns", in)
			other := dnsInput(t, provider, in.Tenant, "TENANT.example.com AAAA 2001:db8::1")
			other.Before = in.Before
			apply(t, "dns", other)
			want := []string{"TENANT.example.com AAAA 2001:db8::1", `TENANT.example.com TXT "somebody's"`}
			if got := recordsOf(at.records(), in.Tenant); !slices.Equal(got, want) {
				t.Errorf("there is %q, want %q: the former address stays, or somebody's record goes", got, want)
			}
		})
	}
	t.Run("cloudflare/several addresses", func(t *testing.T) {
		in := dnsInput(t, "cloudflare", newTenant(), "TENANT.example.com A 192.0.2.1")
		apply(t, "dns", in)
		providers["cloudflare"].add(in.Tenant+".example.com", "A", "192.0.2.2")
		for range 8 { // the service lists them in any order
			if _, err := newState().process(&network{}).kinds["dns"].Apply(ctx, in); class(err) != step.Conflict {
				t.Fatalf("%v: half of the tenant's users are led elsewhere, and nobody knows", err)
			}
		}
	})
	t.Run("route53/several addresses", func(t *testing.T) {
		in := dnsInput(t, "route53", newTenant(), "TENANT.example.com A 192.0.2.1")
		apply(t, "dns", in)
		cloud.AddRoute53Record("Z2", in.Tenant+".example.com", "A", "192.0.2.1", "192.0.2.2")
		if state, err := newState().process(&network{}).kinds["dns"].Check(ctx, in); err != nil || state != step.Drifted {
			t.Errorf("it is %s, %v: half of the tenant's users are led elsewhere, and nobody knows", state, err)
		}
	})
}

// TestCloudflareRaces: what happens to a record between the call that finds it and the call that changes it.
func TestCloudflareRaces(t *testing.T) {
	ctx := context.Background()
	in := dnsInput(t, "cloudflare", newTenant(), "TENANT.example.com CNAME lb.example.net")
	host := in.Tenant + ".example.com"
	once := func(method string, do func()) *network {
		done := false
		return &network{before: func(r *http.Request) {
			if r.Method == method && strings.HasPrefix(r.URL.Path, "/client/") && !done {
				done = true
				do()
			}
		}}
	}
	record := clouds.CloudflareRecord{Name: host, Type: "CNAME", Content: "other.example.net", TTL: 300, Comment: "deployhooks " + in.Tenant + " dns-production"}
	k := newState().process(once(http.MethodPost, func() { cloud.AddCloudflareRecord("zone1", record) })).kinds["dns"]
	if _, err := k.Apply(ctx, in); class(err) != step.Conflict {
		t.Errorf("created with another value meanwhile: %v: the step is done, and the host leads elsewhere", err)
	}
	apply(t, "dns", in)
	k = newState().process(once(http.MethodDelete, func() { cloud.ChangeCloudflareRecord("zone1", host, "CNAME", "") })).kinds["dns"]
	if err := k.Undo(ctx, in); err != nil {
		t.Errorf("deleted meanwhile: %v: the removal is held for what it wants", err)
	}
}
