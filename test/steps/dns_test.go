package steps

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/step"
	"deployhooks/test/clouds"
)

// providers are the two services as a step meets them.
var providers = map[string]struct {
	parameters map[string]any
	service    string
	reads      int // calls that find a record
	add        func(name, kind, value string)
	change     func(name, kind, value string) // by hand; empty deletes
	records    func() []string
}{
	"route53": {
		map[string]any{"provider": "route53", "zone": "Z2"}, clouds.Route53, 2,
		func(name, kind, value string) { cloud.AddRoute53Record("Z2", name, kind, value) },
		func(name, kind, value string) { cloud.ChangeRoute53Record("Z2", name, kind, value) },
		func() []string {
			var found []string
			for _, r := range cloud.Route53Records("Z2") {
				if !strings.HasPrefix(r, "_deployhooks-") {
					found = append(found, strings.Replace(r, ". ", " ", 1))
				}
			}
			return found
		},
	},
	"cloudflare": {
		map[string]any{"provider": "cloudflare", "zone": "zone1"}, clouds.Cloudflare, 1,
		func(name, kind, value string) {
			cloud.AddCloudflareRecord("zone1", clouds.CloudflareRecord{Name: name, Type: kind, Content: value, TTL: 300})
		},
		func(name, kind, value string) { cloud.ChangeCloudflareRecord("zone1", name, kind, value) },
		func() (found []string) {
			for _, r := range cloud.CloudflareRecords("zone1") {
				found = append(found, r.Name+" "+r.Type+" "+r.Content)
			}
			return found
		},
	},
}

func TestDNS(t *testing.T) {
	for provider, at := range providers {
		written := func(f clouds.Fault) []clouds.Fault { return append(make([]clouds.Fault, at.reads), f) }
		for name, c := range map[string]struct {
			before func(tenant string) // what is there
			faults []clouds.Fault
			class  step.ErrorClass // of the first try
			want   []string        // in the end, of the tenant's names
			harm   string
		}{
			"nothing is there": {nil, nil, "", []string{"TENANT.example.com CNAME lb.example.net"}, "the tenant cannot be reached"},
			"somebody else's record": {func(tenant string) { at.add(tenant+".example.com", "CNAME", "other.example.net") }, nil, step.Conflict,
				[]string{"TENANT.example.com CNAME other.example.net"}, "somebody else's host is taken over"},
			"somebody else's record of another type": {func(tenant string) { at.add(tenant+".example.com", "A", "192.0.2.9") }, nil, step.Conflict,
				[]string{"TENANT.example.com A 192.0.2.9"}, "somebody else's host is taken over"},
			"somebody else's record with the same value": {func(tenant string) { at.add(tenant+".example.com", "CNAME", "lb.example.net") }, nil, step.Conflict,
				[]string{"TENANT.example.com CNAME lb.example.net"}, "a removal deletes somebody else's record"},
			"throttled":              {nil, []clouds.Fault{{Status: http.StatusTooManyRequests}}, step.Transient, []string{"TENANT.example.com CNAME lb.example.net"}, "a throttled call ends a launch"},
			"out of service":         {nil, []clouds.Fault{{Status: http.StatusServiceUnavailable}}, step.Transient, []string{"TENANT.example.com CNAME lb.example.net"}, "an outage ends a launch"},
			"the answer is lost":     {nil, written(clouds.Fault{AfterEffect: true}), step.Transient, []string{"TENANT.example.com CNAME lb.example.net"}, "a lost answer ends a launch"},
			"throttled when written": {nil, written(clouds.Fault{Status: http.StatusTooManyRequests}), step.Transient, []string{"TENANT.example.com CNAME lb.example.net"}, "a throttled call ends a launch"},
		} {
			t.Run(provider+"/"+name, func(t *testing.T) {
				tenant := newTenant()
				if c.before != nil {
					c.before(tenant)
				}
				in := dnsInput(t, provider, tenant, "TENANT.example.com CNAME lb.example.net")
				cloud.Fail(at.service, c.faults...)
				p := newState().process(&network{})
				_, err := p.kinds["dns"].Apply(context.Background(), in)
				if class(err) != c.class {
					t.Errorf("first try: %v, want class %q: %s", err, c.class, c.harm)
				}
				if strings.Contains(fmt.Sprint(err), clouds.Token) {
					t.Error("the token is in an error")
				}
				if c.class == step.Transient {
					if _, err := p.kinds["dns"].Apply(context.Background(), in); err != nil {
						t.Errorf("second try: %v: %s", err, c.harm)
					}
				}
				if got := recordsOf(at.records(), tenant); !slices.Equal(got, c.want) {
					t.Errorf("there is %q, want %q: %s", got, c.want, c.harm)
				}
				if err := p.kinds["dns"].Undo(context.Background(), in); err != nil {
					t.Errorf("Undo: %v", err)
				}
				if c.class != step.Conflict {
					c.want = nil
				}
				if got := recordsOf(at.records(), tenant); !slices.Equal(got, c.want) {
					t.Errorf("after a removal there is %q, want %q: %s", got, c.want, c.harm)
				}
			})
		}
	}
}

