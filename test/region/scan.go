package region

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxRead is how much one page of a scan or query reads (API reference, Scan
// and Query: "If the total size ... exceeds the maximum dataset size limit of 1
// MB").
const maxRead = 1 << 20

// Scan reads a table or an index page by page. The filter is applied to what a
// page has read, so a page may be short, or empty, and not be the last.
func (v DynamoDB) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return ddbCall(ctx, v.r, "Scan", in, "TableName IndexName ExclusiveStartKey ExpressionAttributeValues FilterExpression Limit Select"+projectionFields, v.r.scan)
}

// Query reads the items of one partition of a table or an index, by their sort
// key.
func (v DynamoDB) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return ddbCall(ctx, v.r, "Query", in, "TableName IndexName ExclusiveStartKey ExpressionAttributeValues FilterExpression KeyConditionExpression Limit ScanIndexForward Select"+projectionFields, v.r.query)
}

// reading is a scan or a query.
type reading struct {
	tableName, indexName *string
	consistent           *bool
	projection, filter   *string
	keyCondition         *string // of a query
	names                map[string]string
	values               map[string]ddb.AttributeValue
	selection            ddb.Select
	from                 item
	limit                *int32
	backwards, isQuery   bool
}

// readPage is one page of it.
type readPage struct {
	items          []map[string]ddb.AttributeValue
	count, scanned int32
	next           item
}

