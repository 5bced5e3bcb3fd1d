package region

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// What calls that carry several things at once need.

func putEventsNeeds(n need, in any) []need {
	put, ok := in.(*eventbridge.PutEventsInput)
	if !ok {
		return nil
	}
	var all []need
	for _, e := range put.Entries {
		bus := aws.ToString(e.EventBusName)
		bus = cmp.Or(bus[strings.LastIndex(bus, "/")+1:], "default")
		one := n.on(arn("events", "event-bus/"+bus))[0].with(nil)
		one.keys["events:source"] = []string{aws.ToString(e.Source)}
		one.keys["events:detail-type"] = []string{aws.ToString(e.DetailType)}
		all = append(all, one)
	}
	return all
}

// dynamoNeeds: transactions take the actions of what they do (DynamoDB
// developer guide, "IAM policies for transactions"), and a query of an index
// is authorised on the index.
func dynamoNeeds(n need, call any, in input) []need {
	tableARN := func(name *string) string { return arn("dynamodb", "table/"+aws.ToString(name)) }
	var all []need
	switch call := call.(type) {
	case *dynamodb.TransactWriteItemsInput:
		for _, i := range call.TransactItems {
			action, name := transactionAction(i)
			all = append(all, need{action: "dynamodb:" + action}.on(tableARN(name))...)
		}
	case *dynamodb.BatchGetItemInput:
		for _, name := range slices.Sorted(maps.Keys(call.RequestItems)) {
			all = append(all, n.on(tableARN(&name))...)
		}
	case *dynamodb.BatchWriteItemInput:
		for _, name := range slices.Sorted(maps.Keys(call.RequestItems)) {
			all = append(all, n.on(tableARN(&name))...)
		}
	default:
		resource := tableARN(aws.String(in.text("TableName")))
		if index := in.text("IndexName"); index != "" {
			resource += "/index/" + index
		}
		all = n.on(resource)
	}
	return all
}

func transactionAction(i ddb.TransactWriteItem) (action string, table *string) {
	switch {
	case i.Put != nil:
		return "PutItem", i.Put.TableName
	case i.Delete != nil:
		return "DeleteItem", i.Delete.TableName
	case i.Update != nil:
		return "UpdateItem", i.Update.TableName
	case i.ConditionCheck != nil:
		return "ConditionCheckItem", i.ConditionCheck.TableName
	}
	return "PutItem", nil // refused by the service
}

// stepFunctionsNeeds: an action is on a state machine or on an execution. That on a version is on
// its state machine ("Step Functions uses the state machine's ARN instead of using the version
// ARN", Step Functions Developer Guide, "Authorization for versions and aliases"). Those with a
// task token have no resource that a caller knows: on all.
func stepFunctionsNeeds(n need, in input) []need {
	machine := in.text("StateMachineArn")
	if parts := strings.SplitN(machine, ":", 8); len(parts) == 8 {
		machine = strings.Join(parts[:7], ":")
	}
	return n.on(cmp.Or(machine, in.text("ExecutionArn"), "*"))
}
