package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/pkg/fault"
)

// Transactional is a [Store] whose items belong together. Both stores of this
// package are.
type Transactional[T any] interface {
	Store[T]
	// List reads the items of a partition in the order of their sort keys, strongly
	// consistent item by item: of a transaction that commits meanwhile it may have a part.
	List(ctx context.Context, partition string) ([]Item[T], error)
	// Last reads at most limit items of a partition, those with the highest sort keys, the highest
	// first, at a cost in proportion to the limit. A limit is at least 1.
	Last(ctx context.Context, partition string, limit int) ([]Item[T], error)
	// PutAll writes, or deletes, all of the items or none: none if somebody has written
	// one of them since it was read. It returns the keys of those that somebody has. After
	// an error, all are written or none. It takes [MaxTransaction] items of different keys at most.
	PutAll(ctx context.Context, items ...Item[T]) (conflicts []Key, err error)
}

// MaxTransaction is how many items a transaction takes (TransactWriteItems, Amazon
// DynamoDB API Reference). Together they may have 4 MB.
const MaxTransaction = transactLimit

// checkSize refuses a transaction that DynamoDB would refuse.
func checkSize(items int) error {
	if items > MaxTransaction {
		return fault.Own(fmt.Errorf("write %d items in one transaction: DynamoDB takes %d", items, MaxTransaction))
	}
	return nil
}

// List implements [Transactional].
func (s *DynamoDB[T]) List(ctx context.Context, partition string) ([]Item[T], error) {
	return s.query(ctx, partition, math.MaxInt, &dynamodb.QueryInput{})
}

// Last implements [Transactional].
func (s *DynamoDB[T]) Last(ctx context.Context, partition string, limit int) ([]Item[T], error) {
	return s.query(ctx, partition, limit, &dynamodb.QueryInput{ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(limit))})
}

// query reads items of a partition, page by page, until it has enough.
func (s *DynamoDB[T]) query(ctx context.Context, partition string, enough int, in *dynamodb.QueryInput) ([]Item[T], error) {
	db, err := s.api()
	if err != nil {
		return nil, err
	}
	var all []Item[T]
	in.TableName, in.ConsistentRead = &s.layout.Table, aws.Bool(true)
	in.KeyConditionExpression = aws.String("#partition = :partition")
	in.ExpressionAttributeNames = map[string]string{"#partition": s.layout.Partition}
	in.ExpressionAttributeValues = map[string]types.AttributeValue{":partition": str(partition)}
	pages := dynamodb.NewQueryPaginator(db, in)
	for pages.HasMorePages() && len(all) < enough {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.failed("list "+partition, err)
		}
		for _, attributes := range page.Items {
			all = append(all, s.item(attributes))
		}
	}
	return all[:min(len(all), enough)], nil
}

// PutAll implements [Transactional]. One item is written by PutItem, which costs half
// as much. The SDK gives a transaction a token, so that its retries write it once.
func (s *DynamoDB[T]) PutAll(ctx context.Context, items ...Item[T]) (conflicts []Key, err error) {
	if len(items) < 2 {
		return s.Put(ctx, items...)
	}
	if err := checkSize(len(items)); err != nil {
		return nil, err
	}
	db, err := s.api()
	if err != nil {
		return nil, err
	}
	in := &dynamodb.TransactWriteItemsInput{}
	for _, item := range items {
		write, err := s.write(item)
		if err != nil {
			return nil, err
		}
		in.TransactItems = append(in.TransactItems, write)
	}
	for range maxRounds {
		_, err = db.TransactWriteItems(ctx, in)
		var canceled *types.TransactionCanceledException
		if !errors.As(err, &canceled) || len(canceled.CancellationReasons) != len(items) {
			break
		}
		meets := false // another transaction at one of the items: that passes at once
		for i, reason := range canceled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "ConditionalCheckFailed":
				conflicts = append(conflicts, items[i].Key)
			case "TransactionConflict":
				meets = true
			}
		}
		if len(conflicts) > 0 {
			return conflicts, nil
		}
		if !meets {
			break
		}
	}
	if err != nil {
		return nil, s.failed("write a transaction", err)
	}
	return nil, nil
}

// List implements [Transactional].
func (m *Memory[T]) List(_ context.Context, partition string) ([]Item[T], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Item[T]
	for k := range m.items {
		if k.Partition == partition {
			all = append(all, m.read(k))
		}
	}
	slices.SortFunc(all, func(a, b Item[T]) int { return strings.Compare(a.Key.Sort, b.Key.Sort) })
	return all, nil
}

// Last implements [Transactional].
func (m *Memory[T]) Last(ctx context.Context, partition string, limit int) ([]Item[T], error) {
	all, err := m.List(ctx, partition)
	slices.Reverse(all)
	return all[:min(len(all), limit)], err
}

// PutAll implements [Transactional].
func (m *Memory[T]) PutAll(_ context.Context, items ...Item[T]) (conflicts []Key, err error) {
	if err := checkSize(len(items)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range items {
		if _, err := encode(i.Key, i.Value); err != nil {
			return nil, err
		}
		if m.items[i.Key].item.Version != i.Version {
			conflicts = append(conflicts, i.Key)
		}
	}
	if len(conflicts) > 0 {
		return conflicts, nil
	}
	return m.put(items)
}