func (r *Region) scan(in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
	page, err := r.read(reading{
		tableName: in.TableName, indexName: in.IndexName, consistent: in.ConsistentRead, projection: in.ProjectionExpression,
		filter: in.FilterExpression, names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
		selection: in.Select, from: in.ExclusiveStartKey, limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return &dynamodb.ScanOutput{Items: page.items, Count: page.count, ScannedCount: page.scanned, LastEvaluatedKey: page.next}, nil
}

func (r *Region) query(in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	page, err := r.read(reading{
		tableName: in.TableName, indexName: in.IndexName, consistent: in.ConsistentRead, projection: in.ProjectionExpression,
		filter: in.FilterExpression, keyCondition: in.KeyConditionExpression, names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
		selection: in.Select, from: in.ExclusiveStartKey, limit: in.Limit, backwards: in.ScanIndexForward != nil && !*in.ScanIndexForward, isQuery: true,
	})
	if err != nil {
		return nil, err
	}
	return &dynamodb.QueryOutput{Items: page.items, Count: page.count, ScannedCount: page.scanned, LastEvaluatedKey: page.next}, nil
}

// read reads one page. All expressions are read before the table is.
func (r *Region) read(q reading) (*readPage, error) {
	p := newPlaceholders(q.names, q.values)
	part, err := p.projection(q.projection)
	if err != nil {
		return nil, err
	}
	kept, err := p.predicate("FilterExpression", q.filter)
	if err != nil {
		return nil, err
	}
	var key keyCondition
	if q.isQuery {
		if key, err = p.keyCondition(q.keyCondition); err != nil {
			return nil, err
		}
	}
	if err := p.check(q.projection != nil || q.filter != nil || q.isQuery, "FilterExpression"); err != nil {
		return nil, err
	}
	if q.limit != nil && *q.limit < 1 {
		return nil, validation("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", *q.limit)
	}
	t, err := r.table(q.tableName)
	if err != nil {
		return nil, err
	}
	items, keys, keyNames, err := t.source(q)
	if err != nil {
		return nil, err
	}
	sort := ""
	if q.isQuery {
		if err := key.fits(keys); err != nil {
			return nil, err
		}
		if len(keys) > 1 {
			sort = keys[1].name
		}
		items = maps.Clone(items)
		maps.DeleteFunc(items, func(_ string, it item) bool { return !key.met(it) })
	}
	ids, err := t.after(q, items, sort, keyNames)
	if err != nil {
		return nil, err
	}
	return r.page(q, items, ids, keyNames, kept, part), nil
}

// source is what is read: the items, the keys by which they are queried, and
// the attributes of the keys that pages go on from.
func (t *table) source(q reading) (map[string]item, []keyAttribute, []string, error) {
	if q.selection != "" && q.selection != ddb.SelectAllAttributes && q.selection != ddb.SelectCount && q.selection != ddb.SelectAllProjectedAttributes {
		return nil, nil, nil, failure("NotImplemented", "the simulated region does not know the selection %s", q.selection)
	}
	if q.indexName == nil {
		return t.items, t.keys, names(t.keys), nil
	}
	x := t.indexes[*q.indexName]
	switch {
	case x == nil:
		return nil, nil, nil, validation("The table does not have the specified index: %s", *q.indexName)
	case deref(q.consistent):
		return nil, nil, nil, validation("Consistent reads are not supported on global secondary indexes")
	case x.KeysOnly && q.selection == ddb.SelectAllAttributes:
		return nil, nil, nil, validation("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", x.Name)
	}
	return x.items, x.keys, names(t.keys, x.keys), nil
}

// after are the items behind the key that the caller goes on from, in order.
// That item need not be there any more.
func (t *table) after(q reading, items map[string]item, sort string, keyNames []string) ([]string, error) {
	ids := inOrder(items, sort, q.backwards)
	if q.from == nil {
		return ids, nil
	}
	bad := validation("The provided starting key is invalid")
	wanted := slices.Compact(slices.Sorted(slices.Values(keyNames)))
	if !slices.Equal(slices.Sorted(maps.Keys(q.from)), wanted) {
		return nil, bad
	}
	from, err := t.idOfKey(only(q.from, names(t.keys)))
	if err != nil {
		return nil, bad
	}
	if n := slices.Index(ids, from); n >= 0 {
		return ids[n+1:], nil
	}
	with := maps.Clone(items)
	with[from] = q.from
	ids = inOrder(with, sort, q.backwards)
	return ids[slices.Index(ids, from)+1:], nil
}

// page ends when it has read the limit, or 1 MB. A page that ends at its limit
// says where to go on even if there is nothing more (API reference, Query,
// LastEvaluatedKey: "doesn't necessarily mean that there is more data").
func (r *Region) page(q reading, items map[string]item, ids, keyNames []string, kept predicate, part func(item) item) *readPage {
	page := &readPage{}
	if q.selection != ddb.SelectCount {
		page.items = []map[string]ddb.AttributeValue{}
	}
	limit := int(deref(q.limit))
	if size := r.options.PageSize; size > 0 && (limit == 0 || size < limit) {
		limit = size
	}
	var bytes int
	for _, id := range ids {
		it := items[id]
		page.scanned++
		bytes += itemBytes(it)
		if kept(it) {
			page.count++
			if q.selection != ddb.SelectCount {
				page.items = append(page.items, part(it))
			}
		}
		if int(page.scanned) == limit || bytes > maxRead {
			page.next = only(it, keyNames)
			break
		}
	}
	return page
}

// BatchWriteItem puts and deletes up to 25 items, each for itself and without
// conditions.
func (v DynamoDB) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return ddbCall(ctx, v.r, "BatchWriteItem", in, "RequestItems ReturnConsumedCapacity ReturnItemCollectionMetrics", v.r.batchWriteItem)
}

// writesPerBatch is how many items BatchWriteItem may write (API reference).
const writesPerBatch = 25

func (r *Region) batchWriteItem(in *dynamodb.BatchWriteItemInput) (*dynamodb.BatchWriteItemOutput, error) {
	var writes []write
	var requests []ddb.WriteRequest
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		for _, request := range in.RequestItems[name] {
			one := ddb.TransactWriteItem{}
			switch {
			case request.PutRequest != nil:
				one.Put = &ddb.Put{TableName: aws.String(name), Item: request.PutRequest.Item}
			case request.DeleteRequest != nil:
				one.Delete = &ddb.Delete{TableName: aws.String(name), Key: request.DeleteRequest.Key}
			}
			w, err := r.write(one)
			if err != nil {
				return nil, err
			}
			if seen[name+" "+w.id] {
				return nil, validation("Provided list of item keys contains duplicates")
			}
			seen[name+" "+w.id] = true
			writes, requests = append(writes, w), append(requests, request)
		}
	}
	if n := len(writes); n == 0 || n > writesPerBatch {
		return nil, validation("Too many items requested for the BatchWriteItem call, or none: %d", n)
	}
	out := &dynamodb.BatchWriteItemOutput{UnprocessedItems: map[string][]ddb.WriteRequest{}}
	for n, w := range writes {
		if r.gate.partial && n >= len(writes)/2 {
			out.UnprocessedItems[w.table.name] = append(out.UnprocessedItems[w.table.name], requests[n])
			continue
		}
		is, err := w.outcome(w.table.items[w.id])
		if err != nil {
			return nil, err
		}
		r.store(w.table, w.id, is.item)
	}
	return out, nil
}
