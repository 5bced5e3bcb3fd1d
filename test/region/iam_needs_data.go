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
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
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

// rdsNeeds: an instance by its identifier and tags; a restore also the snapshot and the
// groups that it names, rds:AddTagsToResource for tags, and for a password that RDS manages
// what RDS does with the caller's permissions ("Permissions required for Secrets Manager
// integration", Amazon RDS User Guide).
func (r *Region) rdsNeeds(n need, call any, in input) []need {
	instance := func(id string) need {
		tags := map[string]string{}
		if i := r.databases.instances[id]; i != nil {
			tags = tagMap(i.TagList)
		}
		of := n.with(tags, "aws:resourcetag/", "rds:db-tag/")
		of.resource = arn("rds", "db:"+cmp.Or(id, "*"))
		return of
	}
	id := in.text("DBInstanceIdentifier")
	switch call := call.(type) {
	case *rds.DescribeDBSnapshotsInput:
		return []need{instance(id), n.on(arn("rds", "snapshot:"+cmp.Or(in.text("DBSnapshotIdentifier"), "*")))[0]}
	case *rds.AddTagsToResourceInput:
		name := in.text("ResourceName")
		return []need{instance(name[strings.LastIndex(name, ":")+1:]).requesting(call.Tags)}
	case *rds.RestoreDBInstanceFromDBSnapshotInput:
		all := []need{instance(id).requesting(call.Tags)}
		all = append(all, n.on(arn("rds", "snapshot:"+in.text("DBSnapshotIdentifier")), arn("rds", "subgrp:"+cmp.Or(in.text("DBSubnetGroupName"), "default")))...)
		if group := in.text("DBParameterGroupName"); group != "" {
			all = append(all, n.on(arn("rds", "pg:"+group))...)
		}
		if len(call.Tags) > 0 {
			tagging := instance(id).requesting(call.Tags)
			tagging.action = "rds:AddTagsToResource"
			all = append(all, tagging)
		}
		if deref(call.ManageMasterUserPassword) {
			secret := arn("secretsmanager", "secret:rds!db-0")
			all = append(all, need{action: "secretsmanager:CreateSecret", resource: secret}, need{action: "secretsmanager:TagResource", resource: secret},
				need{action: "kms:DescribeKey", resource: arn("kms", "key/secretsmanager")})
		}
		return all
	}
	return []need{instance(id)}
}

// requesting is the need with the tags that the request has.
func (n need) requesting(tags []rdstypes.Tag) need {
	for key, value := range tagMap(tags) {
		n.keys["aws:requesttag/"+strings.ToLower(key)] = []string{value}
	}
	return n
}
