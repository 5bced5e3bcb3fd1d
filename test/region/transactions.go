package region

import (
	"context"
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

// write is one write, in a transaction or alone, read and checked but for the
// item that it meets.
type write struct {
	table *table
	id    string
	cond  condition
	met   predicate
	bytes int // of what is put
	// outcome is the item after the write, nil for none.
	outcome func(old item) (result, error)
}

// result is an item as a write leaves it, and the attributes that an update
// touched.
type result struct {
	item    item
	touched []string
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
		return nil, validation("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to %d, and at least 1, not %d", actionsPerTransaction, n)
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
	results, err := outcomes(writes)
	if err != nil {
		return nil, err
	}
	for n, w := range writes {
		r.store(w.table, w.id, results[n].item)
	}
	if token != "" {
		r.transactions[token] = transaction{r.clock.now, slices.Clone(in.TransactItems)}
	}
	return out, nil
}

// writes checks the actions of a transaction one by one, and together: "The
// actions ... cannot target the same item" (API reference).
func (r *Region) writes(items []ddb.TransactWriteItem) ([]write, error) {
	type target struct{ table, id string }
	seen := map[target]bool{}
	var writes []write
	var size int
	for _, i := range items {
		w, err := r.write(i)
		if err != nil {
			return nil, err
		}
		at := target{w.table.name, w.id}
		if seen[at] {
			return nil, validation("Transaction request cannot include multiple operations on one item")
		}
		seen[at] = true
		size += w.bytes
		writes = append(writes, w)
	}
	if size > maxTransactionBytes {
		return nil, validation("Transaction size exceeded the limit of 4 MB")
	}
	return writes, nil
}

// write reads and checks one write. Expressions come first: DynamoDB refuses a
// wrong one whatever the item is.
func (r *Region) write(i ddb.TransactWriteItem) (write, error) {
	const allOld = ddb.ReturnValuesOnConditionCheckFailureAllOld
	switch {
	case i.Put != nil:
		p := i.Put
		return r.writeOf(p.TableName, condition{p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure == allOld},
			func(w *write) error { return w.put(p.Item) })
	case i.Delete != nil:
		d := i.Delete
		return r.writeOf(d.TableName, condition{d.ConditionExpression, d.ExpressionAttributeNames, d.ExpressionAttributeValues, d.ReturnValuesOnConditionCheckFailure == allOld},
			func(w *write) error { return w.of(d.Key, func(item) (result, error) { return result{}, nil }) })
	case i.ConditionCheck != nil:
		c := i.ConditionCheck
		if c.ConditionExpression == nil {
			return write{}, validation("The conditionExpression is required for ConditionCheck")
		}
		return r.writeOf(c.TableName, condition{c.ConditionExpression, c.ExpressionAttributeNames, c.ExpressionAttributeValues, c.ReturnValuesOnConditionCheckFailure == allOld},
			func(w *write) error {
				return w.of(c.Key, func(old item) (result, error) { return result{item: old}, nil })
			})
	case i.Update != nil:
		return r.updateOf(i.Update)
	}
	return write{}, validation("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
}

func (r *Region) writeOf(tableName *string, c condition, fill func(*write) error) (write, error) {
	w := write{cond: c}
	var err error
	if w.met, err = c.predicate(); err != nil {
		return w, err
	}
	if w.table, err = r.table(tableName); err != nil {
		return w, err
	}
	return w, fill(&w)
}

func (w *write) put(it item) error {
	kept, err := storedItem(it, 1)
	if err != nil {
		return err
	}
	if err := w.table.goodItem(kept); err != nil {
		return err
	}
	if w.bytes = itemBytes(kept); w.bytes > maxItemBytes {
		return validation("Item size has exceeded the maximum allowed size")
	}
	w.id = w.table.id(kept)
	w.outcome = func(item) (result, error) { return result{item: kept}, nil }
	return nil
}

func (w *write) of(key item, outcome func(item) (result, error)) error {
	var err error
	w.id, err = w.table.idOfKey(key)
	w.outcome = outcome
	return err
}

// updateOf reads an update, whose two expressions share their placeholders.
func (r *Region) updateOf(u *ddb.Update) (write, error) {
	w := write{cond: condition{u.ConditionExpression, u.ExpressionAttributeNames, u.ExpressionAttributeValues, u.ReturnValuesOnConditionCheckFailure == ddb.ReturnValuesOnConditionCheckFailureAllOld}}
	p := newPlaceholders(u.ExpressionAttributeNames, u.ExpressionAttributeValues)
	changes, err := p.update(u.UpdateExpression)
	if err != nil {
		return w, err
	}
	if w.met, err = p.predicate("ConditionExpression", u.ConditionExpression); err != nil {
		return w, err
	}
	if err = p.check(u.UpdateExpression != nil || u.ConditionExpression != nil, "UpdateExpression"); err != nil {
		return w, err
	}
	if w.table, err = r.table(u.TableName); err != nil {
		return w, err
	}
	return w, w.of(u.Key, func(old item) (result, error) { return w.table.updated(old, u.Key, changes) })
}

// outcomes checks all conditions and works out all items. If one write cannot
// be done the error has a reason for every action, in their order, "None" for
// those that are not to blame (API reference, TransactionCanceledException).
func outcomes(writes []write) ([]result, error) {
	reasons := make([]ddb.CancellationReason, len(writes))
	codes := make([]string, len(writes))
	results := make([]result, len(writes))
	var bad bool
	for n, w := range writes {
		codes[n] = "None"
		old := w.table.items[w.id]
		var err error
		if !w.met(old) {
			codes[n] = "ConditionalCheckFailed"
			reasons[n].Message = aws.String("The conditional request failed")
			if w.cond.showItem {
				reasons[n].Item = old
			}
		} else if results[n], err = w.outcome(old); err != nil {
			codes[n] = "ValidationError"
			reasons[n].Message = aws.String(messageOf(err))
		}
		bad = bad || codes[n] != "None"
		reasons[n].Code = aws.String(codes[n])
	}
	if !bad {
		return results, nil
	}
	return nil, &ddb.TransactionCanceledException{
		Message:             aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"),
		CancellationReasons: reasons,
	}
}
