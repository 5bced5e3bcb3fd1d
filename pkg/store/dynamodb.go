package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/pkg/fault"
)

// KeyedAPI is what a [DynamoDB] store asks DynamoDB that reads items by their keys
// and writes one at a time.
type KeyedAPI interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
}

// API is all that a [DynamoDB] store calls.
type API interface {
	KeyedAPI
	dynamodb.QueryAPIClient
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Layout is how a table holds items.
type Layout struct {
	Table string
	// Partition and Sort name the key attributes, both of type S; Sort is empty for
	// a table without a sort key.
	Partition, Sort string
	// Schema is the version of the values that are written. A higher one found in
	// the table is unreadable.
	Schema int
}

// The attributes of an item beside its key, and the index that lists open items: a
// sparse global secondary index whose partition key is "open".
const (
	attrValue   = "value"   // S, JSON
	attrVersion = "version" // N
	attrSchema  = "schema"  // N
	attrOpen    = "open"    // S, "open", only on open items
	attrExpires = "expires" // N, seconds since 1970, the table's TTL attribute
	OpenIndex   = "open"
)

// Limits of one call (BatchGetItem and TransactWriteItems, Amazon DynamoDB API
// Reference).
const (
	batchGetLimit = 100
	transactLimit = 100
)

// maxRounds bounds how often DynamoDB may hand work back: keys that it leaves
// unprocessed, or transactions that met another one. The queue tries again later.
const maxRounds = 5

// DynamoDB is a store in a DynamoDB table.
type DynamoDB[T any] struct {
	db     KeyedAPI
	layout Layout
}

// NewDynamoDB makes a store. It makes no call. Listing, deleting and writing several
// items at once need an [API]; a function that does none of it gets along with less,
// and with fewer permissions.
func NewDynamoDB[T any](db KeyedAPI, layout Layout) *DynamoDB[T] {
	return &DynamoDB[T]{db, layout}
}

// Get implements [Store].
func (s *DynamoDB[T]) Get(ctx context.Context, keys ...Key) (map[Key]Item[T], error) {
	found := make(map[Key]Item[T], len(keys))
	pending := make([]map[string]types.AttributeValue, 0, len(keys))
	for _, k := range keys {
		if _, twice := found[k]; !twice {
			found[k] = Item[T]{Key: k}
			pending = append(pending, s.key(k))
		}
	}
	for rounds := len(pending)/batchGetLimit + maxRounds; len(pending) > 0; rounds-- {
		if rounds == 0 {
			return nil, s.failed("read", fmt.Errorf("DynamoDB leaves %d keys unprocessed", len(pending)))
		}
		n := min(len(pending), batchGetLimit)
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			s.layout.Table: {Keys: pending[:n], ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return nil, s.failed("read", err)
		}
		for _, attributes := range out.Responses[s.layout.Table] {
			item := s.item(attributes)
			found[item.Key] = item
		}
		pending = append(slices.Clone(out.UnprocessedKeys[s.layout.Table].Keys), pending[n:]...)
	}
	return found, nil
}

// Open implements [Store].
func (s *DynamoDB[T]) Open(ctx context.Context) ([]Item[T], error) {
	var open []Item[T]
	db, err := s.api()
	if err != nil {
		return nil, err
	}
	pages := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName: &s.layout.Table, IndexName: aws.String(OpenIndex),
		KeyConditionExpression:    aws.String("#open = :open"),
		ExpressionAttributeNames:  map[string]string{"#open": attrOpen},
		ExpressionAttributeValues: map[string]types.AttributeValue{":open": str(attrOpen)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.failed("list open items", err)
		}
		for _, attributes := range page.Items {
			open = append(open, s.item(attributes))
		}
	}
	return open, nil
}

func (s *DynamoDB[T]) api() (API, error) {
	api, ok := s.db.(API)
	if !ok {
		return nil, s.failed("list or write several items", errors.New("the client has no Query and no TransactWriteItems"))
	}
	return api, nil
}

