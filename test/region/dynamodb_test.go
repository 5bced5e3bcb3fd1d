package region_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/test/region"
)

type item = map[string]ddb.AttributeValue

func str(s string) ddb.AttributeValue { return &ddb.AttributeValueMemberS{Value: s} }
func num(n any) ddb.AttributeValue    { return &ddb.AttributeValueMemberN{Value: fmt.Sprint(n)} }

func baselineKey(app, group string) item {
	return item{"application": str(app), "deploymentGroup": str(group)}
}

func baselines() *region.Region {
	r := region.New(region.Options{})
	r.AddTable("baselines", "application", "deploymentGroup")
	return r
}

func TestConditions(t *testing.T) {
	old := item{"application": str("shop"), "deploymentGroup": str("web"), "version": num(7), "owner": str("ops"), "locked": &ddb.AttributeValueMemberBOOL{Value: true}}
	names := map[string]string{"#version": "version"}
	seven, eight := item{":v": num("7.0")}, item{":v": num(8)}
	for _, tc := range []struct {
		condition string
		names     map[string]string
		values    item
		met       bool   // on the item above
		metNew    bool   // where there is none
		invalid   string // part of the error instead
	}{
		{condition: "attribute_not_exists(#version) OR #version = :v", names: names, values: seven, met: true, metNew: true},
		{condition: "attribute_not_exists(#version) OR #version = :v", names: names, values: eight, met: false, metNew: true},
		{condition: "attribute_exists(owner)", met: true, metNew: false},
		{condition: "attribute_exists(nobody)", met: false, metNew: false},
		{condition: "version < :v", values: eight, met: true, metNew: false},
		{condition: "version <= :v", values: seven, met: true, metNew: false},
		{condition: "version > :v", values: seven, met: false, metNew: false},
		{condition: "version >= :v", values: item{":v": num(10)}, met: false, metNew: false},
		{condition: "version <> :v", values: eight, met: true, metNew: true},
		{condition: "owner = :v", values: item{":v": str("ops")}, met: true, metNew: false},
		{condition: "owner = :v", values: item{":v": num(1)}, met: false, metNew: false},
		{condition: "locked = :v", values: item{":v": &ddb.AttributeValueMemberBOOL{Value: true}}, met: true, metNew: false},
		{condition: "NOT attribute_exists(owner) OR (version = :v AND owner = :o)", values: item{":v": num(7), ":o": str("ops")}, met: true, metNew: true},
		{condition: "attribute_exists(owner) AND (attribute_exists(nobody) OR version = :v)", values: seven, met: true, metNew: false},
		{condition: "version = :v", invalid: "not defined; attribute value: :v"},
		{condition: "#n = :v", values: seven, invalid: "not defined; attribute name: #n"},
		{condition: "attribute_exists(owner)", values: seven, invalid: "unused in expressions: keys: {:v}"},
		{condition: "begins_with(owner, :v)", values: seven, invalid: "begins_with"},
		{condition: "size(owner) > :v", values: seven, invalid: "size"},
		{condition: "version = :v version", values: seven, invalid: "unexpected"},
		{condition: "(version = :v", values: seven, invalid: "expected"},
	} {
		for exists, want := range map[bool]bool{true: tc.met, false: tc.metNew} {
			r := baselines()
			if exists {
				if err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: old})); err != nil {
					t.Fatal(err)
				}
			}
			err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{
				TableName: aws.String("baselines"), Item: baselineKey("shop", "web"),
				ConditionExpression: &tc.condition, ExpressionAttributeNames: tc.names, ExpressionAttributeValues: tc.values,
			}))
			var failed *ddb.ConditionalCheckFailedException
			switch {
			case tc.invalid != "":
				if code(err) != "ValidationException" || !strings.Contains(err.Error(), tc.invalid) {
					t.Errorf("%s: %v, want a validation error with %q", tc.condition, err, tc.invalid)
				}
			case want && err != nil, !want && !errors.As(err, &failed):
				t.Errorf("%s with an item there %t: %v, want met %t", tc.condition, exists, err, want)
			}
		}
	}
}

func TestItems(t *testing.T) {
	r := baselines()
	client := r.DynamoDB()
	table := aws.String("baselines")
	get := func(app, group string) item {
		out, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: baselineKey(app, group)})
		if err != nil {
			t.Fatal(err)
		}
		return out.Item
	}
	put := baselineKey("läden/eins", "web_1")
	put["version"] = num(1)
	if err := second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: put})); err != nil {
		t.Fatal(err)
	}
	if got := get("läden/eins", "web_1"); len(got) != 3 {
		t.Errorf("read %v", got)
	}
	if got := get("läden/einsweb", "_1"); got != nil {
		t.Errorf("keys run into one another: %v", got)
	}
	if err := second(client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: table, Key: baselineKey("läden/eins", "web_1"), ConditionExpression: aws.String("version = :v"), ExpressionAttributeValues: item{":v": num(2)},
	})); code(err) != "ConditionalCheckFailedException" {
		t.Errorf("deleting another version gives %v", err)
	}
	if err := second(client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: baselineKey("läden/eins", "web_1")})); err != nil || get("läden/eins", "web_1") != nil {
		t.Errorf("deleted, the item is %v, %v", get("läden/eins", "web_1"), err)
	}
}

func TestItemErrors(t *testing.T) {
	r := baselines()
	client := r.DynamoDB()
	big := baselineKey("shop", "web")
	big["baseline"] = str(strings.Repeat("x", 400<<10))
	for name, tc := range map[string]struct {
		err  error
		code string
	}{
		"a table that is not there": {second(client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("none"), Key: baselineKey("a", "b")})), "ResourceNotFoundException"},
		"half a key":                {second(client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("baselines"), Key: item{"application": str("a")}})), "ValidationException"},
		"an empty key":              {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: baselineKey("a", "")})), "ValidationException"},
		"an item over 400 KB":       {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: big})), "ValidationException"},
	} {
		if code(tc.err) != tc.code {
			t.Errorf("%s: %v, want %s", name, tc.err, tc.code)
		}
	}
}

func TestBatchGet(t *testing.T) {
	keys := func(n int) (all []map[string]ddb.AttributeValue) {
		for i := range n {
			all = append(all, baselineKey("shop", fmt.Sprint(i)))
		}
		return all
	}
	get := func(r *region.Region, keys []map[string]ddb.AttributeValue) (*dynamodb.BatchGetItemOutput, error) {
		return r.DynamoDB().BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]ddb.KeysAndAttributes{"baselines": {Keys: keys}}})
	}
	r := baselines()
	for _, k := range keys(60) {
		if err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: k})); err != nil {
			t.Fatal(err)
		}
	}
	out, err := get(r, keys(100))
	if err != nil || len(out.Responses["baselines"]) != 60 || len(out.UnprocessedKeys) != 0 {
		t.Errorf("of a hundred keys %d items came, %v", len(out.Responses["baselines"]), err)
	}
	if _, err := get(r, keys(101)); code(err) != "ValidationException" {
		t.Errorf("101 keys give %v", err)
	}
	if _, err := get(r, append(keys(2), keys(1)...)); code(err) != "ValidationException" {
		t.Errorf("the same key twice gives %v", err)
	}
	r.SetFaults(region.On("BatchGetItem", 1, region.Fault{Partial: true}))
	out, err = get(r, keys(10))
	if err != nil || len(out.Responses["baselines"]) != 5 || len(out.UnprocessedKeys["baselines"].Keys) != 5 {
		t.Errorf("a partial answer holds %v and leaves %v, %v", out.Responses, out.UnprocessedKeys, err)
	}
}
