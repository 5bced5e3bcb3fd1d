package region

import (
	"strings"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// itemBytes is the size of an item ("DynamoDB item sizes and formats").
func itemBytes(i item) int {
	var n int
	for name, v := range i {
		n += len(name) + valueBytes(v)
	}
	return n
}

func valueBytes(v ddb.AttributeValue) int {
	switch v := v.(type) {
	case *ddb.AttributeValueMemberS:
		return len(v.Value)
	case *ddb.AttributeValueMemberN:
		return numberBytes(v.Value)
	case *ddb.AttributeValueMemberB:
		return len(v.Value)
	case *ddb.AttributeValueMemberM:
		n := 3 + itemBytes(v.Value)
		return n + len(v.Value)
	case *ddb.AttributeValueMemberL:
		n := 3
		for _, e := range v.Value {
			n += 1 + valueBytes(e)
		}
		return n
	}
	kind, elements, _ := setElements(v)
	if kind == "" {
		return 1
	}
	var n int
	for _, e := range elements {
		if kind == "NS" {
			n += numberBytes(e)
		} else {
			n += len(e)
		}
	}
	return n
}

// numberBytes: "approximately 1 byte per two significant digits, plus 1 byte".
func numberBytes(text string) int {
	digits := strings.Trim(strings.ReplaceAll(strings.ReplaceAll(text, "-", ""), ".", ""), "0")
	return (len(digits)+1)/2 + 1
}