// Put implements [Store]. Several items are written in transactions, which cost one
// call for a hundred of them. A transaction takes 4 MB at most, an item 400 KB.
func (s *DynamoDB[T]) Put(ctx context.Context, items ...Item[T]) (conflicts []Key, err error) {
	if len(items) == 1 && !items[0].Delete {
		conflicts, err := s.putOne(ctx, items[0])
		if !fault.Is(err, fault.Busy) { // a transaction is at the item, and passes at once
			return conflicts, err
		}
	}
	for chunk := range slices.Chunk(items, transactLimit) {
		lost, err := s.putChunk(ctx, chunk)
		conflicts = append(conflicts, lost...)
		if err != nil {
			return conflicts, s.failed("write", err)
		}
	}
	return conflicts, nil
}

func (s *DynamoDB[T]) putOne(ctx context.Context, item Item[T]) ([]Key, error) {
	put, err := s.put(item)
	if err != nil {
		return nil, err
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: put.TableName, Item: put.Item, ConditionExpression: put.ConditionExpression,
		ExpressionAttributeNames: put.ExpressionAttributeNames, ExpressionAttributeValues: put.ExpressionAttributeValues,
	})
	switch {
	case fault.Is(err, fault.Conflict):
		return []Key{item.Key}, nil
	case err != nil:
		return nil, s.failed("write", err)
	}
	return nil, nil
}

// putChunk writes all of a chunk or nothing; then once more without those that
// somebody else has written.
func (s *DynamoDB[T]) putChunk(ctx context.Context, chunk []Item[T]) (conflicts []Key, err error) {
	db, err := s.api()
	if err != nil {
		return nil, err
	}
	for rounds := maxRounds; len(chunk) > 0; rounds-- {
		in := &dynamodb.TransactWriteItemsInput{}
		for _, item := range chunk {
			write, err := s.write(item)
			if err != nil {
				return conflicts, err
			}
			in.TransactItems = append(in.TransactItems, write)
		}
		_, err := db.TransactWriteItems(ctx, in)
		if err == nil {
			return conflicts, nil
		}
		var canceled *types.TransactionCanceledException
		if !errors.As(err, &canceled) || len(canceled.CancellationReasons) != len(chunk) || rounds == 0 {
			return conflicts, err
		}
		var rest []Item[T]
		passes := false
		for i, reason := range canceled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "ConditionalCheckFailed":
				conflicts = append(conflicts, chunk[i].Key)
				continue
			case "TransactionConflict": // another transaction was at the item: that passes at once
				passes = true
			}
			rest = append(rest, chunk[i])
		}
		if len(rest) == len(chunk) && !passes {
			return conflicts, err
		}
		chunk = rest
	}
	return conflicts, nil
}

func (s *DynamoDB[T]) write(item Item[T]) (types.TransactWriteItem, error) {
	if item.Delete {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.layout.Table, Key: s.key(item.Key), ConditionExpression: unwritten(item.Version),
			ExpressionAttributeNames: versionName, ExpressionAttributeValues: versionValue(item.Version),
		}}, nil
	}
	put, err := s.put(item)
	return types.TransactWriteItem{Put: put}, err
}

// unwritten is the condition that nobody has written or deleted an item since it was
// read at a version.
func unwritten(version int) *string {
	if version == 0 {
		return aws.String("attribute_not_exists(#version)")
	}
	return aws.String("#version = :version")
}

var versionName = map[string]string{"#version": attrVersion}

// versionValue is what [unwritten] compares with: DynamoDB refuses a value that an
// expression does not use.
func versionValue(version int) map[string]types.AttributeValue {
	if version == 0 {
		return nil
	}
	return map[string]types.AttributeValue{":version": number(int64(version))}
}

func (s *DynamoDB[T]) put(item Item[T]) (*types.Put, error) {
	text, err := encode(item.Key, item.Value)
	if err != nil {
		return nil, err
	}
	attributes := s.key(item.Key)
	attributes[attrValue] = str(text)
	attributes[attrVersion] = number(int64(item.Version) + 1)
	attributes[attrSchema] = number(int64(s.layout.Schema))
	if item.Open {
		attributes[attrOpen] = str(attrOpen)
	}
	if !item.Expires.IsZero() {
		attributes[attrExpires] = number(item.Expires.Unix())
	}
	return &types.Put{
		TableName: &s.layout.Table, Item: attributes, ConditionExpression: unwritten(item.Version),
		ExpressionAttributeNames: versionName, ExpressionAttributeValues: versionValue(item.Version),
	}, nil
}

func (s *DynamoDB[T]) failed(verb string, err error) error {
	return fault.Own(fmt.Errorf("%s in table %s: %w", verb, s.layout.Table, err))
}