// TestDNSChange holds that a change corrects values and deletes what is wanted no more.
func TestDNSChange(t *testing.T) {
	for provider, at := range providers {
		tenant := newTenant()
		p := newState().process(&network{})
		in := dnsInput(t, provider, tenant, "TENANT.example.com CNAME lb.example.net", "old.TENANT.example.com A 192.0.2.1", "TENANT.example.com TXT v=spf1 -all")
		in.Parameters = []byte(strings.Replace(string(in.Parameters), tenant+".example.com TXT", "txt."+tenant+".example.com TXT", 1))
		before, err := p.kinds["dns"].Apply(context.Background(), in)
		if err != nil {
			t.Fatal(provider, err)
		}
		if state, err := p.kinds["dns"].Check(context.Background(), in); err != nil || state != step.Present {
			t.Errorf("%s: a new record is %s, %v: each change writes it again", provider, state, err)
		}
		in = dnsInput(t, provider, tenant, "TENANT.example.com CNAME lb2.example.net")
		in.Before = before
		if state, err := p.kinds["dns"].Check(context.Background(), in); err != nil || state != step.Drifted {
			t.Errorf("%s: another value is %s, %v: a change does not take effect", provider, state, err)
		}
		if _, err := p.kinds["dns"].Apply(context.Background(), in); err != nil {
			t.Fatal(provider, err)
		}
		want := []string{"TENANT.example.com CNAME lb2.example.net"}
		if got := recordsOf(at.records(), tenant); !slices.Equal(got, want) {
			t.Errorf("%s: there is %q, want %q: old names stay for ever", provider, got, want)
		}
	}
}

func TestDNSRefusesRecords(t *testing.T) {
	for _, record := range []string{
		"x", "a.example.com CNAME", "a b.example.com CNAME c.example.net", "-a.example.com A 192.0.2.1", "a.example.com A 192.0.2.256", "a.example.com AAAA 192.0.2.1",
		"a.example.com MX 10 b", "*.example.com A 192.0.2.1", "аcme.example.com A 192.0.2.1", "a.example.com TXT \"x", "a.example.com CNAME evil.example.net\nx A 192.0.2.1",
	} {
		in := dnsInput(t, "route53", newTenant(), record)
		if _, err := newState().process(&network{}).kinds["dns"].Apply(context.Background(), in); class(err) != step.Refused {
			t.Errorf("record %q: %v, want it refused: the zone gets a record that nobody can use", record, err)
		}
	}
}

func TestDNSWrongToken(t *testing.T) {
	in := dnsInput(t, "cloudflare", newTenant(), "TENANT.example.com CNAME lb.example.net")
	in.Parameters = []byte(strings.Replace(string(in.Parameters), cloudflareToken, cloud.PutSecret("wrong-token", "wrong-token-4d5e6f"), 1))
	_, err := newState().process(&network{}).kinds["dns"].Apply(context.Background(), in)
	if class(err) != step.Refused || strings.Contains(fmt.Sprint(err), "4d5e6f") {
		t.Errorf("%v: want it refused, without the token", err)
	}
}

func dnsInput(t *testing.T, provider, tenant string, records ...string) step.Input {
	p := map[string]any{"records": records}
	if provider == "cloudflare" {
		p["token"] = cloudflareToken
	}
	for k, v := range providers[provider].parameters {
		p[k] = v
	}
	return input(t, tenant, "dns-production", p)
}

func recordsOf(all []string, tenant string) (found []string) {
	for _, r := range all {
		if strings.Contains(r, tenant) {
			found = append(found, strings.ReplaceAll(r, tenant, "TENANT"))
		}
	}
	slices.Sort(found)
	return found
}
