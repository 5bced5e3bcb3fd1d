package steps

import (
	"context"
	"maps"
	"strings"
	"testing"

	"deployhooks/pkg/tenant/step"
)

// TestConfigFileNames: a file's name may have spaces, and no part of it is a key.
func TestConfigFileNames(t *testing.T) {
	tenant := newTenant()
	in := input(t, tenant, "config", parameters()["config"])
	changed := maps.Clone(files)
	changed["templates/my "+tenant+"-list.yml"] = files["templates/config.yml"]
	in.Files = changed
	in.Before = apply(t, "config", in)
	cloud.PutObject(tenant+"-list.yml", "somebody else's")
	apply(t, "config", in)
	if state, err := newState().process(&network{}).kinds["config"].Check(context.Background(), in); err != nil || state != step.Present {
		t.Errorf("the files are %s, %v: each change writes them again", state, err)
	}
	if err := newState().process(&network{}).kinds["config"].Undo(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if cloud.Objects()[tenant+"-list.yml"] == "" {
		t.Error("an object outside the tenant's prefix is deleted")
	}
	if left := of(tenant); len(left) > 0 {
		t.Errorf("%v is left of a removed tenant", left)
	}
}

// TestMovedObjects: a blueprint that moves what a step writes leaves nothing at the former place.
func TestMovedObjects(t *testing.T) {
	for kind, harm := range map[string]string{
		"config":   "an instance reads configuration that is never changed again",
		"branding": "the former address shows colours that nobody changes any more",
		"activate": "a removed tenant stays activated",
	} {
		t.Run(kind, func(t *testing.T) {
			ctx := context.Background()
			tenant := newTenant()
			k := newState().process(&network{}).kinds[kind]
			in := input(t, tenant, kind, parameters()[kind])
			in.Before = apply(t, kind, in)
			in.Parameters = []byte(strings.Replace(string(in.Parameters), `"prefix":"`+tenant+`/`, `"prefix":"`+tenant+`/moved/`, 1))
			if state, err := k.Check(ctx, in); err != nil || state != step.Drifted {
				t.Errorf("moved objects are %s, %v", state, err)
			}
			if err := k.Undo(ctx, in); err != nil || len(of(tenant)) > 0 {
				t.Errorf("a removal before the move leaves %v, %v: %s", of(tenant), err, harm)
			}
			in.Before = apply(t, kind, input(t, tenant, kind, parameters()[kind]))
			apply(t, kind, in)
			for key := range of(tenant) {
				if !strings.HasPrefix(key, "moved/") {
					t.Errorf("%s is left: %s", key, harm)
				}
			}
		})
	}
}

// TestObjectsChangedByHand: an object that somebody has changed is written again.
func TestObjectsChangedByHand(t *testing.T) {
	tenant := newTenant()
	in := input(t, tenant, "branding", parameters()["branding"])
	out := apply(t, "branding", in)
	want := of(tenant)
	cloud.PutObject(out["css"], want["branding/branding.css"]+"/* more */\n")
	k := newState().process(&network{}).kinds["branding"]
	if state, err := k.Check(context.Background(), in); err != nil || state != step.Drifted {
		t.Errorf("an object with more in it is %s, %v", state, err)
	}
	apply(t, "branding", in)
	if got := of(tenant)["branding/branding.css"]; got != want["branding/branding.css"] {
		t.Error("what somebody has put there stays")
	}
}
