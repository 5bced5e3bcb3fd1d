package region

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Limits of transactions (API reference, TransactWriteItems).
const (
	actionsPerTransaction = 100
	maxTransactionBytes   = 4 << 20
	clientTokenLives      = 10 * time.Minute
)

// TransactWriteItems writes up to a hundred items, all of them or none.
func (v DynamoDB) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return ddbCall(ctx, v.r, "TransactWriteItems", in, "TransactItems ClientRequestToken ReturnConsumedCapacity ReturnItemCollectionMetrics", v.r.transactWriteItems)
}

// write is one action of a transaction, in one shape for all kinds.
type write struct {
	table *table
	key   string
	put   item // nil for a deletion or a check
	drop  bool
	cond  condition
}

// transaction is one that has succeeded, kept for its client token: "Idempotent
// calls ... a client request token is valid for 10 minutes after the first
// request that uses it is completed" (API reference).
type transaction struct {
	at    time.Time
	items []ddb.TransactWriteItem
}

func (r *Region) transactWriteItems(in *dynamodb.TransactWriteItemsInput) (*dynamodb.TransactWriteItemsOutput, error) {
	if n := len(in.TransactItems); n == 0 || n > actionsPerTransaction {
		return nil, failure("ValidationException", "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to %d, and at least 1, not %d", actionsPerTransaction, n)
	}
	out := &dynamodb.TransactWriteItemsOutput{}
	token := aws.ToString(in.ClientRequestToken)
	if done, ok := r.transactions[token]; ok && token != "" && r.clock.now.Sub(done.at) < clientTokenLives {
		if !reflect.DeepEqual(done.items, in.TransactItems) {
			return nil, &ddb.IdempotentParameterMismatchException{Message: aws.String("Request rejected because the client request token was used with other parameters")}
		}
		return out, nil
	}
	writes, err := r.writes(in.TransactItems)
	if err != nil {
		return nil, err
	}
	if err := cancelled(writes); err != nil {
		return nil, err
	}
	for _, w := range writes {
		switch {
		case w.put != nil:
			w.table.items[w.key] = maps.Clone(w.put)
		case w.drop:
			delete(w.table.items, w.key)
		}
	}
	if token != "" {
		r.transactions[token] = transaction{r.clock.now, slices.Clone(in.TransactItems)}
	}
	return out, nil
}

// writes checks the actions of a transaction one by one, and together: "The
// actions ... cannot target the same item" (API reference).
func (r *Region) writes(items []ddb.TransactWriteItem) ([]write, error) {
	type place struct{ table, key string }
	seen := map[place]bool{}
	var writes []write
	var size int
	for _, i := range items {
		w, err := r.write(i)
		if err != nil {
			return nil, err
		}
		at := place{w.table.name, w.key}
		if seen[at] {
			return nil, failure("ValidationException", "Transaction request cannot include multiple operations on one item")
		}
		seen[at] = true
		size += itemBytes(w.put)
		writes = append(writes, w)
	}
	if size > maxTransactionBytes {
		return nil, failure("ValidationException", "Transaction size exceeded the limit of 4 MB")
	}
	return writes, nil
}

func (r *Region) write(i ddb.TransactWriteItem) (write, error) {
	var (
		w     write
		name  *string
		of    item
		exact = true
	)
	switch {
	case i.Update != nil:
		return w, failure("NotImplemented", "the simulated region does not know updates in transactions")
	case i.Put != nil:
		p := i.Put
		name, of, exact = p.TableName, p.Item, false
		w.put = p.Item
		w.cond = condition{p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure == ddb.ReturnValuesOnConditionCheckFailureAllOld}
		if itemBytes(p.Item) > maxItemBytes {
			return w, failure("ValidationException", "Item size has exceeded the maximum allowed size")
		}
	case i.Delete != nil:
		d := i.Delete
		name, of, w.drop = d.TableName, d.Key, true
		w.cond = condition{d.ConditionExpression, d.ExpressionAttributeNames, d.ExpressionAttributeValues, d.ReturnValuesOnConditionCheckFailure == ddb.ReturnValuesOnConditionCheckFailureAllOld}
	case i.ConditionCheck != nil:
		c := i.ConditionCheck
		name, of = c.TableName, c.Key
		w.cond = condition{c.ConditionExpression, c.ExpressionAttributeNames, c.ExpressionAttributeValues, c.ReturnValuesOnConditionCheckFailure == ddb.ReturnValuesOnConditionCheckFailureAllOld}
	default:
		return w, failure("ValidationException", "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	}
	t, err := r.table(name)
	if err != nil {
		return w, err
	}
	w.table = t
	w.key, err = t.key(of, exact)
	return w, err
}

// cancelled checks all conditions. If one is not met the error has a reason
// for every action, in their order, "None" for those that are not to blame
// (API reference, TransactionCanceledException).
func cancelled(writes []write) error {
	reasons := make([]ddb.CancellationReason, len(writes))
	codes := make([]string, len(writes))
	var bad bool
	for n, w := range writes {
		codes[n] = "None"
		switch err := check(w.cond, w.table.items[w.key]).(type) {
		case nil:
		case *ddb.ConditionalCheckFailedException:
			bad = true
			codes[n] = "ConditionalCheckFailed"
			reasons[n].Message, reasons[n].Item = err.Message, err.Item
		default:
			return err // an expression that is wrong
		}
		reasons[n].Code = aws.String(codes[n])
	}
	if !bad {
		return nil
	}
	return &ddb.TransactionCanceledException{
		Message:             aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"),
		CancellationReasons: reasons,
	}
}
