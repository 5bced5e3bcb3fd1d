package region_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/test/region"
)

// openDrains is a table of twelve drains of two groups, of which the even ones
// are open, and an index of those.
func openDrains(t *testing.T, o region.Options, i region.Index) *region.Region {
	t.Helper()
	r := region.New(o)
	r.AddTable("drains", "autoScalingGroup", "drain")
	i.Name, i.Keys = "open", []string{"opened", "due:N"}
	r.AddIndex("drains", i)
	for n := range 12 {
		it := item{"autoScalingGroup": str([]string{"web", "api"}[n/6]), "drain": str(fmt.Sprintf("i-%02d", n)), "version": num(n)}
		if n%2 == 0 {
			it["opened"], it["due"] = str("yes"), num(100-n)
		}
		if err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: it})); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// queried reads all pages of a query: the drains, and the number of pages.
func queried(t *testing.T, r *region.Region, in *dynamodb.QueryInput) (drains []string, pages int) {
	t.Helper()
	in.TableName = aws.String("drains")
	all := dynamodb.NewQueryPaginator(r.DynamoDB(), in)
	for all.HasMorePages() {
		out, err := all.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, it := range out.Items {
			drains = append(drains, it["drain"].(*ddb.AttributeValueMemberS).Value)
		}
	}
	return drains, pages
}

