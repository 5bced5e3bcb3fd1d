package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func (s *DynamoDB[T]) key(k Key) map[string]types.AttributeValue {
	key := map[string]types.AttributeValue{s.layout.Partition: str(k.Partition)}
	if s.layout.Sort != "" {
		key[s.layout.Sort] = str(k.Sort)
	}
	return key
}

// item reads an item's attributes. One without a version is at version 0, so that it
// can be overwritten; one whose version is no whole number cannot.
func (s *DynamoDB[T]) item(attributes map[string]types.AttributeValue) Item[T] {
	item := Item[T]{Key: Key{text(attributes[s.layout.Partition]), text(attributes[s.layout.Sort])}}
	item.Open = text(attributes[attrOpen]) != ""
	if at, err := strconv.ParseInt(digits(attributes[attrExpires]), 10, 64); err == nil {
		item.Expires = time.Unix(at, 0).UTC()
	}
	version, err := strconv.Atoi(digits(attributes[attrVersion]))
	if err != nil {
		item.Unreadable = fmt.Errorf("item %s of table %s has no version that is a whole number: if it cannot be overwritten, delete it by hand", item.Key, s.layout.Table)
		return item
	}
	schema, _ := strconv.Atoi(digits(attributes[attrSchema])) // 0 where it is missing
	item.Version = version
	item.Value, item.Unreadable = decode[T](item.Key, s.layout.Schema, schema, text(attributes[attrValue]))
	return item
}

func str(s string) *types.AttributeValueMemberS { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
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
