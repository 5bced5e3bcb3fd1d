package main

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// TestTheGoSDKDrainsAnInstance: a scale-in waits for its hook, a command runs
// on the instance meanwhile, and completing the action lets it go; all of it
// by the SDK's own clients over HTTP.
func TestTheGoSDKDrainsAnInstance(t *testing.T) {
	t.Parallel()
	s, ctx := served(t), t.Context()
	groups, commands := autoscaling.NewFromConfig(s.config()), ssm.NewFromConfig(s.config())
	group := aws.String("shop-web")
	_, err := groups.PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: group, LifecycleHookName: aws.String("drain"),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), HeartbeatTimeout: aws.Int32(300),
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := groups.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{})
	if err != nil || len(all.AutoScalingInstances) == 0 {
		t.Fatal(err)
	}
	id := all.AutoScalingInstances[0].InstanceId
	_, err = groups.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: id, ShouldDecrementDesiredCapacity: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.get(t, "POST", "advance?seconds=60", nil)
	one, err := groups.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{*id}})
	if err != nil || len(one.AutoScalingInstances) != 1 || aws.ToString(one.AutoScalingInstances[0].LifecycleState) != "Terminating:Wait" {
		t.Fatalf("the instance does not wait for its hook: %v, %v", one, err)
	}
	sent, err := commands.SendCommand(ctx, &ssm.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{*id}, Parameters: map[string][]string{"commands": {"systemctl stop web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.get(t, "POST", "advance?seconds=10", nil)
	ran, err := commands.ListCommandInvocations(ctx, &ssm.ListCommandInvocationsInput{CommandId: sent.Command.CommandId, Details: true})
	if err != nil || len(ran.CommandInvocations) != 1 || ran.CommandInvocations[0].Status != ssmtypes.CommandInvocationStatusSuccess {
		t.Errorf("the shutdown command came to %v, %v", ran, err)
	}
	complete := &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: group, LifecycleHookName: aws.String("drain"), InstanceId: id, LifecycleActionResult: aws.String("CONTINUE"),
	}
	if _, err := groups.CompleteLifecycleAction(ctx, complete); err != nil {
		t.Fatal(err)
	}
	s.get(t, "POST", "advance?seconds=60", nil)
	gone, err := groups.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{*id}})
	if err != nil || len(gone.AutoScalingInstances) != 0 {
		t.Errorf("released, the instance is still there: %v, %v", gone, err)
	}
}

// TestTheGoSDKLearnsWhoLostATransaction: the reasons must survive the wire,
// or a function cannot tell which of a hundred drains another one has.
func TestTheGoSDKLearnsWhoLostATransaction(t *testing.T) {
	t.Parallel()
	s, ctx := served(t), t.Context()
	s.region.AddTable("drains", "drain")
	table := dynamodb.NewFromConfig(s.config())
	claim := func(id string) ddb.TransactWriteItem {
		return ddb.TransactWriteItem{Put: &ddb.Put{
			TableName: aws.String("drains"), Item: map[string]ddb.AttributeValue{"drain": &ddb.AttributeValueMemberS{Value: id}},
			ConditionExpression: aws.String("attribute_not_exists(drain)"),
		}}
	}
	put := func(items ...ddb.TransactWriteItem) error {
		_, err := table.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		return err
	}
	if err := put(claim("a")); err != nil {
		t.Fatal(err)
	}
	var lost *ddb.TransactionCanceledException
	if err := put(claim("b"), claim("a")); !errors.As(err, &lost) || len(lost.CancellationReasons) != 2 ||
		aws.ToString(lost.CancellationReasons[0].Code) != "None" || aws.ToString(lost.CancellationReasons[1].Code) != "ConditionalCheckFailed" {
		t.Errorf("a cancelled transaction is answered with %v", err)
	}
}