func TestQueries(t *testing.T) {
	web := item{":g": str("web")}
	with := func(values item, more ...any) item {
		all := item{}
		for k, v := range values {
			all[k] = v
		}
		for n := 0; n < len(more); n += 2 {
			all[more[n].(string)] = more[n+1].(ddb.AttributeValue)
		}
		return all
	}
	for _, tc := range []struct {
		name  string
		in    dynamodb.QueryInput
		want  string
		pages int
	}{
		{"a partition", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), ExpressionAttributeValues: web}, "i-00 i-01 i-02 i-03 i-04 i-05", 1},
		{"backwards", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), ExpressionAttributeValues: web, ScanIndexForward: aws.Bool(false)}, "i-05 i-04 i-03 i-02 i-01 i-00", 1},
		{"page by page", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), ExpressionAttributeValues: web, Limit: aws.Int32(4)}, "i-00 i-01 i-02 i-03 i-04 i-05", 2},
		{"to a limit that divides it, which takes an empty page more", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), ExpressionAttributeValues: web, Limit: aws.Int32(3)}, "i-00 i-01 i-02 i-03 i-04 i-05", 3},
		{"page by page, backwards", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), ExpressionAttributeValues: web, Limit: aws.Int32(4), ScanIndexForward: aws.Bool(false)}, "i-05 i-04 i-03 i-02 i-01 i-00", 2},
		{"filtered after the pages were cut", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), FilterExpression: aws.String("version > :v"), ExpressionAttributeValues: with(web, ":v", num(3)), Limit: aws.Int32(2)}, "i-04 i-05", 4},
		{"one item", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g AND drain = :d"), ExpressionAttributeValues: with(web, ":d", str("i-03"))}, "i-03", 1},
		{"by a prefix", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g AND begins_with(drain, :d)"), ExpressionAttributeValues: with(item{":g": str("api")}, ":d", str("i-1"))}, "i-10 i-11", 1},
		{"less", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g AND drain < :d"), ExpressionAttributeValues: with(web, ":d", str("i-02"))}, "i-00 i-01", 1},
		{"at most, the sort key first", dynamodb.QueryInput{KeyConditionExpression: aws.String("drain <= :d AND (autoScalingGroup = :g)"), ExpressionAttributeValues: with(web, ":d", str("i-02"))}, "i-00 i-01 i-02", 1},
		{"greater", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g AND drain > :d"), ExpressionAttributeValues: with(web, ":d", str("i-04"))}, "i-05", 1},
		{"at least", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g AND drain >= :d"), ExpressionAttributeValues: with(web, ":d", str("i-04"))}, "i-04 i-05", 1},
		{"between", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g AND drain BETWEEN :d AND :e"), ExpressionAttributeValues: with(web, ":d", str("i-01"), ":e", str("i-02"))}, "i-01 i-02", 1},
		{"the open ones, by a number", dynamodb.QueryInput{IndexName: aws.String("open"), KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: item{":o": str("yes")}, Limit: aws.Int32(4)}, "i-10 i-08 i-06 i-04 i-02 i-00", 2},
		{"the open ones that are due", dynamodb.QueryInput{IndexName: aws.String("open"), KeyConditionExpression: aws.String("opened = :o AND due <= :d"), ExpressionAttributeValues: item{":o": str("yes"), ":d": num(92)}}, "i-10 i-08", 1},
		{"none", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :g"), ExpressionAttributeValues: item{":g": str("none")}}, "", 1},
	} {
		got, pages := queried(t, openDrains(t, region.Options{}, region.Index{}), &tc.in)
		if strings.Join(got, " ") != tc.want || pages != tc.pages {
			t.Errorf("%s: %v on %d pages, want %s on %d", tc.name, got, pages, tc.want, tc.pages)
		}
	}
}

func TestQueriesThatAreWrong(t *testing.T) {
	r := openDrains(t, region.Options{}, region.Index{KeysOnly: true})
	o := item{":o": str("yes")}
	for _, tc := range []struct {
		name string
		in   dynamodb.QueryInput
		says string
	}{
		{"no condition", dynamodb.QueryInput{}, "must be specified"},
		{"another key", dynamodb.QueryInput{KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: o}, "missed key schema element: autoScalingGroup"},
		{"a partition key that is compared", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup > :o"), ExpressionAttributeValues: o}, "Query key condition not supported"},
		{"an attribute that is no key", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :o AND version = :o"), ExpressionAttributeValues: o}, "missed key schema element: drain"},
		{"a key of another type", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :o"), ExpressionAttributeValues: item{":o": num(1)}}, "type does not match schema type"},
		{"an empty key", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :o"), ExpressionAttributeValues: item{":o": str("")}}, "empty string value"},
		{"OR", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :o OR drain = :o"), ExpressionAttributeValues: o}, "Invalid operator used in KeyConditionExpression: OR"},
		{"unequal", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :o AND drain <> :o"), ExpressionAttributeValues: o}, "Invalid operator"},
		{"a reserved word", dynamodb.QueryInput{IndexName: aws.String("open"), KeyConditionExpression: aws.String("open = :o"), ExpressionAttributeValues: o}, "reserved keyword: open"},
		{"an index that is not there", dynamodb.QueryInput{IndexName: aws.String("none"), KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: o}, "does not have the specified index"},
		{"an index, consistently", dynamodb.QueryInput{IndexName: aws.String("open"), KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: o, ConsistentRead: aws.Bool(true)}, "Consistent reads are not supported"},
		{"all attributes of an index of keys", dynamodb.QueryInput{IndexName: aws.String("open"), KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: o, Select: ddb.SelectAllAttributes}, "its projection type is not ALL"},
		{"a limit of nothing", dynamodb.QueryInput{KeyConditionExpression: aws.String("autoScalingGroup = :o"), ExpressionAttributeValues: o, Limit: aws.Int32(0)}, "greater than or equal to 1"},
		{"half a starting key", dynamodb.QueryInput{IndexName: aws.String("open"), KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: o, ExclusiveStartKey: item{"opened": str("yes")}}, "starting key is invalid"},
	} {
		tc.in.TableName = aws.String("drains")
		_, err := r.DynamoDB().Query(ctx, &tc.in)
		if code(err) != "ValidationException" || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want a validation error with %q", tc.name, err, tc.says)
		}
	}
}

// TestIndexes: who finds open drains by an index must see them come and go, and
// must bear that it sees them late.
func TestIndexes(t *testing.T) {
	open := func(r *region.Region) []map[string]ddb.AttributeValue {
		out, err := r.DynamoDB().Query(ctx, &dynamodb.QueryInput{TableName: aws.String("drains"), IndexName: aws.String("open"),
			KeyConditionExpression: aws.String("opened = :o"), ExpressionAttributeValues: item{":o": str("yes")}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Items
	}
	end := &dynamodb.UpdateItemInput{TableName: aws.String("drains"), Key: item{"autoScalingGroup": str("web"), "drain": str("i-00")}, UpdateExpression: aws.String("REMOVE opened")}

	r := openDrains(t, region.Options{}, region.Index{KeysOnly: true})
	if got := open(r); len(got) != 6 || len(got[0]) != 4 || got[0]["version"] != nil {
		t.Errorf("an index of keys holds %v", got)
	}
	if err := second(r.DynamoDB().UpdateItem(ctx, end)); err != nil || len(open(r)) != 5 {
		t.Errorf("a drain that has ended is still among the open ones: %d, %v", len(open(r)), err)
	}
	if err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: item{"autoScalingGroup": str("web"), "drain": str("x"), "opened": num(1)}})); code(err) != "ValidationException" {
		t.Errorf("an index's key of another type gives %v", err)
	}

	r = openDrains(t, region.Options{}, region.Index{Lag: time.Second})
	if got := open(r); len(got) != 0 {
		t.Errorf("an index that is late shows %d items at once", len(got))
	}
	r.Advance(time.Second)
	if got := open(r); len(got) != 6 || got[0]["version"] == nil {
		t.Errorf("a second later it shows %v", got)
	}
	scan, err := r.DynamoDB().Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("drains"), IndexName: aws.String("open"), Select: ddb.SelectCount})
	if err != nil || scan.Count != 6 || scan.Items != nil {
		t.Errorf("a scan of the index counts %d, %v", scan.Count, err)
	}
}

func TestUpdates(t *testing.T) {
	for _, tc := range []struct {
		name    string
		update  string
		names   map[string]string
		values  item
		want    item // of what it touched
		invalid string
	}{
		{"a value", "SET holder = :v", nil, item{":v": str("me")}, item{"holder": str("me")}, ""},
		{"a sum", "SET version = version + :v", nil, item{":v": num("0.5")}, item{"version": num("7.5")}, ""},
		{"a difference", "SET version = version - :v", nil, item{":v": num(8)}, item{"version": num(-1)}, ""},
		{"a value if there is none", "SET version = if_not_exists(version, :v), heartbeats = if_not_exists(heartbeats, :v) + :v", nil, item{":v": num(1)}, item{"version": num(7), "heartbeats": num(2)}, ""},
		{"an element", "SET hooks = list_append(hooks, :v)", nil, item{":v": &ddb.AttributeValueMemberL{Value: []ddb.AttributeValue{num(2)}}},
			item{"hooks": &ddb.AttributeValueMemberL{Value: []ddb.AttributeValue{str("drain"), num(1), num(2)}}}, ""},
		{"two sections", "REMOVE holder, #s ADD version :v", map[string]string{"#s": "status"}, item{":v": num(1)}, item{"version": num(8)}, ""},
		{"elements of a set", "ADD zones :v", nil, item{":v": &ddb.AttributeValueMemberSS{Value: []string{"c", "a"}}}, item{"zones": &ddb.AttributeValueMemberSS{Value: []string{"a", "b", "c"}}}, ""},
		{"all elements of a set", "DELETE zones :v", nil, item{":v": &ddb.AttributeValueMemberSS{Value: []string{"b", "a"}}}, item{}, ""},
		{"the old values", "SET version = holder, holder = version", nil, nil, item{"version": str("ops"), "holder": num(7)}, ""},
		{"a key", "SET application = :v", nil, item{":v": str("x")}, nil, "This attribute is part of the key"},
		{"an attribute that is not there", "SET version = heartbeats", nil, nil, nil, "does not exist in the item"},
		{"a sum of texts", "SET holder = holder + :v", nil, item{":v": num(1)}, nil, "incorrect data type"},
		{"a text added", "ADD holder :v", nil, item{":v": str("x")}, nil, "operator: ADD, operand type: S"},
		{"a number deleted", "DELETE version :v", nil, item{":v": num(1)}, nil, "operator: DELETE, operand type: N"},
		{"a section twice", "SET version = :v SET holder = :v", nil, item{":v": num(1)}, nil, "can only be used once"},
		{"a path twice", "SET version = :v REMOVE version", nil, item{":v": num(1)}, nil, "overlap"},
		{"no section", "version = :v", nil, item{":v": num(1)}, nil, "Syntax error"},
		{"a value that is not used", "REMOVE version", nil, item{":v": num(1)}, nil, "unused"},
	} {
		r := baselines()
		if err := second(r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: shopItem()})); err != nil {
			t.Fatal(err)
		}
		out, err := r.DynamoDB().UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("baselines"), Key: baselineKey("shop", "web"),
			UpdateExpression: &tc.update, ExpressionAttributeNames: tc.names, ExpressionAttributeValues: tc.values, ReturnValues: ddb.ReturnValueUpdatedNew})
		if tc.invalid != "" {
			if code(err) != "ValidationException" || !strings.Contains(err.Error(), tc.invalid) {
				t.Errorf("%s: %v, want %q", tc.name, err, tc.invalid)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		// Compared by DynamoDB itself, as a condition on a second item.
		for name, want := range tc.want {
			err := second(r.DynamoDB().DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String("baselines"), Key: baselineKey("shop", "web"),
				ConditionExpression: aws.String("#n <> :w"), ExpressionAttributeNames: map[string]string{"#n": name}, ExpressionAttributeValues: item{":w": want}}))
			if code(err) != "ConditionalCheckFailedException" || len(out.Attributes) != len(tc.want) {
				t.Errorf("%s: %s becomes %#v, %v", tc.name, name, out.Attributes, err)
			}
		}
	}
}

// TestReturnValues: what a write says of the item before and after it.
func TestReturnValues(t *testing.T) {
	versions := func(values ddb.ReturnValue) string {
		r := baselines()
		key := baselineKey("shop", "web")
		first := &dynamodb.UpdateItemInput{TableName: aws.String("baselines"), Key: key, UpdateExpression: aws.String("SET version = :v, holder = :h"), ExpressionAttributeValues: item{":v": num(1), ":h": str("me")}}
		if err := second(r.DynamoDB().UpdateItem(ctx, first)); err != nil {
			t.Fatal(err)
		}
		out, err := r.DynamoDB().UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("baselines"), Key: key, ReturnValues: values,
			UpdateExpression: aws.String("SET version = :v"), ExpressionAttributeValues: item{":v": num(2)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Attributes) == 0 {
			return ""
		}
		return fmt.Sprint(len(out.Attributes), " ", out.Attributes["version"].(*ddb.AttributeValueMemberN).Value)
	}
	for values, want := range map[ddb.ReturnValue]string{
		ddb.ReturnValueNone: "", ddb.ReturnValueAllOld: "4 1", ddb.ReturnValueAllNew: "4 2", ddb.ReturnValueUpdatedOld: "1 1", ddb.ReturnValueUpdatedNew: "1 2",
	} {
		if got := versions(values); got != want {
			t.Errorf("%s returns %q, want %q attributes and version", values, got, want)
		}
	}
	r := baselines()
	for n, want := range []int{0, 2} {
		out, err := r.DynamoDB().PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("baselines"), Item: baselineKey("shop", "web"), ReturnValues: ddb.ReturnValueAllOld})
		if err != nil || len(out.Attributes) != want {
			t.Errorf("put %d returns %v, %v", n, out, err)
		}
	}
	deleted, err := r.DynamoDB().DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String("baselines"), Key: baselineKey("shop", "web"), ReturnValues: ddb.ReturnValueAllOld})
	if err != nil || len(deleted.Attributes) != 2 {
		t.Errorf("a deletion returns %v, %v", deleted, err)
	}
}

