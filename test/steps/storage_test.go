package steps

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"deployhooks/pkg/tenant/step"
)

// of are a tenant's objects, by their keys without its name.
func of(tenant string) map[string]string {
	found := map[string]string{}
	for key, body := range cloud.Objects() {
		if rest, ok := strings.CutPrefix(key, tenant+"/"); ok {
			found[rest] = body
		}
	}
	return found
}

func TestS3PrefixKeepsWhatTheTenantChanged(t *testing.T) {
	tenant := newTenant()
	p := newState().process(&network{})
	in := input(t, tenant, "storage", parameters()["s3-prefix"])
	out := apply(t, "s3-prefix", in)
	for _, name := range []string{"a.txt", "deep/b.html"} {
		if of(tenant)["production/"+name] == "" {
			t.Errorf("there is no %s: the instance has no content", name)
		}
	}
	var policy map[string]any
	if err := json.Unmarshal([]byte(out["policy"]), &policy); err != nil || !strings.Contains(out["policy"], `"arn:aws:s3:::tenants/`+tenant+`/production/*"`) {
		t.Errorf("policy %s, %v: the instance cannot read its objects, or reads others'", out["policy"], err)
	}
	cloud.DeleteObject(tenant + "/production/deep/b.html")
	in.Before, in.Files = out, broken("first/a.txt", "newer")
	if _, err := p.kinds["s3-prefix"].Apply(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if got := of(tenant)["production/a.txt"]; got != "first" {
		t.Errorf("a.txt is %q: a change overwrites the tenant's content", got)
	}
	if _, there := of(tenant)["production/deep/b.html"]; there {
		t.Error("a change brings back what the tenant has deleted")
	}
}

// TestS3PrefixHalfFilled: a try that goes on after one that was killed keeps what the tenant has changed meanwhile.
func TestS3PrefixHalfFilled(t *testing.T) {
	in := input(t, newTenant(), "storage", parameters()["s3-prefix"])
	cloud.PutObject(in.Tenant+"/production/a.txt", "the tenant's")
	apply(t, "s3-prefix", in)
	if got := of(in.Tenant); got["production/a.txt"] != "the tenant's" || got["production/deep/b.html"] == "" {
		t.Errorf("there is %v: the tenant's content is overwritten, or incomplete", got)
	}
}

// TestS3PrefixKept: a prefix is not moved, as the tenant's objects are not, and has no wildcards of IAM.
func TestS3PrefixKept(t *testing.T) {
	in := input(t, newTenant(), "storage", parameters()["s3-prefix"])
	in.Before = apply(t, "s3-prefix", in)
	for prefix, harm := range map[string]string{
		"TENANT/moved": "the instance finds none of its objects", "TENANT/a*": "the instance reads what is not its own", "TENANT/${aws:username}": "the instance reads what is not its own",
	} {
		p := parameters()["s3-prefix"]
		p["prefix"] = prefix
		other := input(t, in.Tenant, "storage", p)
		if other.Before = in.Before; prefix != "TENANT/moved" {
			other.Before = nil
		}
		if _, err := newState().process(&network{}).kinds["s3-prefix"].Apply(context.Background(), other); class(err) != step.Refused {
			t.Errorf("prefix %s: %v: %s", prefix, err, harm)
		}
	}
}

// TestPrefixes holds that no step touches what is not under its tenant's prefix.
func TestPrefixes(t *testing.T) {
	for _, prefix := range []string{"", "/", "other/production", "tenant", "TENANT/../other", "TENANTx", "//", "./TENANT", "TENANT/\n", "blueprints/TENANT"} {
		for kind, more := range map[string]map[string]any{
			"s3-prefix": {}, "activate": {"host": "x"}, "branding": {"palette": map[string]string{"text": "#000000", "background": "#ffffff"}},
			"config": {"templates": "templates", "values": map[string]string{"title": "x", "host": "x"}},
		} {
			p := maps.Clone(more)
			p["prefix"] = prefix
			in := input(t, newTenant(), kind, p)
			k := newState().process(&network{}).kinds[kind]
			if _, err := k.Apply(context.Background(), in); class(err) != step.Refused {
				t.Errorf("%s with prefix %q: %v: a tenant writes where others are", kind, prefix, err)
			}
			if err := k.Undo(context.Background(), in); class(err) != step.Refused {
				t.Errorf("undo of %s with prefix %q: %v: a removal deletes what others have", kind, prefix, err)
			}
		}
	}
}

func TestConfigFollowsTheBlueprint(t *testing.T) {
	tenant := newTenant()
	in := input(t, tenant, "config", parameters()["config"])
	in.Before = apply(t, "config", in)
	want := map[string]string{"config/config.yml": "title: \"x: [\"\n", "config/nginx.conf": "server_name " + tenant + ".example.com;\n"}
	if d := gocmp.Diff(want, of(tenant)); d != "" {
		t.Errorf("files (-want +got): the instance starts with a wrong configuration\n%s", d)
	}
	changed := maps.Clone(files)
	delete(changed, "templates/nginx.conf")
	in.Files = changed
	apply(t, "config", in)
	if _, there := of(tenant)["config/nginx.conf"]; there {
		t.Error("nginx.conf stays, although the blueprint has it no more")
	}
}

func TestBranding(t *testing.T) {
	tenant := newTenant()
	apply(t, "branding", input(t, tenant, "branding", map[string]any{"prefix": "TENANT", "palette": map[string]string{"text": "#111111", "background": "#FFFFFF", "onPrimary": "#ffffff", "primary": "#0044cc"}}))
	want := map[string]string{
		"branding.css":  ":root {\n  --brand-background: #ffffff;\n  --brand-onPrimary: #ffffff;\n  --brand-primary: #0044cc;\n  --brand-text: #111111;\n}\n",
		"branding.json": "{\n  \"background\": \"#ffffff\",\n  \"onPrimary\": \"#ffffff\",\n  \"primary\": \"#0044cc\",\n  \"text\": \"#111111\"\n}\n",
	}
	if d := gocmp.Diff(want, of(tenant)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	for name, palette := range map[string]map[string]string{
		"grey on white":   {"text": "#aaaaaa", "background": "#ffffff"},
		"css in a colour": {"text": "#000;}body{display:none", "background": "#ffffff"},
		"css in a role":   {"a: red; } body": "#000000"},
		"no colour":       {"text": "black", "background": "#ffffff"},
		"an empty role":   {"": "#000000"},
	} {
		_, err := newState().process(&network{}).kinds["branding"].Apply(context.Background(), input(t, newTenant(), "branding", map[string]any{"prefix": "TENANT", "palette": palette}))
		if class(err) != step.Refused {
			t.Errorf("%s: %v: users get a page that they cannot read", name, err)
		}
	}
}
