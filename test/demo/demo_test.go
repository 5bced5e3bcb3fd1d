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

// TestDemo builds the function, plays the demo with it, and checks what the demo
// is to show.
func TestDemo(t *testing.T) {
	build, out := t.TempDir(), t.TempDir()
	if err := hooks.Build(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	if err := demo(build, out); err != nil {
		t.Fatalf("the demo fails for everybody who tries it: %v", err)
	}
	var report map[string]map[string]figures
	text := read(t, out, "report.json")
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatalf("report.json: %v\n%s", err, text)
	}
	for _, scenario := range []string{"blueGreen", "scaleIn"} {
		without, with := report[scenario]["without"], report[scenario]["with"]
		if without.Failed == 0 || without.Requests < 1000 {
			t.Errorf("%s: without the hooks %d of %d requests fail: the scenario shows no harm", scenario, without.Failed, without.Requests)
		}
		if with.Failed != 0 || with.Requests != without.Requests {
			t.Errorf("%s: with the hooks %d of %d requests fail, of %d without: users feel it", scenario, with.Failed, with.Requests, without.Requests)
		}
	}
	with := report["blueGreen"]["with"]
	if len(with.Changes) == 0 || !strings.Contains(with.Changes[0], "attach target group web") {
		t.Errorf("the report does not name what the hooks did: %q", with.Changes)
	}
	page := read(t, out, "report.html")
	if link := regexp.MustCompile(`https?:|<script|<link|@import|url\(`).FindString(page); link != "" {
		t.Errorf("the page loads something from elsewhere (%q), and does not display offline", link)
	}
	for _, says := range append(with.Changes, "Why requests fail:", "within seconds") {
		if !strings.Contains(page, says) {
			t.Errorf("the page does not say %q", says)
		}
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
