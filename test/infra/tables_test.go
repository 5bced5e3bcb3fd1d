package infra

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/config"
)

func TestBaselinesOutliveTheStack(t *testing.T) {
	t.Parallel()
	table := plain.only("AWS::DynamoDB::Table", "Baselines")
	// A first deployment that fails leaves none, as its name would be taken in the next.
	if table.DeletionPolicy != "RetainExceptOnCreate" || table.UpdateReplacePolicy != "Retain" {
		t.Error("cdk destroy, or a change of the table, throws the baselines away, or a first deployment that failed cannot be repeated")
	}
	for property, want := range map[string]string{
		"KeySchema":                        "AttributeName=application KeyType=HASH, AttributeName=deploymentGroup KeyType=RANGE",
		"AttributeDefinitions":             "AttributeName=application AttributeType=S, AttributeName=deploymentGroup AttributeType=S",
		"BillingMode":                      "PAY_PER_REQUEST",
		"PointInTimeRecoverySpecification": "PointInTimeRecoveryEnabled=true",
		"SSESpecification":                 "SSEEnabled=true",
	} {
		if got := words(table.Properties[property]); got != want {
			t.Errorf("the table's %s is %q, want %q", property, got, want)
		}
	}
	var retained []string
	for id, r := range plain.Resources {
		if strings.HasPrefix(r.DeletionPolicy, "Retain") {
			retained = append(retained, name(id))
		}
	}
	// The drains' table is not among them: nothing acts on it any more.
	if diff := cmp.Diff([]string{"Baselines"}, retained); diff != "" {
		t.Errorf("cdk destroy leaves more behind than is meant (-want +got):\n%s", diff)
	}
}

// After a destroy, the same stack must not begin without its baselines in
// silence: the table's name is taken, so the deployment fails, and with
// deployhooks:baselineTable the stack uses it.
func TestBaselinesAreUsedAgain(t *testing.T) {
	t.Parallel()
	const table = "deployhooks-baselines"
	if got := plain.only("AWS::DynamoDB::Table", "Baselines").Properties["TableName"]; got != table {
		t.Errorf("the table's name is %v, want %s: a stack that is deployed again gets another, empty one", got, table)
	}
	if description := plain.Outputs[config.TableOutput].Description; !strings.Contains(description, "deployhooks:baselineTable") {
		t.Errorf("the output of the table's name does not say how to use it again: %q", description)
	}
	for id := range configured.of("AWS::DynamoDB::Table") {
		if strings.HasPrefix(id, "Baselines") {
			t.Error("with a table configured, another one is made")
		}
	}
	if got := words(configured.Outputs[config.TableOutput].Value); got != table {
		t.Errorf("the output names the table %s, want %s", got, table)
	}
	want := []string{"arn:<Partition>:dynamodb:<Region>:<AccountId>:table/" + table}
	if diff := cmp.Diff(want, configured.statementsOf("RepairRole")["KeepBaselines"].Resources); diff != "" {
		t.Errorf("repair may not use the configured table (-want +got):\n%s", diff)
	}
}

func TestDrainsExpireAndOpenOnesAreReadAlone(t *testing.T) {
	t.Parallel()
	table := plain.only("AWS::DynamoDB::Table", "Drains")
	if table.DeletionPolicy != "Delete" {
		t.Error("cdk destroy leaves a table behind that nothing uses")
	}
	for property, want := range map[string]string{
		"KeySchema":               "AttributeName=instance KeyType=HASH",
		"AttributeDefinitions":    "AttributeName=instance AttributeType=S, AttributeName=open AttributeType=S",
		"GlobalSecondaryIndexes":  "IndexName=open KeySchema=AttributeName=open KeyType=HASH, AttributeName=instance KeyType=RANGE Projection=ProjectionType=ALL",
		"BillingMode":             "PAY_PER_REQUEST",
		"SSESpecification":        "SSEEnabled=true",
		"TimeToLiveSpecification": "AttributeName=expires Enabled=true",
	} {
		if got := words(table.Properties[property]); got != want {
			t.Errorf("the table's %s is %q, want %q", property, got, want)
		}
	}
	if diff := cmp.Diff([]string{"<Drains.Arn>/index/open"}, plain.statementsOf("DrainRole")["ReadOpenDrains"].Resources); diff != "" {
		t.Errorf("drain may not read the index (-want +got):\n%s", diff)
	}
}