func TestProjections(t *testing.T) {
	r := openDrains(t, region.Options{}, region.Index{})
	out, err := r.DynamoDB().GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("drains"), Key: item{"autoScalingGroup": str("web"), "drain": str("i-00")},
		ProjectionExpression: aws.String("#v, drain"), ExpressionAttributeNames: map[string]string{"#v": "version"}})
	if err != nil || len(out.Item) != 2 {
		t.Errorf("two attributes are %v, %v", out, err)
	}
	none, err := r.DynamoDB().GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("drains"), Key: item{"autoScalingGroup": str("web"), "drain": str("none")}, ProjectionExpression: aws.String("drain")})
	if err != nil || none.Item != nil {
		t.Errorf("of an item that is not there come %v, %v", none.Item, err)
	}
}

// TestUpdatesInTransactions: an update that cannot be done cancels the whole.
func TestUpdatesInTransactions(t *testing.T) {
	db := drains(region.New(region.Options{}))
	update := func(id, expression string, values item) ddb.TransactWriteItem {
		return ddb.TransactWriteItem{Update: &ddb.Update{TableName: aws.String("drains"), Key: drainKey(id), UpdateExpression: &expression, ExpressionAttributeValues: values}}
	}
	write := func(items ...ddb.TransactWriteItem) error {
		return second(db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items}))
	}
	if err := write(claim("a"), update("b", "ADD version :v", item{":v": num(3)})); err != nil {
		t.Fatal(err)
	}
	err := write(update("b", "ADD version :v", item{":v": num(1)}), update("a", "SET heartbeats = heartbeats + :v", item{":v": num(1)}))
	var cancelled *ddb.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		t.Fatalf("an update of what is not there gives %v", err)
	}
	var codes []string
	for _, reason := range cancelled.CancellationReasons {
		codes = append(codes, aws.ToString(reason.Code))
	}
	if !slices.Equal(codes, []string{"None", "ValidationError"}) {
		t.Errorf("the reasons are %v", codes)
	}
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("drains"), Key: drainKey("b")})
	if err != nil || out.Item["version"].(*ddb.AttributeValueMemberN).Value != "3" {
		t.Errorf("the cancelled transaction has changed %v, %v", out.Item, err)
	}
}

