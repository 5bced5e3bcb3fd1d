package store_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	gocmp "github.com/google/go-cmp/cmp"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
	"deployhooks/test/dynamo"
	"deployhooks/test/region"
)

// transacts is a clause of the contract.
func transacts(t *testing.T, open func(int) items) {
	s := open(1)
	theirs, other := item{Key: key("a", "1")}, item{Key: key("b", "2")}
	put(t, s, theirs)
	theirs.Version = 1
	for _, mine := range []item{{Key: theirs.Key}, {Key: theirs.Key, Version: 2}, {Key: theirs.Key, Delete: true, Version: 2}} {
		if lost := putAll(t, s, other, mine); !slices.Equal(lost, []store.Key{mine.Key}) {
			t.Errorf("at version %d, %v conflict", mine.Version, lost)
		}
		holds(t, s, theirs, item{Key: other.Key})
		if lost := putAll(t, s, mine); !slices.Equal(lost, []store.Key{mine.Key}) {
			t.Errorf("alone at version %d, %v conflict", mine.Version, lost)
		}
	}
	both := []store.Key{theirs.Key, other.Key}
	put(t, s, other)
	if lost := putAll(t, s, item{Key: theirs.Key}, item{Key: other.Key}); !slices.Equal(lost, both) {
		t.Errorf("%v conflict, want both: the caller does not know what to read again", lost)
	}
	if _, err := s.PutAll(t.Context(), item{Key: key("a", "9")}, item{Key: key("a", "8"), Value: record{Count: math.NaN()}}); !fault.IsOwn(err) {
		t.Errorf("a value that cannot be encoded says %v", err)
	}
	holds(t, s, item{Key: key("a", "9")})

	gone := theirs
	gone.Delete, other.Version, other.Value = true, 1, record{Text: "kept"}
	fresh := item{Key: key("c", "3"), Open: true, Expires: noon}
	if lost := putAll(t, s, gone, other, fresh); lost != nil {
		t.Fatalf("%v conflict", lost)
	}
	other.Version, fresh.Version = 2, 1
	holds(t, s, item{Key: theirs.Key}, other, fresh)
	if lost := putAll(t, s); lost != nil {
		t.Errorf("nothing was written, and %v conflict", lost)
	}

	var many []item
	for n := range store.MaxTransaction + 1 {
		many = append(many, item{Key: key("many", fmt.Sprintf("%03d", n))})
	}
	if _, err := s.PutAll(t.Context(), many...); !fault.IsOwn(err) || !strings.Contains(err.Error(), "101") {
		t.Errorf("more than a transaction takes says %v", err)
	}
	holds(t, s, many[0])
	if lost := putAll(t, s, many[1:]...); lost != nil {
		t.Errorf("%v conflict", lost)
	}
}

// listsPartition is a clause of the contract.
func listsPartition(t *testing.T, open func(int) items) {
	s := open(1)
	var want []item
	for _, sort := range []string{"b", "a#2", "a", "a#10"} {
		i := item{Key: key("one", sort), Value: record{Text: sort}}
		put(t, s, i, item{Key: key("other", sort)})
		i.Version = 1
		want = append(want, i)
	}
	slices.SortFunc(want, func(a, b item) int { return compare(a.Key, b.Key) })
	for partition, want := range map[string][]item{"one": want, "none": nil} {
		got, err := s.List(t.Context(), partition)
		if err != nil || !gocmp.Equal(got, want) {
			t.Errorf("%s lists %v, %v", partition, got, err)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 4, 5} {
		got, err := s.Last(t.Context(), "one", limit)
		if err != nil || !gocmp.Equal(got, want[:min(limit, len(want))]) {
			t.Errorf("the last %d are %v, %v", limit, got, err)
		}
	}
	if got, err := s.Last(t.Context(), "none", 2); err != nil || len(got) != 0 {
		t.Errorf("the last of an empty partition are %v, %v", got, err)
	}
}

func putAll(t *testing.T, s items, all ...item) []store.Key {
	t.Helper()
	lost, err := s.PutAll(t.Context(), all...)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(lost, compare)
	return lost
}

// meeting is a DynamoDB where transactions meet others.
type meeting struct {
	dynamo.DB
	times, calls int
}

func (m *meeting) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if m.calls++; m.calls <= m.times {
		return nil, &smithy.OperationError{ServiceID: dynamodb.ServiceID, OperationName: "TransactWriteItems", Err: &types.TransactionCanceledException{
			CancellationReasons: []types.CancellationReason{{Code: aws.String("None")}, {Code: aws.String("TransactionConflict")}},
		}}
	}
	return m.DB.TransactWriteItems(ctx, in, o...)
}

func TestTransactionsThatMeet(t *testing.T) {
	for times, fails := range map[int]bool{0: false, 1: false, 4: false, 5: true, 1000: true} {
		db := &meeting{DB: dynamo.Simulated(region.Options{}, table, []string{sorted.Partition, sorted.Sort}).DynamoDB(), times: times}
		s := store.NewDynamoDB[record](db, sorted)
		lost, err := s.PutAll(t.Context(), item{Key: key("a", "1")}, item{Key: key("a", "2")})
		if lost != nil || (err != nil) != fails || fails && !fault.IsOwn(err) || db.calls > 5 {
			t.Errorf("met by %d transactions: %v conflict, %v after %d calls", times, lost, err, db.calls)
		}
	}
}

// counting counts the items that queries read.
type counting struct {
	dynamo.DB
	read int
}

func (c *counting) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := c.DB.Query(ctx, in, o...)
	if err == nil {
		c.read += int(out.ScannedCount)
	}
	return out, err
}

// TestLastReadsNoMoreThanItsLimit holds that old items of a partition cost nothing.
func TestLastReadsNoMoreThanItsLimit(t *testing.T) {
	for _, page := range []int{0, 1, 2} {
		db := &counting{DB: dynamo.Simulated(region.Options{PageSize: page}, table, []string{sorted.Partition, sorted.Sort}).DynamoDB()}
		s := store.NewDynamoDB[record](db, sorted)
		for n := range 9 {
			put(t, s, item{Key: key("one", fmt.Sprint(n))})
		}
		got, err := s.Last(t.Context(), "one", 3)
		if err != nil || len(got) != 3 || db.read > 4 {
			t.Errorf("with pages of %d it reads %d items for %d, %v: each year makes the answer slower", page, db.read, len(got), err)
		}
	}
}
