package infra

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/blueprint/example"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/library"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

// exampleFolder is the blueprint that the project ships.
var exampleFolder = filepath.Join("..", "..", "pkg", "tenant", "blueprint", "example", "files")

func tenantSettings() map[string]any {
	return map[string]any{"deployhooks:blueprint": exampleFolder}
}

// fullTenantSettings configure every key that changes the tenants' template.
func fullTenantSettings() map[string]any {
	settings := fullContext()
	maps.Copy(settings, tenantSettings())
	settings["deployhooks:removalDelayHours"] = "72"
	settings["deployhooks:databaseSubnets"] = "subnet-0a1b2c3d,subnet-1a1b2c3d"
	settings["deployhooks:databaseSecurityGroups"] = []any{"sg-0a1b2c3d"}
	return settings
}

func exampleBlueprint(t *testing.T) *blueprint.Blueprint {
	t.Helper()
	b, err := source.Load(example.FS(), kinds.Descriptions())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenTenants(t *testing.T) {
	t.Parallel()
	for file, template := range map[string]template{"tenants.txt": tenancy, "tenants-configured.txt": tenancyNet} {
		testGolden(t, filepath.Join("testdata", file), summary(template))
	}
	for function, role := range map[string]string{"intake": "IntakeRole", "network": "NetworkRole", "database": "DatabaseRole", "storage": "StorageRole", "mail": "MailRole", "control": "ControlRole"} {
		testGolden(t, filepath.Join("..", "harness", "policies", function+".json"), tenancy.policy(t, role))
	}
}

// The shipped blueprint compiles, but its zones and secrets are nobody's.
func TestValuesOfTheExampleAreWarnedOf(t *testing.T) {
	t.Parallel()
	said := strings.Join(warnings["tenancy"], "\n")
	if !strings.Contains(said, "marked REPLACE in the lines [19 21 22 ") {
		t.Errorf("the synthesis of the example says %q: launches are held for a zone that was never replaced", said)
	}
}

// What is deployed is what package workflow defines, with each substitution it needs and no other.
func TestStateMachinesAreThoseOfTheBlueprint(t *testing.T) {
	t.Parallel()
	b := exampleBlueprint(t)
	for id, define := range map[string]func() ([]byte, error){
		"Converge": func() ([]byte, error) { return workflow.Converge(b) },
		"Remove":   func() ([]byte, error) { return workflow.Remove(b) },
		"Manual":   workflow.Manual,
	} {
		want, err := define()
		if err != nil {
			t.Fatal(err)
		}
		machine := tenancy.only("AWS::StepFunctions::StateMachine", id)
		if got := machine.Properties["DefinitionString"]; got != string(want) {
			t.Errorf("%s: the template's definition is not the workflow's", id)
		}
		substitutions, _ := machine.Properties["DefinitionSubstitutions"].(map[string]any)
		for name := range substitutions {
			if !bytes.Contains(want, []byte("${"+name+"}")) {
				t.Errorf("%s: %s is substituted and not used, so the machine may invoke what it does not call", id, name)
			}
		}
		for _, class := range step.Classes() {
			name := workflow.Substitution(class)
			if bytes.Contains(want, []byte("${"+name+"}")) && substitutions[name] == nil {
				t.Errorf("%s: ${%s} is not substituted, so the deployment fails", id, name)
			}
		}
		if at(machine.Properties, "LoggingConfiguration", "IncludeExecutionData") != false {
			t.Errorf("%s: inputs and outputs are logged", id)
		}
		if at(machine.Properties, "TracingConfiguration", "Enabled") != true {
			t.Errorf("%s: not traced", id)
		}
	}
}

// An operation ends with the state machine that it began with.
func TestVersionsOfStateMachinesStay(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"ConvergeVersion", "RemoveVersion"} {
		v := tenancy.only("AWS::StepFunctions::StateMachineVersion", id)
		if v.DeletionPolicy != "Retain" || v.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s: deletion %q, replacement %q: an operation that runs or is held loses its state machine at the next deployment", id, v.DeletionPolicy, v.UpdateReplacePolicy)
		}
		if words(v.Properties["StateMachineRevisionId"]) == "" {
			t.Errorf("%s has no revision, so a changed definition publishes no version", id)
		}
	}
}

// What is known of tenants and what is theirs outlives the stack.
func TestTenantsOutliveTheStack(t *testing.T) {
	t.Parallel()
	for kind, id := range map[string]string{"AWS::DynamoDB::Table": "Registry", "AWS::S3::Bucket": "Bucket"} {
		if r := tenancy.only(kind, id); r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s is deleted with the stack", id)
		}
	}
	bucket := tenancy.only("AWS::S3::Bucket", "Bucket").Properties
	if at(bucket, "VersioningConfiguration", "Status") != "Enabled" {
		t.Error("the bucket keeps no versions: what a step overwrites by mistake is lost")
	}
	for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if at(bucket, "PublicAccessBlockConfiguration", block) != true {
			t.Errorf("the bucket may be made public: %s is off", block)
		}
	}
}

