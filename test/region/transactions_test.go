package region_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/test/region"
)

func drainItem(id, version string) map[string]ddb.AttributeValue {
	return map[string]ddb.AttributeValue{
		"autoScalingGroup": &ddb.AttributeValueMemberS{Value: "web"}, "drain": &ddb.AttributeValueMemberS{Value: id},
		"version": &ddb.AttributeValueMemberN{Value: version},
	}
}

// claim puts an item unless there is one.
func claim(id string) ddb.TransactWriteItem {
	return ddb.TransactWriteItem{Put: &ddb.Put{
		TableName: aws.String("drains"), Item: drainItem(id, "1"), ConditionExpression: aws.String("attribute_not_exists(drain)"),
		ReturnValuesOnConditionCheckFailure: ddb.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

func drains(r *region.Region) region.DynamoDB {
	r.AddTable("drains", "autoScalingGroup", "drain")
	return r.DynamoDB()
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	db := drains(region.New(region.Options{}))
	put := func(items ...ddb.TransactWriteItem) error {
		_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		return err
	}
	count := func() int32 {
		out, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("drains")})
		if err != nil {
			t.Fatal(err)
		}
		return out.Count
	}
	if err := put(claim("a"), claim("b")); err != nil || count() != 2 {
		t.Fatalf("two new drains: %v, %d items", err, count())
	}
	err := put(claim("c"), claim("b"), claim("d"))
	var cancelled *ddb.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		t.Fatalf("a second claim is answered with %v", err)
	}
	var codes []string
	for _, reason := range cancelled.CancellationReasons {
		codes = append(codes, aws.ToString(reason.Code))
	}
	if fmt.Sprint(codes) != "[None ConditionalCheckFailed None]" || len(cancelled.CancellationReasons[1].Item) == 0 {
		t.Errorf("the reasons %v do not name who lost", codes)
	}
	if n := count(); n != 2 {
		t.Errorf("a cancelled transaction left %d items instead of 2", n)
	}
	if err := put(claim("e"), claim("e")); err == nil {
		t.Error("a transaction may touch an item twice")
	}
	err = put(
		ddb.TransactWriteItem{Delete: &ddb.Delete{TableName: aws.String("drains"), Key: drainKey("a")}},
		ddb.TransactWriteItem{ConditionCheck: &ddb.ConditionCheck{TableName: aws.String("drains"), Key: drainKey("b"), ConditionExpression: aws.String("attribute_exists(drain)")}},
	)
	if err != nil || count() != 1 {
		t.Errorf("a deletion with a check: %v, %d items left", err, count())
	}
}

func drainKey(id string) map[string]ddb.AttributeValue {
	key := drainItem(id, "")
	delete(key, "version")
	return key
}

func TestATransactionSentTwiceCountsOnce(t *testing.T) {
	ctx := context.Background()
	db := drains(region.New(region.Options{}))
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("t"), TransactItems: []ddb.TransactWriteItem{claim("a")}}
	for range 2 {
		if _, err := db.TransactWriteItems(ctx, in); err != nil {
			t.Errorf("the same transaction again, its answer having been lost: %v", err)
		}
	}
	in.TransactItems = []ddb.TransactWriteItem{claim("b")}
	var mismatch *ddb.IdempotentParameterMismatchException
	if _, err := db.TransactWriteItems(ctx, in); !errors.As(err, &mismatch) {
		t.Errorf("another transaction with the same token: %v", err)
	}
}

func TestScanReadsPageByPage(t *testing.T) {
	ctx := context.Background()
	db := drains(region.New(region.Options{PageSize: 3}))
	requests := map[string][]ddb.WriteRequest{}
	for n := range 8 {
		requests["drains"] = append(requests["drains"], ddb.WriteRequest{PutRequest: &ddb.PutRequest{Item: drainItem(fmt.Sprint("i-", n), fmt.Sprint(n))}})
	}
	if _, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: requests}); err != nil {
		t.Fatal(err)
	}
	in := &dynamodb.ScanInput{
		TableName: aws.String("drains"), FilterExpression: aws.String("version >= :least"),
		ExpressionAttributeValues: map[string]ddb.AttributeValue{":least": &ddb.AttributeValueMemberN{Value: "2"}},
	}
	var found, pages int
	for pages = 1; ; pages++ {
		out, err := db.Scan(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		found += len(out.Items)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	if found != 6 || pages != 3 {
		t.Errorf("%d items on %d pages, want 6 on 3", found, pages)
	}
}
