package region

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoDB has the methods of the SDK's dynamodb.Client.
type DynamoDB struct{ r *Region }

// DynamoDB is the region's DynamoDB. Reads of tables are always consistent;
// those of indexes are as late as [Index] says.
func (r *Region) DynamoDB() DynamoDB { return DynamoDB{r} }

type item = map[string]ddb.AttributeValue

// keysPerBatch is how many items BatchGetItem may ask for (API reference).
const keysPerBatch = 100

func ddbCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, dynamodb.ServiceID, operation, in, simulated, serve)
}

const (
	conditionFields  = " ConditionExpression ExpressionAttributeNames ExpressionAttributeValues ReturnConsumedCapacity ReturnValues ReturnValuesOnConditionCheckFailure"
	projectionFields = " ConsistentRead ExpressionAttributeNames ProjectionExpression ReturnConsumedCapacity"
)

// GetItem reads one item.
func (v DynamoDB) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return ddbCall(ctx, v.r, "GetItem", in, "TableName Key"+projectionFields, v.r.getItem)
}

// BatchGetItem reads up to a hundred items.
func (v DynamoDB) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return ddbCall(ctx, v.r, "BatchGetItem", in, "RequestItems ReturnConsumedCapacity", v.r.batchGetItem)
}

// PutItem writes one item, on a condition if there is one.
func (v DynamoDB) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return ddbCall(ctx, v.r, "PutItem", in, "TableName Item"+conditionFields, v.r.putItem)
}

// UpdateItem changes attributes of one item, and makes it where there is none.
func (v DynamoDB) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return ddbCall(ctx, v.r, "UpdateItem", in, "TableName Key UpdateExpression"+conditionFields, v.r.updateItem)
}

// DeleteItem deletes one item, on a condition if there is one.
func (v DynamoDB) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return ddbCall(ctx, v.r, "DeleteItem", in, "TableName Key"+conditionFields, v.r.deleteItem)
}

func (r *Region) getItem(in *dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
	p := newPlaceholders(in.ExpressionAttributeNames, nil)
	part, err := p.projection(in.ProjectionExpression)
	if err == nil {
		err = p.check(in.ProjectionExpression != nil, "")
	}
	if err != nil {
		return nil, err
	}
	t, err := r.table(in.TableName)
	if err != nil {
		return nil, err
	}
	id, err := t.idOfKey(in.Key)
	if err != nil {
		return nil, err
	}
	return &dynamodb.GetItemOutput{Item: part(t.items[id])}, nil
}

func (r *Region) batchGetItem(in *dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
	var n int
	for _, request := range in.RequestItems {
		n += len(request.Keys)
	}
	switch {
	case n == 0:
		return nil, validation("The batch get request list cannot be empty")
	case n > keysPerBatch:
		return nil, validation("Too many items requested for the BatchGetItem call")
	}
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]ddb.AttributeValue{}, UnprocessedKeys: map[string]ddb.KeysAndAttributes{}}
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		request := in.RequestItems[name]
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
		out.Responses[name], err = t.get(request, len(served))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// get reads the first n of some keys, all of which must be good and distinct.
func (t *table) get(request ddb.KeysAndAttributes, n int) ([]map[string]ddb.AttributeValue, error) {
	if request.AttributesToGet != nil {
		return nil, failure("NotImplemented", "the simulated region does not know AttributesToGet")
	}
	p := newPlaceholders(request.ExpressionAttributeNames, nil)
	part, err := p.projection(request.ProjectionExpression)
	if err == nil {
		err = p.check(request.ProjectionExpression != nil, "")
	}
	if err != nil {
		return nil, err
	}
	found := []map[string]ddb.AttributeValue{}
	seen := map[string]bool{}
	for i, k := range request.Keys {
		id, err := t.idOfKey(k)
		if err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, validation("Provided list of item keys contains duplicates")
		}
		seen[id] = true
		if it := t.items[id]; it != nil && i < n {
			found = append(found, part(it))
		}
	}
	return found, nil
}

func (r *Region) putItem(in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
	if in.ReturnValues != "" && in.ReturnValues != ddb.ReturnValueNone && in.ReturnValues != ddb.ReturnValueAllOld {
		return nil, validation("Return values set to invalid value")
	}
	old, _, err := r.writeOne(ddb.TransactWriteItem{Put: &ddb.Put{
		TableName: in.TableName, Item: in.Item, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}})
	if err != nil {
		return nil, err
	}
	out := &dynamodb.PutItemOutput{}
	if in.ReturnValues == ddb.ReturnValueAllOld {
		out.Attributes = maps.Clone(old)
	}
	return out, nil
}

func (r *Region) deleteItem(in *dynamodb.DeleteItemInput) (*dynamodb.DeleteItemOutput, error) {
	if in.ReturnValues != "" && in.ReturnValues != ddb.ReturnValueNone && in.ReturnValues != ddb.ReturnValueAllOld {
		return nil, validation("Return values set to invalid value")
	}
	old, _, err := r.writeOne(ddb.TransactWriteItem{Delete: &ddb.Delete{
		TableName: in.TableName, Key: in.Key, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}})
	if err != nil {
		return nil, err
	}
	out := &dynamodb.DeleteItemOutput{}
	if in.ReturnValues == ddb.ReturnValueAllOld {
		out.Attributes = maps.Clone(old)
	}
	return out, nil
}

// updateItem: without an UpdateExpression it makes an item of its key alone.
func (r *Region) updateItem(in *dynamodb.UpdateItemInput) (*dynamodb.UpdateItemOutput, error) {
	old, written, err := r.writeOne(ddb.TransactWriteItem{Update: &ddb.Update{
		TableName: in.TableName, Key: in.Key, UpdateExpression: in.UpdateExpression, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}})
	if err != nil {
		return nil, err
	}
	out := &dynamodb.UpdateItemOutput{}
	switch in.ReturnValues {
	case ddb.ReturnValueAllOld:
		out.Attributes = maps.Clone(old)
	case ddb.ReturnValueAllNew:
		out.Attributes = maps.Clone(written.item)
	case ddb.ReturnValueUpdatedOld:
		out.Attributes = only(old, written.touched)
	case ddb.ReturnValueUpdatedNew:
		out.Attributes = only(written.item, written.touched)
	}
	return out, nil
}

// writeOne does one write outside of a transaction: its condition is told as
// what it is.
func (r *Region) writeOne(i ddb.TransactWriteItem) (old item, written result, err error) {
	w, err := r.write(i)
	if err != nil {
		return nil, result{}, err
	}
	old = w.table.items[w.id]
	if !w.met(old) {
		return nil, result{}, w.cond.failed(old)
	}
	written, err = w.outcome(old)
	if err != nil {
		return nil, result{}, err
	}
	r.store(w.table, w.id, written.item)
	return old, written, nil
}
