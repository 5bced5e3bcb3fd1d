package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
	"deployhooks/test/dynamo"
	"deployhooks/test/region"
)

// TestDamagedItems holds that one damaged item concerns itself only.
func TestDamagedItems(t *testing.T) {
	str := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	num := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	for name, c := range map[string]struct {
		attributes map[string]types.AttributeValue
		// byHand means that the function cannot overwrite the item.
		byHand bool
	}{
		"a value cut off":           {attributes: map[string]types.AttributeValue{"value": str(`{"Text":"lo`), "version": num("3")}},
		"a value of another type":   {attributes: map[string]types.AttributeValue{"value": str(`{"Text":7,"Count":1}`), "version": num("3")}},
		"a value that is no string": {attributes: map[string]types.AttributeValue{"value": num("7"), "version": num("3")}},
		"no value":                  {attributes: map[string]types.AttributeValue{"version": num("3")}},
		"no version":                {attributes: map[string]types.AttributeValue{"value": str(`{}`)}},
		"a version in a string":     {attributes: map[string]types.AttributeValue{"value": str(`{}`), "version": str("3")}, byHand: true},
		"half a version":            {attributes: map[string]types.AttributeValue{"value": str(`{}`), "version": num("1.5")}, byHand: true},
	} {
		t.Run(name, func(t *testing.T) {
			dynamo.Each(t, table, []string{plain.Partition}, func(t *testing.T, db dynamo.DB) {
				s := store.NewDynamoDB[record](db, plain)
				bad, good := key("i-bad", ""), item{Key: key("i-good", ""), Open: true}
				put(t, s, good)
				good.Version = 1
				c.attributes[plain.Partition], c.attributes["open"] = str(bad.Partition), str("open")
				if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: c.attributes}); err != nil {
					t.Fatal(err)
				}
				holds(t, s, good)
				got := get(t, s, bad, good.Key)[bad]
				if got.Unreadable == nil || got.Value != (record{}) || !strings.Contains(got.Unreadable.Error(), "i-bad") {
					t.Fatalf("reads %+v: work begins from half a value, or nobody knows which item it is", got)
				}
				if all := list(t, s); len(all) != 2 || all[0].Unreadable == nil || all[1].Unreadable != nil {
					t.Errorf("open are %+v", all)
				}
				lost := put(t, s, item{Key: bad, Version: got.Version}, good)
				if want := c.byHand; (len(lost) == 1) != want {
					t.Errorf("%v conflict: an operator's forget cannot overwrite it, or the message is wrong", lost)
				}
				if c.byHand && !strings.Contains(got.Unreadable.Error(), "by hand") {
					t.Errorf("an operator reads %q", got.Unreadable)
				}
			})
		})
	}
}

// counted counts what queries read.
type counted struct {
	dynamo.DB
	read int
}

func (c *counted) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := c.DB.Query(ctx, in, o...)
	if err == nil {
		c.read += int(out.ScannedCount)
	}
	return out, err
}

func TestCostOfOpen(t *testing.T) {
	dynamo.Each(t, table, []string{plain.Partition}, func(t *testing.T, db dynamo.DB) {
		c := &counted{DB: db}
		s := store.NewDynamoDB[record](c, plain)
		var all []item
		for n := range 300 {
			all = append(all, item{Key: key("i-"+string(rune('a'+n/20))+string(rune('a'+n%20)), ""), Open: n%100 == 0})
		}
		put(t, s, all...)
		if open := list(t, s); len(open) != 3 || c.read != 3 {
			t.Errorf("%d items are open, and %d are read: what has ended costs for ever", len(open), c.read)
		}
	})
}

// scripted hands work back to its caller as often as it says.
type scripted struct {
	dynamo.DB
	leave    int // reads that leave all but one key unprocessed
	conflict int // writes that meet a transaction
	calls    int
	stale    int // reads that may be stale
}

func (s *scripted) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	s.calls++
	if !aws.ToBool(in.RequestItems[table].ConsistentRead) {
		s.stale++
	}
	keys := in.RequestItems[table].Keys
	if s.leave == 0 || len(keys) == 1 {
		return s.DB.BatchGetItem(ctx, in, o...)
	}
	s.leave--
	out, err := s.DB.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {Keys: keys[:1]}}})
	if err == nil {
		out.UnprocessedKeys = map[string]types.KeysAndAttributes{table: {Keys: keys[1:]}}
	}
	return out, err
}

func (s *scripted) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	s.calls++
	if s.conflict > 0 {
		s.conflict--
		return nil, &smithy.OperationError{ServiceID: dynamodb.ServiceID, OperationName: "PutItem", Err: &types.TransactionConflictException{}}
	}
	return s.DB.PutItem(ctx, in, o...)
}

