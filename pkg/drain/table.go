package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// table keeps the drains in DynamoDB: one item per instance under the key
// "instance", the drain as JSON in "state", a "version" that guards against
// lost updates, and "expires", by which DynamoDB deletes what ended long ago.
// One more item, the clock, says which tick was taken last.
type table struct {
	name string
	db   Database
	log  *slog.Logger
}

// clockKey is the key of the clock, which no instance has.
const clockKey = "clock"

// kept is how long an ended drain is remembered at most, so that what comes late
// finds it: longer than any lifecycle action can last (PutLifecycleHook, Amazon
// EC2 Auto Scaling API Reference: 48 hours). The sweep forgets it sooner where
// the instance has left its group.
const kept = 49 * time.Hour

// load reads all drains, open and ended, and which tick was taken last; the zero
// time is none.
func (t table) load(ctx context.Context) (drains map[string]Drain, last time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	drains = map[string]Drain{}
	in := &dynamodb.ScanInput{TableName: &t.name, ConsistentRead: aws.Bool(true)}
	for more := true; more; more = len(in.ExclusiveStartKey) > 0 {
		out, err := t.db.Scan(ctx, in)
		if err != nil {
			return nil, last, fmt.Errorf("read drains from table %s: %w", t.name, err)
		}
		for _, item := range out.Items {
			if text(item["instance"]) == clockKey {
				if slot, err := strconv.ParseInt(digits(item["slot"]), 10, 64); err == nil {
					last = time.Unix(slot, 0)
				}
				continue
			}
			d, err := fromItem(item)
			if err != nil { // it must not keep the others
				t.log.ErrorContext(ctx, "drain cannot be read and is left out", "table", t.name, "instance", text(item["instance"]), "error", err)
				continue
			}
			drains[d.Instance] = d
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return drains, last, nil
}

// transactLimit is how many items TransactWriteItems takes (DynamoDB API
// Reference).
const transactLimit = 100

// save writes drains, or deletes the dropped ones, each at the version it was
// read at, and counts their versions up. It returns those that somebody else has
// written since, which are not written.
func (t table) save(ctx context.Context, drains []*Drain) (lost []*Drain, err error) {
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	var (
		round errgroup.Group
		guard sync.Mutex
	)
	round.SetLimit(concurrency)
	for chunk := range slices.Chunk(drains, transactLimit) {
		round.Go(func() error {
			losers, err := t.saveChunk(ctx, chunk)
			guard.Lock()
			defer guard.Unlock()
			lost = append(lost, losers...)
			return err
		})
	}
	err = round.Wait()
	return lost, err
}

// saveChunk writes all of a chunk or nothing; then once more without those that
// were in the way.
func (t table) saveChunk(ctx context.Context, chunk []*Drain) (lost []*Drain, err error) {
	conflicts := 0
	for len(chunk) > 0 {
		in := &dynamodb.TransactWriteItemsInput{}
		for _, d := range chunk {
			if d.dropped {
				in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Delete: t.drop(d)})
				continue
			}
			put, err := t.put(d)
			if err != nil {
				return lost, err
			}
			in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: put})
		}
		_, err := t.db.TransactWriteItems(ctx, in)
		if err == nil {
			for _, d := range chunk {
				d.Version++
			}
			return lost, nil
		}
		var canceled *types.TransactionCanceledException
		var left []*Drain
		// Another transaction was at one of the items: that passes at once.
		if errors.As(err, &canceled) && conflicts < maxConflicts && slices.ContainsFunc(canceled.CancellationReasons, conflict) {
			conflicts++
			continue
		}
		if errors.As(err, &canceled) && len(canceled.CancellationReasons) == len(chunk) {
			for i, reason := range canceled.CancellationReasons {
				if aws.ToString(reason.Code) == "ConditionalCheckFailed" {
					lost = append(lost, chunk[i])
				} else {
					left = append(left, chunk[i])
				}
			}
		}
		if len(left) == len(chunk) || canceled == nil || len(lost) == 0 {
			return lost, fmt.Errorf("write %d drains to table %s: %w", len(chunk), t.name, err)
		}
		chunk = left
	}
	return lost, nil
}

