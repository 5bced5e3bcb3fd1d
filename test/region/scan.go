package region

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxScanned is how much one page of a scan reads (API reference, Scan: "If
// the total size of scanned items exceeds the maximum dataset size limit of 1
// MB, the scan completes and results are returned").
const maxScanned = 1 << 20

// Scan reads a table page by page. The filter is applied to what a page has
// read, so a page may be short, or empty, and not be the last.
func (v DynamoDB) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return ddbCall(ctx, v.r, "Scan", in, "TableName ConsistentRead ExclusiveStartKey ExpressionAttributeNames ExpressionAttributeValues FilterExpression Limit ReturnConsumedCapacity Select", v.r.scan)
}

func (r *Region) scan(in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
	t, err := r.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.Select != "" && in.Select != ddb.SelectAllAttributes {
		return nil, failure("NotImplemented", "the simulated region does not know the selection %s", in.Select)
	}
	keys := slices.Sorted(maps.Keys(t.items))
	if in.ExclusiveStartKey != nil {
		from, err := t.key(in.ExclusiveStartKey, true)
		if err != nil {
			return nil, err
		}
		n, found := slices.BinarySearch(keys, from)
		if found {
			n++
		}
		keys = keys[n:]
	}
	limit := len(keys)
	for _, n := range []int{int(deref(in.Limit)), r.options.PageSize} {
		if n > 0 {
			limit = min(limit, n)
		}
	}
	out := &dynamodb.ScanOutput{Items: []map[string]ddb.AttributeValue{}}
	var read int
	for n, key := range keys {
		it := t.items[key]
		if n == limit || read > maxScanned {
			out.LastEvaluatedKey = t.keyOf(t.items[keys[n-1]])
			break
		}
		read += itemBytes(it)
		out.ScannedCount++
		switch err := check(condition{expression: in.FilterExpression, names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues}, it).(type) {
		case nil:
			out.Items = append(out.Items, maps.Clone(it))
		case *ddb.ConditionalCheckFailedException: // filtered out
		default:
			return nil, err
		}
	}
	out.Count = int32(len(out.Items))
	return out, nil
}

// keyOf are the key attributes of an item.
func (t *table) keyOf(it item) item {
	key := item{}
	for _, name := range t.keys {
		key[name] = it[name]
	}
	return key
}

// BatchWriteItem puts and deletes up to 25 items, each for itself and without
// conditions.
func (v DynamoDB) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return ddbCall(ctx, v.r, "BatchWriteItem", in, "RequestItems ReturnConsumedCapacity ReturnItemCollectionMetrics", v.r.batchWriteItem)
}

// writesPerBatch is how many items BatchWriteItem may write (API reference).
const writesPerBatch = 25

func (r *Region) batchWriteItem(in *dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error) {
	var items []ddb.TransactWriteItem
	var requests []ddb.WriteRequest
	var tables []string
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		for _, w := range in.RequestItems[name] {
			requests, tables = append(requests, w), append(tables, name)
			switch {
			case w.PutRequest != nil:
				items = append(items, ddb.TransactWriteItem{Put: &ddb.Put{TableName: aws.String(name), Item: w.PutRequest.Item}})
			case w.DeleteRequest != nil:
				items = append(items, ddb.TransactWriteItem{Delete: &ddb.Delete{TableName: aws.String(name), Key: w.DeleteRequest.Key}})
			default:
				return nil, failure("ValidationException", "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
		}
	}
	if n := len(items); n == 0 || n > writesPerBatch {
		return nil, failure("ValidationException", "Too many items requested for the BatchWriteItem call, or none: %d", n)
	}
	writes, err := r.writes(items)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.BatchWriteItemOutput{UnprocessedItems: map[string][]ddb.WriteRequest{}}
	for n, w := range writes {
		switch {
		case r.gate.partial && n >= len(writes)/2:
			out.UnprocessedItems[tables[n]] = append(out.UnprocessedItems[tables[n]], requests[n])
		case w.drop:
			delete(w.table.items, w.key)
		default:
			w.table.items[w.key] = maps.Clone(w.put)
		}
	}
	return out, nil
}