// TestPagesGoOnFromWhatIsGone: the item that a page ended at may be deleted
// before the next page is asked for.
func TestPagesGoOnFromWhatIsGone(t *testing.T) {
	r := openDrains(t, region.Options{}, region.Index{})
	in := &dynamodb.QueryInput{TableName: aws.String("drains"), KeyConditionExpression: aws.String("autoScalingGroup = :g"),
		ExpressionAttributeValues: item{":g": str("web")}, Limit: aws.Int32(3)}
	first, err := r.DynamoDB().Query(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := second(r.DynamoDB().DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: in.TableName, Key: first.LastEvaluatedKey})); err != nil {
		t.Fatal(err)
	}
	in.ExclusiveStartKey = first.LastEvaluatedKey
	if rest, _ := queried(t, r, in); !slices.Equal(rest, []string{"i-03", "i-04", "i-05"}) {
		t.Errorf("behind a deleted item come %v: items are read twice or left out", rest)
	}
}

// TestPagesEndAtAMegabyte: who reads only one page misses what is behind it.
func TestPagesEndAtAMegabyte(t *testing.T) {
	db := drains(region.New(region.Options{}))
	for n := range 5 {
		it := drainItem(fmt.Sprint(n), "1")
		it["message"] = str(strings.Repeat("x", 300<<10))
		if err := second(db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: it})); err != nil {
			t.Fatal(err)
		}
	}
	out, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("drains")})
	if err != nil || len(out.Items) != 4 || out.LastEvaluatedKey == nil {
		t.Errorf("a page holds %d items of 300 KB, %v", len(out.Items), err)
	}
}
