package repair

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// table keeps the records in DynamoDB: one item per deployment group, under
// the keys "application" and "deploymentGroup", the record as JSON in
// "record", and a "version" that guards against lost updates.
type table struct {
	name string
	db   Database
}

// batchGetLimit is how many keys BatchGetItem takes (DynamoDB API Reference).
const batchGetLimit = 100

// patientRounds is how often keys that DynamoDB hands back unprocessed are
// asked for again before the queue is left to try later.
const patientRounds = 5

// load reads the records of the keys; a key without one is not in the answer.
func (t table) load(ctx context.Context, keys ...Key) (map[Key]Record, error) {
	records := make(map[Key]Record, len(keys))
	pending := make([]map[string]types.AttributeValue, 0, len(keys))
	for _, k := range keys {
		pending = append(pending, k.item())
	}
	// DynamoDB answers what it can and hands the rest back.
	for rounds := len(keys)/batchGetLimit + patientRounds; len(pending) > 0; rounds-- {
		if rounds == 0 {
			return nil, fmt.Errorf("read records from table %s: DynamoDB leaves %d keys unprocessed; the queue tries again", t.name, len(pending))
		}
		n := min(len(pending), batchGetLimit)
		out, err := t.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			t.name: {Keys: pending[:n], ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return nil, fmt.Errorf("read records from table %s: %w", t.name, err)
		}
		for _, item := range out.Responses[t.name] {
			key, record, err := fromItem(item)
			if err != nil {
				return nil, fmt.Errorf("read record from table %s: %w", t.name, err)
			}
			records[key] = record
		}
		pending = append(out.UnprocessedKeys[t.name].Keys, pending[n:]...)
	}
	return records, nil
}

// save writes a record that was read at r.Version, and fails with a
// [fault.Conflict] if somebody has written it since.
func (t table) save(ctx context.Context, k Key, r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write record of %s: %w", k, err)
	}
	item := k.item()
	item["record"] = &types.AttributeValueMemberS{Value: string(text)}
	item["version"] = number(r.Version + 1)
	_, err = t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 &t.name,
		Item:                      item,
		ConditionExpression:       aws.String("attribute_not_exists(#version) OR #version = :version"),
		ExpressionAttributeNames:  map[string]string{"#version": "version"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":version": number(r.Version)},
	})
	if err != nil {
		return fmt.Errorf("write record of %s: %w", k, err)
	}
	return nil
}

func (k Key) item() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"application":     &types.AttributeValueMemberS{Value: k.Application},
		"deploymentGroup": &types.AttributeValueMemberS{Value: k.DeploymentGroup},
	}
}

func fromItem(item map[string]types.AttributeValue) (Key, Record, error) {
	key := Key{text(item["application"]), text(item["deploymentGroup"])}
	var record Record
	if err := json.Unmarshal([]byte(text(item["record"])), &record); err != nil {
		return key, record, fmt.Errorf("the record of %s is damaged; delete the item and the next deployment keeps a new baseline: %w", key, err)
	}
	version, ok := item["version"].(*types.AttributeValueMemberN)
	if !ok {
		return key, record, fmt.Errorf("the record of %s has no version; delete the item and the next deployment keeps a new baseline", key)
	}
	var err error
	if record.Version, err = strconv.Atoi(version.Value); err != nil {
		return key, record, fmt.Errorf("the version of the record of %s is no whole number; delete the item and the next deployment keeps a new baseline", key)
	}
	return key, record, nil
}

func text(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(n int) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.Itoa(n)}
}