// maxConflicts is how often a transaction that met another one is tried again
// before the queue is left to.
const maxConflicts = 5

// conflict tells whether an item was in the hands of another transaction
// (TransactWriteItems, DynamoDB API Reference).
func conflict(reason types.CancellationReason) bool {
	return aws.ToString(reason.Code) == "TransactionConflict"
}

func (t table) put(d *Drain) (*types.Put, error) {
	state, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write drain of %s: %w", d.Instance, err)
	}
	item := map[string]types.AttributeValue{
		"instance": &types.AttributeValueMemberS{Value: d.Instance},
		"state":    &types.AttributeValueMemberS{Value: string(state)},
		"version":  number(int64(d.Version) + 1),
	}
	if !d.Ended.IsZero() {
		item["expires"] = number(d.Ended.Add(kept).Unix())
	}
	return &types.Put{
		TableName:                 &t.name,
		Item:                      item,
		ConditionExpression:       aws.String(unwritten),
		ExpressionAttributeNames:  versionName,
		ExpressionAttributeValues: map[string]types.AttributeValue{":version": number(int64(d.Version))},
	}, nil
}

func (t table) drop(d *Drain) *types.Delete {
	return &types.Delete{
		TableName:                 &t.name,
		Key:                       map[string]types.AttributeValue{"instance": &types.AttributeValueMemberS{Value: d.Instance}},
		ConditionExpression:       aws.String(unwritten),
		ExpressionAttributeNames:  versionName,
		ExpressionAttributeValues: map[string]types.AttributeValue{":version": number(int64(d.Version))},
	}
}

// unwritten is the condition that nobody has written an item since it was read.
const unwritten = "attribute_not_exists(#version) OR #version = :version"

var versionName = map[string]string{"#version": "version"}

// claim takes a tick for the message that brought it, and tells whether it may
// be acted upon, and how long the last one taken was before it: a tick that
// another message has taken, or that is older than the last one taken, is not. A
// message that is delivered again keeps its tick.
func (t table) claim(ctx context.Context, slot time.Time, message string) (mine bool, since time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	out, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name,
		Item: map[string]types.AttributeValue{
			"instance": &types.AttributeValueMemberS{Value: clockKey},
			"slot":     number(slot.Unix()),
			"message":  &types.AttributeValueMemberS{Value: message},
		},
		ConditionExpression:      aws.String("attribute_not_exists(#slot) OR #slot < :slot OR (#slot = :slot AND #message = :message)"),
		ExpressionAttributeNames: map[string]string{"#slot": "slot", "#message": "message"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":slot": number(slot.Unix()), ":message": &types.AttributeValueMemberS{Value: message},
		},
		ReturnValues: types.ReturnValueAllOld,
	})
	switch {
	case err == nil:
		last, _ := strconv.ParseInt(digits(out.Attributes["slot"]), 10, 64) // none is long ago
		return true, slot.Sub(time.Unix(last, 0)), nil
	case fault.Of(err) == fault.Conflict:
		return false, 0, nil
	}
	return false, 0, fmt.Errorf("take the tick of %s in table %s: %w", slot.Format(time.TimeOnly), t.name, err)
}

func fromItem(item map[string]types.AttributeValue) (Drain, error) {
	d := Drain{}
	instance := text(item["instance"])
	if err := json.Unmarshal([]byte(text(item["state"])), &d); err != nil {
		return d, fmt.Errorf("the item of %s is damaged; delete it and the next sweep starts the drain anew: %w", instance, err)
	}
	d.Instance = instance
	var err error
	if d.Version, err = strconv.Atoi(digits(item["version"])); err != nil {
		return d, fmt.Errorf("the version of the item of %s is no whole number; delete it and the next sweep starts the drain anew", instance)
	}
	return d, nil
}

func text(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func digits(v types.AttributeValue) string {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		return n.Value
	}
	return ""
}

func number(n int64) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
