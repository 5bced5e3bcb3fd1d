package infra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/spec"
)

// shown is what the README has after a marker: the code of its block, or the table.
// `go test ./test/infra -update` writes want there, unless it is empty.
func shown(t *testing.T, marker, want string) string {
	t.Helper()
	text := readme(t)
	before, rest, found := strings.Cut(text, "<!-- "+marker+": kept true by a test in test/infra -->\n\n")
	if !found {
		t.Fatalf("the README has no %s", marker)
	}
	end, open := "\n\n", 0
	if strings.HasPrefix(rest, "```") {
		end, open = "```\n", strings.Index(rest, "\n")+1
	}
	block, _, _ := strings.Cut(rest[open:], end)
	if *update && want != "" && block != want {
		if err := os.WriteFile(filepath.Join("..", "..", "README.md"), []byte(strings.Replace(text, before+"<!-- "+marker+": kept true by a test in test/infra -->\n\n"+rest[:open]+block, before+"<!-- "+marker+": kept true by a test in test/infra -->\n\n"+rest[:open]+want, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return want
	}
	return block
}

// The README's blueprint compiles, and what the README says of a wrong one is what
// synthesis says. These tests write the README and so do not run in parallel.
func TestREADMEOfBlueprints(t *testing.T) {
	text := shown(t, "blueprint", "")
	load := func(text string) (*blueprint.Blueprint, error) {
		return source.Load(fstest.MapFS{
			"blueprint.yaml": {Data: []byte(text)}, "content.sql": {Data: []byte("SELECT 1;\n")},
			"migrations/00001_first.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n")},
		}, kinds.Descriptions())
	}
	if _, err := load(text); err != nil {
		t.Errorf("people begin with a blueprint that is refused:\n%v", err)
	}
	_, err := load(strings.NewReplacer("kind: postgres", "kind: postgress", "${environment.balancer}", "${environment.balanser}", "needs: [database, dns]", "needs: [database, dns, storage]").Replace(text))
	if err == nil {
		t.Fatal("a wrong blueprint compiles")
	}
	if diff := cmp.Diff(err.Error()+"\n", shown(t, "faults", err.Error()+"\n")); diff != "" {
		t.Errorf("the README shows other faults than synthesis (-code +README):\n%s", diff)
	}
}

func TestREADMEOfRequests(t *testing.T) {
	var request struct {
		Tenant, Operation, ID string
		Spec                  json.RawMessage
	}
	d := json.NewDecoder(strings.NewReader(shown(t, "request", "")))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		t.Fatalf("people send what intake does not read: %v", err)
	}
	if faults := spec.Validate(exampleBlueprint(t).Spec, request.Spec); len(faults) > 0 {
		t.Errorf("people send a request that is rejected: %v", faults)
	}
}

func TestREADMEOfKinds(t *testing.T) {
	all := kinds.Descriptions()
	var table strings.Builder
	table.WriteString("| kind | class | what a step of it does |\n| --- | --- | --- |")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&table, "\n| `%s` | %s | %s |", name, all[name].Class, all[name].Summary)
	}
	if diff := cmp.Diff(table.String(), shown(t, "kinds", table.String())); diff != "" {
		t.Errorf("people learn of other kinds than there are; run `go test ./test/infra -update` (-code +README):\n%s", diff)
	}
	testGolden(t, filepath.Join("..", "..", "pkg", "tenant", "step", "README.md"),
		"# Kinds of steps\n\nMade of the kinds' descriptions by `go test ./test/infra -update`. \"Needed\" are parameters that a step must have; a parameter that names a file or a folder names one of the blueprint's.\n\n"+strings.TrimRight(blueprint.Kinds(all), "\n")+"\n")
}

