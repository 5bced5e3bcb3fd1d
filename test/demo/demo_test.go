package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"deployhooks/test/hooks"
)

// TestDemo builds the function, plays the demo with it, and holds what the demo
// is there to show.
func TestDemo(t *testing.T) {
	build, out := t.TempDir(), t.TempDir()
	if err := hooks.Build(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	if err := demo(build, out); err != nil {
		t.Fatalf("the demo fails before the eyes of whoever tries it first: %v", err)
	}
	var report struct {
		BlueGreen, ScaleIn map[string]figures
		Tenant             tenantFigures
	}
	text := read(t, out, "report.json")
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatalf("report.json: %v\n%s", err, text)
	}
	for scenario, runs := range map[string]map[string]figures{"blueGreen": report.BlueGreen, "scaleIn": report.ScaleIn} {
		without, with := runs["without"], runs["with"]
		if without.Failed == 0 || without.Requests < 1000 {
			t.Errorf("%s: without the hooks %d of %d requests fail: the scenario shows no harm", scenario, without.Failed, without.Requests)
		}
		if with.Failed != 0 || with.Requests != without.Requests {
			t.Errorf("%s: with the hooks %d of %d requests fail, of %d without: users feel it", scenario, with.Failed, with.Requests, without.Requests)
		}
	}
	with := report.BlueGreen["with"]
	if len(with.Changes) == 0 || !strings.Contains(with.Changes[0], "attach target group web") {
		t.Errorf("the report does not name what the hooks did: %q", with.Changes)
	}
	checkTenant(t, report.Tenant)
	page := read(t, out, "report.html")
	if link := regexp.MustCompile(`https?:|<script|<link|@import|url\(`).FindString(page); link != "" {
		t.Errorf("the page loads something from elsewhere (%q), and cannot be looked at everywhere", link)
	}
	for _, says := range append(with.Changes, "Why requests fail:", "within seconds", "Critical path: reserve-", "answered 503", "estimated from", ">globex<", "failed</title>") {
		if !strings.Contains(page, says) {
			t.Errorf("the page does not say %q", says)
		}
	}
}

// checkTenant holds that the launch is shown with each of its steps, and with a critical path that takes
// most of its time and no more.
func checkTenant(t *testing.T, launched tenantFigures) {
	t.Helper()
	took := map[string]float64{}
	for _, s := range launched.Steps {
		took[s.Name] = s.Seconds
		if s.Seconds <= 0 {
			t.Errorf("step %s is reported without the time that it took", s.Name)
		}
	}
	path := 0.0
	for _, name := range launched.CriticalPath {
		path += took[name]
	}
	if len(took) < 20 || len(launched.CriticalPath) < 3 || path <= 0 || path > launched.Seconds {
		t.Errorf("%d steps, a critical path %q of %g s and a launch of %g s: the chart shows something else than what happened", len(took), launched.CriticalPath, path, launched.Seconds)
	}
}

func read(t *testing.T, folder, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
