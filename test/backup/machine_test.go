package backup_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"deployhooks/pkg/backup"
)

// TestDefinitionValid: asl-validator accepts the definition; the region does in every other
// test.
func TestDefinitionValid(t *testing.T) {
	npx, err := exec.LookPath("npx")
	if err != nil {
		t.Fatal("npx is not installed: it comes with npm, which comes with Node from https://nodejs.org")
	}
	definition, err := backup.Machine()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "machine.json")
	text := strings.NewReplacer("${Partition}", "aws", "${FunctionArn}", "arn:aws:lambda:eu-west-1:123456789012:function:backup").Replace(string(definition))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(npx, "--yes", "asl-validator@4.0.0", "--json-path", path).CombinedOutput(); err != nil {
		t.Errorf("asl-validator: %v\n%s", err, said)
	}
}

// TestTransitions counts what a proof costs: Standard workflows are priced by the transition.
func TestTransitions(t *testing.T) {
	e := newEnvironment(t)
	e.play(prove)
	if got := e.Transitions(e.Executions()[0]); got > 200 {
		t.Errorf("a proof of half an hour takes %d state transitions", got)
	}
}
