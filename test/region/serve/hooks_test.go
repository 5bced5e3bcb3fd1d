package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"deployhooks/test/hooks"
)

// TestTheHooksRepairByThemselves is what the guide promises with --hooks: a
// release, some time, and the copy is attached.
func TestTheHooksRepairByThemselves(t *testing.T) {
	t.Parallel()
	build := t.TempDir()
	if err := hooks.Build(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	s := newSample("http://"+server.Listener.Addr().String(), options{perSecond: 10, hooks: true, build: build})
	server.Config.Handler = s.handler()
	server.Start()
	defer server.Close()
	var said strings.Builder
	stop, err := s.startHooks(t.Context(), &said)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	s.get(t, "POST", "deploy", nil)
	s.get(t, "POST", "advance?seconds=900", nil)
	var after state
	s.get(t, "GET", "state", &after)
	if len(after.AutoScalingGroups) != 1 || len(after.AutoScalingGroups[0].TrafficSources) != 1 || after.AutoScalingGroups[0].TrafficSources[0].State != "InService" {
		t.Errorf("a quarter of an hour after a release the copy is not attached: %+v", after.AutoScalingGroups)
	}
	var told struct {
		Notices []struct{ Subject string }
	}
	s.get(t, "GET", "notices", &told)
	if len(told.Notices) == 0 || !strings.Contains(told.Notices[0].Subject, "repaired: shop/web") {
		t.Errorf("people are not told of the repair: %+v", told)
	}
	if !strings.Contains(said.String(), "repaired: shop/web") {
		t.Errorf("whoever watches the terminal sees nothing of the repair: %q", said.String())
	}
	for _, want := range []string{"The built repair function runs in it", "attached, by the hooks"} {
		if !strings.Contains(s.guide(), want) {
			t.Errorf("the guide lacks %q", want)
		}
	}
}
