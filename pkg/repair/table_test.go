package repair

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/pkg/fault"
	"deployhooks/test/dynamo"
	"deployhooks/test/region"
)

// TestTableContract holds what a table must do for a repair.
func TestTableContract(t *testing.T) {
	dynamo.Each(t, "records", recordKeys, func(t *testing.T, db dynamo.DB) { contract(t, table{"records", db}) })
}

var recordKeys = []string{"application", "deploymentGroup"}

func contract(t *testing.T, records table) {
	ctx := t.Context()
	key := Key{"shop ünd mehr", "web/eu_1"}
	if found, err := records.load(ctx, key); err != nil || len(found) != 0 {
		t.Fatalf("an empty table answers %v, %v", found, err)
	}
	if found, err := records.load(ctx); err != nil || len(found) != 0 {
		t.Fatalf("no question is answered %v, %v", found, err)
	}
	first := Record{
		Baseline: &Baseline{Group: "web", Taken: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Sources: []Source{web, classic}, Hooks: []Hook{drain}},
		Pending:  []Change{{Do: Attach, Group: "web", Sources: []Source{web}}},
		Told:     []Told{{Group: "web", Outcome: Repaired}},
	}
	if err := records.save(ctx, key, first); err != nil {
		t.Fatal(err)
	}
	found, err := records.load(ctx, key)
	if err != nil || !found[key].equal(first) || found[key].Version != 1 {
		t.Fatalf("saved %+v\nloaded %+v, %v", first, found[key], err)
	}

	mine, theirs := found[key], found[key]
	theirs.Published = "theirs"
	if err := records.save(ctx, key, theirs); err != nil {
		t.Fatal(err)
	}
	mine.Published = "mine"
	if err := records.save(ctx, key, mine); err == nil || fault.Of(err) != fault.Conflict {
		t.Errorf("a lost update is taken: %v", err)
	}
	if err := records.save(ctx, key, Record{}); err == nil || fault.Of(err) != fault.Conflict {
		t.Errorf("a record that exists is written as if it were new: %v", err)
	}
	if found, err = records.load(ctx, key); err != nil || found[key].Published != "theirs" || found[key].Version != 2 {
		t.Errorf("after the conflict there is %+v, %v", found[key], err)
	}

	var many []Key
	for n := range 120 {
		k := Key{"many", string(rune('a'+n%26)) + string(rune('a'+n/26))}
		many = append(many, k)
		if err := records.save(ctx, k, Record{Published: k.DeploymentGroup}); err != nil {
			t.Fatal(err)
		}
	}
	found, err = records.load(ctx, many...)
	if err != nil || len(found) != len(many) {
		t.Fatalf("%d of %d records, %v", len(found), len(many), err)
	}
	for _, k := range many {
		if found[k].Published != k.DeploymentGroup {
			t.Errorf("%s has the record of %q", k, found[k].Published)
		}
	}
}

func TestUnprocessedKeysAreAskedForAgain(t *testing.T) {
	r := region.New(region.Options{})
	r.AddTable("records", recordKeys...)
	r.SetFaults(region.On("BatchGetItem", 2, region.Fault{Partial: true}))
	contract(t, table{"records", r.DynamoDB()})
}

func TestDamagedRecordSaysWhatToDo(t *testing.T) {
	_, _, err := fromItem(map[string]types.AttributeValue{
		"application": &types.AttributeValueMemberS{Value: "shop"}, "deploymentGroup": &types.AttributeValueMemberS{Value: "web"},
		"record": &types.AttributeValueMemberS{Value: "{"}, "version": &types.AttributeValueMemberN{Value: "1"},
	})
	if err == nil {
		t.Fatal("a damaged record is taken for one")
	}
}
