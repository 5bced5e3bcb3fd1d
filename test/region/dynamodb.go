package region

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoDB has the methods of the SDK's dynamodb.Client.
type DynamoDB struct{ r *Region }

// DynamoDB is the region's DynamoDB. Its reads are always consistent.
func (r *Region) DynamoDB() DynamoDB { return DynamoDB{r} }

// table is a DynamoDB table whose keys are strings.
type table struct {
	name  string
	keys  []string // HASH, and RANGE if there is one
	items map[string]item
}

type item = map[string]ddb.AttributeValue

// keysPerBatch is how many items BatchGetItem may ask for, and maxItemBytes
// how large one may be (API reference; "Quotas").
const (
	keysPerBatch = 100
	maxItemBytes = 400 << 10
)

// AddTable creates a table with string keys: the partition key and, if given,
// the sort key. Nothing in it expires: DynamoDB deletes expired items "within a
// few days", so nobody may rely on it ("Time to Live").
func (r *Region) AddTable(name string, keys ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tables[name] = &table{name: name, keys: keys, items: map[string]item{}}
}

func ddbCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, dynamodb.ServiceID, operation, in, simulated, serve)
}

const conditionFields = " ConditionExpression ExpressionAttributeNames ExpressionAttributeValues ReturnConsumedCapacity ReturnValues ReturnValuesOnConditionCheckFailure"

// GetItem reads one item.
func (v DynamoDB) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return ddbCall(ctx, v.r, "GetItem", in, "TableName Key ConsistentRead ReturnConsumedCapacity", v.r.getItem)
}

// BatchGetItem reads up to a hundred items.
func (v DynamoDB) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return ddbCall(ctx, v.r, "BatchGetItem", in, "RequestItems ReturnConsumedCapacity", v.r.batchGetItem)
}

// PutItem writes one item, on a condition if there is one.
func (v DynamoDB) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return ddbCall(ctx, v.r, "PutItem", in, "TableName Item"+conditionFields, v.r.putItem)
}

// DeleteItem deletes one item, on a condition if there is one.
func (v DynamoDB) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return ddbCall(ctx, v.r, "DeleteItem", in, "TableName Key"+conditionFields, v.r.deleteItem)
}

func (r *Region) table(name *string) (*table, error) {
	t := r.tables[aws.ToString(name)]
	if t == nil {
		return nil, &ddb.ResourceNotFoundException{Message: aws.String("Requested resource not found: Table: " + aws.ToString(name) + " not found")}
	}
	return t, nil
}

// key is the identity of an item within its table.
func (t *table) key(of item, exactly bool) (string, error) {
	bad := failure("ValidationException", "The provided key element does not match the schema")
	if exactly && len(of) != len(t.keys) {
		return "", bad
	}
	var key string
	for _, name := range t.keys {
		s, ok := of[name].(*ddb.AttributeValueMemberS)
		if !ok {
			return "", bad
		}
		if s.Value == "" {
			return "", failure("ValidationException", "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
		}
		key += fmt.Sprintf("%d:%s", len(s.Value), s.Value)
	}
	return key, nil
}

func (r *Region) getItem(in *dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
	t, err := r.table(in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.key(in.Key, true)
	if err != nil {
		return nil, err
	}
	return &dynamodb.GetItemOutput{Item: maps.Clone(t.items[key])}, nil
}

func (r *Region) batchGetItem(in *dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
	var n int
	for _, request := range in.RequestItems {
		n += len(request.Keys)
	}
	switch {
	case n == 0:
		return nil, failure("ValidationException", "The batch get request list cannot be empty")
	case n > keysPerBatch:
		return nil, failure("ValidationException", "Too many items requested for the BatchGetItem call")
	}
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]ddb.AttributeValue{}, UnprocessedKeys: map[string]ddb.KeysAndAttributes{}}
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		request := in.RequestItems[name]
		if request.ProjectionExpression != nil || request.AttributesToGet != nil {
			return nil, failure("NotImplemented", "the simulated region does not know projections")
		}
		t, err := r.table(&name)
		if err != nil {
			return nil, err
		}
		served := request.Keys
		if r.gate.partial {
			half := len(served) / 2
			left := request
			left.Keys = served[half:]
			out.UnprocessedKeys[name] = left
			served = served[:half]
		}
		out.Responses[name], err = t.get(request.Keys, len(served))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// get reads the first n of some keys, all of which must be good and distinct.
func (t *table) get(keys []map[string]ddb.AttributeValue, n int) ([]map[string]ddb.AttributeValue, error) {
	found := []map[string]ddb.AttributeValue{}
	seen := map[string]bool{}
	for i, k := range keys {
		key, err := t.key(k, true)
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, failure("ValidationException", "Provided list of item keys contains duplicates")
		}
		seen[key] = true
		if it := t.items[key]; it != nil && i < n {
			found = append(found, maps.Clone(it))
		}
	}
	return found, nil
}

func (r *Region) putItem(in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
	t, err := r.table(in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.key(in.Item, false)
	if err != nil {
		return nil, err
	}
	if size := itemBytes(in.Item); size > maxItemBytes {
		return nil, failure("ValidationException", "Item size has exceeded the maximum allowed size")
	}
	old := t.items[key]
	err = check(condition{
		expression: in.ConditionExpression, names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
		showItem: in.ReturnValuesOnConditionCheckFailure == ddb.ReturnValuesOnConditionCheckFailureAllOld,
	}, old)
	if err != nil {
		return nil, err
	}
	t.items[key] = maps.Clone(in.Item)
	out := &dynamodb.PutItemOutput{}
	if in.ReturnValues == ddb.ReturnValueAllOld {
		out.Attributes = old
	}
	return out, nil
}

func (r *Region) deleteItem(in *dynamodb.DeleteItemInput) (*dynamodb.DeleteItemOutput, error) {
	t, err := r.table(in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.key(in.Key, true)
	if err != nil {
		return nil, err
	}
	old := t.items[key]
	err = check(condition{
		expression: in.ConditionExpression, names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
		showItem: in.ReturnValuesOnConditionCheckFailure == ddb.ReturnValuesOnConditionCheckFailureAllOld,
	}, old)
	if err != nil {
		return nil, err
	}
	delete(t.items, key)
	out := &dynamodb.DeleteItemOutput{}
	if in.ReturnValues == ddb.ReturnValueAllOld {
		out.Attributes = old
	}
	return out, nil
}

// itemBytes is the size of an item's strings and numbers, names included:
// near enough to AWS's measure to catch what is far too large.
func itemBytes(i item) int {
	var n int
	for name, v := range i {
		n += len(name) + valueBytes(v)
	}
	return n
}

func valueBytes(v ddb.AttributeValue) int {
	switch v := v.(type) {
	case *ddb.AttributeValueMemberS:
		return len(v.Value)
	case *ddb.AttributeValueMemberN:
		return len(v.Value)
	case *ddb.AttributeValueMemberB:
		return len(v.Value)
	case *ddb.AttributeValueMemberSS:
		var n int
		for _, s := range v.Value {
			n += len(s)
		}
		return n
	case *ddb.AttributeValueMemberM:
		return 3 + itemBytes(v.Value)
	case *ddb.AttributeValueMemberL:
		n := 3
		for _, e := range v.Value {
			n += 1 + valueBytes(e)
		}
		return n
	}
	return 1
}