func (s *scripted) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	s.calls++
	if s.conflict > 0 {
		s.conflict--
		canceled := &types.TransactionCanceledException{}
		for range in.TransactItems {
			canceled.CancellationReasons = append(canceled.CancellationReasons, types.CancellationReason{Code: aws.String("None")})
		}
		canceled.CancellationReasons[0].Code = aws.String("TransactionConflict")
		return nil, &smithy.OperationError{ServiceID: dynamodb.ServiceID, OperationName: "TransactWriteItems", Err: canceled}
	}
	return s.DB.TransactWriteItems(ctx, in, o...)
}

func newScripted() (*scripted, *store.DynamoDB[record]) {
	db := &scripted{DB: dynamo.Simulated(region.Options{}, table, []string{plain.Partition}).DynamoDB()}
	return db, store.NewDynamoDB[record](db, plain)
}

func TestUnprocessedKeys(t *testing.T) {
	db, s := newScripted()
	all := []item{{Key: key("i-1", "")}, {Key: key("i-2", "")}, {Key: key("i-3", "")}}
	keys := []store.Key{all[0].Key, all[1].Key, all[2].Key}
	put(t, s, all...)
	db.leave = 2
	for k, got := range get(t, s, keys...) {
		if got.Version != 1 {
			t.Errorf("%s reads as never written: its work begins anew", k)
		}
	}
	if db.stale > 0 {
		t.Error("a read may be stale: each save after it conflicts")
	}
	db.leave, db.calls = 1000, 0
	var many []store.Key
	for n := range 30 {
		many = append(many, key(string(rune('a'+n)), ""))
	}
	if got, err := s.Get(t.Context(), many...); err == nil || got != nil || !fault.MayPass(err) || !fault.IsOwn(err) || db.calls > 10 {
		t.Errorf("after %d calls: %v items, %v: keys that DynamoDB leaves are asked for without an end, or count as never written", db.calls, len(got), err)
	}
}

func TestTransactionConflicts(t *testing.T) {
	one, two := item{Key: key("i-1", "")}, item{Key: key("i-2", "")}
	for name, all := range map[string][]item{"one item": {one}, "two items": {one, two}} {
		db, s := newScripted()
		db.conflict = 3
		if lost := put(t, s, all...); lost != nil || db.calls != 4 {
			t.Errorf("%s: %v conflict after %d calls: another's transaction counts as a lost update", name, lost, db.calls)
		}
		db, s = newScripted()
		db.conflict = 1000
		lost, err := s.Put(t.Context(), all...)
		if err == nil || len(lost) > 0 || !fault.IsOwn(err) || !fault.MayPass(err) || db.calls > 10 {
			t.Errorf("%s: %v conflict after %d calls, %v: a transaction that stays is retried without an end", name, lost, db.calls, err)
		}
	}
}

// TestLostUpdateAmongConflicts holds that an item that another has written is
// distinguished from one that a transaction is at.
func TestLostUpdateAmongConflicts(t *testing.T) {
	db, s := newScripted()
	theirs, mine := item{Key: key("i-1", "")}, item{Key: key("i-2", "")}
	put(t, s, theirs)
	db.conflict = 1
	if lost := put(t, s, mine, theirs); !slices.Equal(lost, []store.Key{theirs.Key}) {
		t.Errorf("%v conflict", lost)
	}
	mine.Version = 1
	holds(t, s, mine)
}

// TestStoreThatListsNothing holds that a function needs no permission to query a
// table whose items it never lists.
func TestStoreThatListsNothing(t *testing.T) {
	db := dynamo.Simulated(region.Options{}, table, []string{plain.Partition}).DynamoDB()
	s := store.NewDynamoDB[record](struct{ store.KeyedAPI }{db}, plain)
	put(t, s, item{Key: key("i-1", ""), Open: true})
	if _, err := s.Open(t.Context()); !fault.IsOwn(err) || !strings.Contains(err.Error(), "Query") {
		t.Errorf("asked for its open items, it says %v: they count as ended", err)
	}
}

func TestErrorsOfTheTable(t *testing.T) {
	s := store.NewDynamoDB[record](region.New(region.Options{}).DynamoDB(), plain)
	one, two := item{Key: key("i-1", "")}, item{Key: key("i-2", "")}
	_, getErr := s.Get(t.Context(), one.Key)
	_, openErr := s.Open(t.Context())
	_, putErr := s.Put(t.Context(), one)
	_, putAllErr := s.Put(t.Context(), one, two)
	for call, err := range map[string]error{"Get": getErr, "Open": openErr, "Put": putErr, "Put of two": putAllErr} {
		if !fault.IsOwn(err) || !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), table) {
			t.Errorf("%s of a table that is gone says %v: operators search their fleet for it", call, err)
		}
	}
}
