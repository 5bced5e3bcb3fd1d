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

// shopItem has an attribute of every type.
func shopItem() item {
	return item{
		"application": str("shop"), "deploymentGroup": str("web"), "version": num(7), "holder": str("ops"), "locked": &ddb.AttributeValueMemberBOOL{Value: true},
		"gone": &ddb.AttributeValueMemberNULL{Value: true}, "digest": bin("\x01\x02"), "zones": &ddb.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"ports": &ddb.AttributeValueMemberNS{Value: []string{"80", "8080"}}, "blobs": &ddb.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
		"hooks": &ddb.AttributeValueMemberL{Value: []ddb.AttributeValue{str("drain"), num(1)}},
		"last":  &ddb.AttributeValueMemberM{Value: item{"at": num(5), "by": str("ops")}},
	}
}

func bin(s string) ddb.AttributeValue { return &ddb.AttributeValueMemberB{Value: []byte(s)} }

// TestConditions: a condition that holds here and not in DynamoDB loses a
// write, or lets two writers win. Wrong ones are refused whatever the item is.
func TestConditions(t *testing.T) {
	names := map[string]string{"#version": "version"}
	seven, eight, text := item{":v": num("7.0")}, item{":v": num(8)}, item{":v": str("ops")}
	set := func(v ddb.AttributeValue) item { return item{":v": v} }
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
		{condition: "attribute_exists(holder)", met: true, metNew: false},
		{condition: "attribute_exists(nobody)", met: false, metNew: false},
		{condition: "version < :v", values: eight, met: true, metNew: false},
		{condition: "version <= :v", values: seven, met: true, metNew: false},
		{condition: "version > :v", values: seven, met: false, metNew: false},
		{condition: "version >= :v", values: item{":v": num(10)}, met: false, metNew: false},
		{condition: "version <> :v", values: eight, met: true, metNew: true},
		{condition: "version = :v", values: item{":v": num("0.7e1")}, met: true, metNew: false},
		{condition: "holder = :v", values: text, met: true, metNew: false},
		{condition: "holder = :v", values: item{":v": num(1)}, met: false, metNew: false},
		{condition: "holder < :v", values: item{":v": num(1)}, met: false, metNew: false},
		{condition: "locked = :v", values: item{":v": &ddb.AttributeValueMemberBOOL{Value: true}}, met: true, metNew: false},
		{condition: "gone = :v", values: item{":v": &ddb.AttributeValueMemberNULL{Value: true}}, met: true, metNew: false},
		{condition: "digest = :v", values: item{":v": bin("\x01\x02")}, met: true, metNew: false},
		{condition: "digest < :v", values: item{":v": bin("\x02")}, met: true, metNew: false},
		{condition: "zones = :v", values: set(&ddb.AttributeValueMemberSS{Value: []string{"b", "a"}}), met: true, metNew: false},
		{condition: "zones = :v", values: set(&ddb.AttributeValueMemberSS{Value: []string{"a"}}), met: false, metNew: false},
		{condition: "ports = :v", values: set(&ddb.AttributeValueMemberNS{Value: []string{"8080.0", "8e1"}}), met: true, metNew: false},
		{condition: "blobs = :v", values: set(&ddb.AttributeValueMemberBS{Value: [][]byte{{2}, {1}}}), met: true, metNew: false},
		{condition: "hooks = :v", values: set(&ddb.AttributeValueMemberL{Value: []ddb.AttributeValue{str("drain"), num("1.00")}}), met: true, metNew: false},
		{condition: "hooks = :v", values: set(&ddb.AttributeValueMemberL{Value: []ddb.AttributeValue{num(1), str("drain")}}), met: false, metNew: false},
		{condition: "#l = :v", names: map[string]string{"#l": "last"}, values: set(&ddb.AttributeValueMemberM{Value: item{"by": str("ops"), "at": num(5)}}), met: true, metNew: false},
		{condition: "#l.#a = :v AND hooks[1] = :w", names: map[string]string{"#l": "last", "#a": "at"}, values: item{":v": num(5), ":w": num(1)}, met: true, metNew: false},
		{condition: "version BETWEEN :v AND :w AND holder = :o", values: item{":v": num(1), ":w": num(7), ":o": str("ops")}, met: true, metNew: false},
		{condition: "version IN (:v, :w)", values: item{":v": num(1), ":w": num(7)}, met: true, metNew: false},
		{condition: "begins_with(holder, :v)", values: item{":v": str("op")}, met: true, metNew: false},
		{condition: "contains(ports, :v) AND contains(hooks, :w) AND contains(holder, :x)", values: item{":v": num("80.0"), ":w": str("drain"), ":x": str("p")}, met: true, metNew: false},
		{condition: "contains(ports, :v)", values: item{":v": str("80")}, met: false, metNew: false},
		{condition: "size(zones) = :v AND attribute_type(zones, :w)", values: item{":v": num(2), ":w": str("SS")}, met: true, metNew: false},
		{condition: "NOT attribute_exists(holder) OR (version = :v AND holder = :o)", values: item{":v": num(7), ":o": str("ops")}, met: true, metNew: true},
		{condition: "attribute_exists(holder) AND (attribute_exists(nobody) OR version = :v)", values: seven, met: true, metNew: false},
		{condition: "version = :v", invalid: "not defined; attribute value: :v"},
		{condition: "attribute_not_exists(version) OR version = :v", invalid: "not defined; attribute value: :v"},
		{condition: "#n = :v", values: seven, invalid: "not defined; attribute name: #n"},
		{condition: "attribute_exists(holder)", values: seven, invalid: "unused in expressions: keys: {:v}"},
		{condition: "attribute_exists(holder)", names: names, invalid: "unused in expressions: keys: {#version}"},
		{condition: "attribute_exists(holder)", values: item{}, invalid: "ExpressionAttributeValues must not be empty"},
		{condition: "begins_with(holder, :v)", values: seven, invalid: "operator or function: begins_with, operand type: N"},
		{condition: "attribute_exists(:v)", values: seven, invalid: "requires a document path"},
		{condition: "locked < :v", values: item{":v": &ddb.AttributeValueMemberBOOL{Value: true}}, invalid: "operand type: BOOL"},
		{condition: "version BETWEEN :v AND :w", values: item{":v": num(2), ":w": num(1)}, invalid: "upper bound"},
		{condition: "version = version", invalid: "must be distinct"},
		{condition: "version = :v", values: item{":v": num("1e126")}, invalid: "Number overflow"},
		{condition: "owner = :v", values: text, invalid: "reserved keyword: owner"},
		{condition: "Status = :v", values: text, invalid: "reserved keyword: Status"},
		{condition: "version = :v version", values: seven, invalid: `Syntax error; token: "version"`},
		{condition: "(version = :v", values: seven, invalid: `Syntax error; token: "<EOF>"`},
		{condition: "((version = :v))", values: seven, invalid: "redundant parentheses"},
		{condition: " ", invalid: "can not be empty"},
	} {
		for exists, want := range map[bool]bool{true: tc.met, false: tc.metNew} {
			r := baselines()
			if exists {
				if err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: shopItem()})); err != nil {
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

// TestValues: what DynamoDB refuses to keep, and how it gives numbers back.
func TestValues(t *testing.T) {
	nested := str("x")
	for range 32 {
		nested = &ddb.AttributeValueMemberL{Value: []ddb.AttributeValue{nested}}
	}
	for _, tc := range []struct {
		name    string
		value   ddb.AttributeValue
		kept    string // of a number
		invalid string
	}{
		{"zeros around a number", num("007.500"), "7.5", ""},
		{"an exponent", num("1.5E3"), "1500", ""},
		{"nothing", num("-0.0"), "0", ""},
		{"38 digits", num("12345678901234567890123456789012345678"), "12345678901234567890123456789012345678", ""},
		{"39 digits", num("123456789012345678901234567890123456789"), "", "more than 38 significant digits"},
		{"39 digits, one of them zero", num("123456789012345678901234567890123456780"), "123456789012345678901234567890123456780", ""},
		{"the smallest", num("1e-130"), "0." + strings.Repeat("0", 129) + "1", ""},
		{"smaller", num("0.1e-130"), "", "Number underflow"},
		{"the greatest", num("9.9e125"), "99" + strings.Repeat("0", 124), ""},
		{"greater", num("10e125"), "", "Number overflow"},
		{"an exponent without end", num("1e99999999999999999999"), "", "Number overflow"},
		{"no number", num("seven"), "", "cannot be converted to a numeric value: seven"},
		{"hexadecimal", num("0x10"), "", "cannot be converted"},
		{"an empty set", &ddb.AttributeValueMemberSS{}, "", "may not be empty"},
		{"a set with something twice", &ddb.AttributeValueMemberNS{Value: []string{"1", "1.0"}}, "", "duplicates"},
		{"a null that is none", &ddb.AttributeValueMemberNULL{}, "", "must have the value of true"},
		{"nothing at all", nil, "", "must contain exactly one of the supported datatypes"},
		{"an empty string beside the key", str(""), "", ""},
		{"lists in lists", nested, "", "Nesting Levels"},
	} {
		r := baselines()
		it := baselineKey("shop", "web")
		it["value"] = tc.value
		err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: it}))
		if tc.invalid != "" {
			if code(err) != "ValidationException" || !strings.Contains(err.Error(), tc.invalid) {
				t.Errorf("%s: %v, want %q", tc.name, err, tc.invalid)
			}
			continue
		}
		out, getErr := r.DynamoDB().GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("baselines"), Key: baselineKey("shop", "web")})
		if err != nil || getErr != nil {
			t.Errorf("%s: %v, %v", tc.name, err, getErr)
		} else if n, ok := out.Item["value"].(*ddb.AttributeValueMemberN); ok && n.Value != tc.kept {
			t.Errorf("%s is read back as %s, want %s", tc.name, n.Value, tc.kept)
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
		"a key and more":            {second(client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("baselines"), Key: item{"application": str("a"), "deploymentGroup": str("b"), "c": str("d")}})), "ValidationException"},
		"a key of another type":     {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: item{"application": str("a"), "deploymentGroup": num(1)}})), "ValidationException"},
		"an item without its key":   {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: item{"application": str("a")}})), "ValidationException"},
		"a long partition key":      {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: baselineKey(strings.Repeat("x", 2049), "b")})), "ValidationException"},
		"the longest keys":          {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: baselineKey(strings.Repeat("x", 2048), strings.Repeat("x", 1024))})), ""},
		"a long sort key":           {second(client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("baselines"), Key: baselineKey("a", strings.Repeat("x", 1025))})), "ValidationException"},
		"values without expression": {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: baselineKey("a", "b"), ExpressionAttributeValues: item{":v": num(1)}})), "ValidationException"},
		"new values of a put":       {second(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: baselineKey("a", "b"), ReturnValues: ddb.ReturnValueAllNew})), "ValidationException"},
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