// The answers are those of intake's tests.
func TestREADMEOfAnswers(t *testing.T) {
	for _, name := range []string{"tenants", "tenant-held"} {
		golden, err := os.ReadFile(filepath.Join("..", "..", "pkg", "tenant", "intake", "testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		want := narrow(string(golden))
		if diff := cmp.Diff(want, shown(t, "answer "+name, want)); diff != "" {
			t.Errorf("portals read another answer than intake gives; run `go test ./test/infra -update` (-code +README):\n%s", diff)
		}
		var a, b bytes.Buffer
		if err := json.Compact(&a, golden); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&b, []byte(want)); err != nil || a.String() != b.String() {
			t.Errorf("the shortened %s is not the answer: %v", name, err)
		}
	}
}

// innermost are objects and lists that hold no others.
var innermost = regexp.MustCompile(`[{\[][^{}\[\]]*[}\]]`)

// narrow is JSON with its innermost objects and lists on one line each.
func narrow(text string) string {
	space := regexp.MustCompile(`\n\s*`)
	brackets := strings.NewReplacer("{ ", "{", " }", "}", "[ ", "[", " ]", "]")
	text = innermost.ReplaceAllStringFunc(text, func(s string) string { return brackets.Replace(space.ReplaceAllString(s, " ")) })
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

func TestREADMEOfIntakesEvents(t *testing.T) {
	d := json.NewDecoder(strings.NewReader(shown(t, "intake event", "")))
	d.DisallowUnknownFields()
	var report intake.Report
	if err := d.Decode(&report); err != nil {
		t.Errorf("people match fields that intake does not write: %v", err)
	}
}

// The README names every action of the tenants' functions, and no other.
func TestREADMEOfTenantsPermissions(t *testing.T) {
	_, rest, _ := strings.Cut(readme(t), "### What the functions may do\n")
	section, _, found := strings.Cut(rest, "\n**Network.**")
	if !found {
		t.Fatal("the README does not say what the tenants' functions may do")
	}
	action := regexp.MustCompile(`^[a-z0-9-]+:[A-Z]`)
	documented := slices.DeleteFunc(documentedActions(section), func(code string) bool { return !action.MatchString(code) })
	var all []string
	for _, template := range []template{tenancy, tenancyNet} {
		for _, role := range []string{"IntakeRole", "NetworkRole", "DatabaseRole", "StorageRole", "MailRole", "ControlRole"} {
			all = append(all, allowed(template.permissions(role))...)
		}
	}
	// The shipped blueprint has its DNS at Cloudflare. KMS is what a key's own policy allows.
	others := []string{"route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets", "kms:Decrypt"}
	if diff := cmp.Diff(set(all), without(set(documented), others)); diff != "" {
		t.Errorf("the roles are other than the README says (-roles +README):\n%s", diff)
	}
}

// Every alarm of the tenants stack that is not one of every function has its entry.
func TestREADMEHasARunbookForTenants(t *testing.T) {
	_, rest, _ := strings.Cut(readme(t), "### Runbook of tenants\n")
	section, _, _ := strings.Cut(rest, "\n### ")
	if want := fmt.Sprintf("each of its %d alarms", len(tenancy.of("AWS::CloudWatch::Alarm"))); !strings.Contains(rest, want) {
		t.Errorf("the README does not say what alarms cost: %q", want)
	}
	for id := range tenancy.of("AWS::CloudWatch::Alarm") {
		ends := func(suffixes ...string) bool {
			return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name(id), s) })
		}
		suffix := regexp.MustCompile(`[A-Z][a-z]+([A-Z][a-z]+)?Alarm$`).FindString(name(id))
		for _, machine := range []string{"Converge", "Remove"} {
			suffix = strings.TrimPrefix(suffix, machine)
		}
		if !ends("ErrorAlarm", "ThrottleAlarm") && !strings.HasPrefix(id, "Intake") && !strings.Contains(section, suffix) {
			t.Errorf("alarm %s (%s) has no entry in the runbook: who gets it does not know what to do", id, suffix)
		}
	}
}