// A worker has the network of its class, and only the database's has one.
func TestDatabaseWorkerIsInTheNetwork(t *testing.T) {
	t.Parallel()
	for id, f := range tenancyNet.of("AWS::Lambda::Function") {
		network := f.Properties["VpcConfig"] != nil
		if database := strings.HasPrefix(id, "Database"); network != database {
			t.Errorf("%s: in the VPC is %v, want %v", id, network, database)
		}
	}
	for id, f := range tenancy.of("AWS::Lambda::Function") {
		if f.Properties["VpcConfig"] != nil {
			t.Errorf("%s is in a VPC that nobody configured", id)
		}
	}
}

// No worker may do what only another class does.
func TestClassesAreApart(t *testing.T) {
	t.Parallel()
	owners := map[string]string{"secretsmanager:CreateSecret": "Database", "ses:CreateEmailIdentity": "Mail", "states:StartExecution": "Control"}
	for action, owner := range owners {
		for _, class := range step.Classes() {
			id := strings.ToUpper(string(class[:1])) + string(class[1:])
			allowed := strings.Contains(tenancy.policy(t, id+"Role"), `"`+action+`"`)
			if allowed != (id == owner) {
				t.Errorf("worker %s: %s is allowed: %v, want %v", id, action, allowed, id == owner)
			}
		}
	}
}

// Intake calls what the library calls, and may learn that a blueprint is missing; workers find
// what intake has kept. What else the roles need, test/tenant and test/steps play.
func TestRolesReadBlueprints(t *testing.T) {
	t.Parallel()
	called := []string{"s3:ListBucket"}
	for method := range reflect.TypeFor[library.Objects]().Methods() {
		called = append(called, "s3:"+method.Name)
	}
	for role, want := range map[string][]string{"IntakeRole": set(called), "NetworkRole": {"s3:GetObject"}, "DatabaseRole": {"s3:GetObject"}, "MailRole": {"s3:GetObject"}, "ControlRole": {"s3:GetObject"}} {
		got := slices.DeleteFunc(allowed(tenancy.permissions(role)), func(action string) bool { return !strings.HasPrefix(action, "s3:") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: blueprints cannot be read, or more than they can be (-called +allowed):\n%s", role, diff)
		}
	}
}

// Intake hears of executions that end of the machines that it starts, and of no others.
func TestIntakeHearsOfExecutions(t *testing.T) {
	t.Parallel()
	rule := tenancy.only("AWS::Events::Rule", "IntakeExecutions")
	pattern, err := json.Marshal(rule.Properties["EventPattern"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"aws.states", "Step Functions Execution Status Change", "FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED", "Converge", "Remove"} {
		if !strings.Contains(string(pattern), want) {
			t.Errorf("the rule does not match %s: %s", want, pattern)
		}
	}
	if strings.Contains(string(pattern), "Manual") {
		t.Error("the rule matches executions that wait for people, which intake does not start")
	}
}

func TestTenantSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]any
		want     string
	}{
		"a network without a blueprint": {map[string]any{"deployhooks:databaseSubnets": "subnet-0a1b2c3d", "deployhooks:databaseSecurityGroups": "sg-0a1b2c3d"}, "without deployhooks:blueprint"},
		"a delay without a blueprint":   {map[string]any{"deployhooks:removalDelayHours": "48"}, "without deployhooks:blueprint"},
		"subnets alone":                 {map[string]any{"deployhooks:blueprint": "x", "deployhooks:databaseSubnets": "subnet-0a1b2c3d"}, "needs both"},
		"security groups alone":         {map[string]any{"deployhooks:blueprint": "x", "deployhooks:databaseSecurityGroups": "sg-0a1b2c3d"}, "needs both"},
		"a name for an ID":              {map[string]any{"deployhooks:blueprint": "x", "deployhooks:databaseSubnets": "private-a"}, "not the ID of a subnet"},
	} {
		_, err := config.Parse(c.settings)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The faults of a blueprint are those of the synthesis.
func TestBlueprintsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Tenants missing folder": "is not a directory",
		"Tenants faults":         "blueprint.yaml:",
		"Tenants no topic":       "NoticeTopic: required",
	} {
		if got := refusals[name]; !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := slices.Collect(strings.Lines(refusals["Tenants faults"])); len(got) < 3 {
		t.Errorf("only the first fault is reported: %q", got)
	}
}
