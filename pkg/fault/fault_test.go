package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

func call(service, operation, code, message string) error {
	return fmt.Errorf("attach: %w", &smithy.OperationError{ServiceID: service, OperationName: operation,
		Err: &smithy.GenericAPIError{Code: code, Message: message}})
}

func TestOf(t *testing.T) {
	for story, c := range map[string]struct {
		err  error
		want Kind
	}{
		"no API error at all":                {errors.New("connection reset"), Passing},
		"throttled":                          {call("Auto Scaling", "AttachTrafficSources", "Throttling", "Rate exceeded"), Passing},
		"an error nobody knows":              {call("SNS", "Publish", "Surprise", ""), Passing},
		"denied":                             {call("Auto Scaling", "AttachTrafficSources", "AccessDenied", "no"), Denied},
		"denied by SNS":                      {call("SNS", "Publish", "AuthorizationError", "no"), Denied},
		"an Auto Scaling group that is gone": {call("Auto Scaling", "DescribeTrafficSources", "ValidationError", "AutoScalingGroup name not found - AutoScalingGroup web not found"), NotFound},
		"a lifecycle action that is over":    {call("Auto Scaling", "CompleteLifecycleAction", "ValidationError", "No active Lifecycle Action found with instance ID i-1"), NotFound},
		"a request that is wrong":            {call("Auto Scaling", "AttachTrafficSources", "ValidationError", "too many"), Invalid},
		"a modelled error of the SDK":        {&elbtypes.TargetGroupNotFoundException{}, NotFound},
		"a group that is being refreshed":    {call("Auto Scaling", "AttachTrafficSources", "InstanceRefreshInProgress", ""), Busy},
		"a table that is gone":               {call("DynamoDB", "PutItem", "ResourceNotFoundException", ""), Passing},
		"somebody else wrote the record":     {call("DynamoDB", "PutItem", "ConditionalCheckFailedException", ""), Conflict},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%s: kind %d, want %d", story, got, c.want)
		}
	}
}

func TestRemedyNamesTheAction(t *testing.T) {
	for want, err := range map[string]error{
		"autoscaling:AttachTrafficSources":     call("Auto Scaling", "AttachTrafficSources", "AccessDenied", ""),
		"elasticloadbalancing:RegisterTargets": call("Elastic Load Balancing v2", "RegisterTargets", "AccessDenied", ""),
		"events:PutEvents":                     call("EventBridge", "PutEvents", "AccessDeniedException", ""),
		"dynamodb:BatchGetItem":                call("DynamoDB", "BatchGetItem", "AccessDeniedException", ""),
		"autoscaling:PutLifecycleHook":         call("Auto Scaling", "PutLifecycleHook", "AccessDenied", "User: x is not authorized to perform: autoscaling:PutLifecycleHook on resource: y"),
		"ssm:PutParameter":                     call("SSM", "PutParameter", "AccessDeniedException", ""),
	} {
		if Action(err) != want || !strings.Contains(Remedy(err), want) {
			t.Errorf("%s is denied, and the remedy says %q of %q: nobody can tell what to allow", want, Remedy(err), Action(err))
		}
	}
}

func TestRemedyForARoleThatMayNotBePassed(t *testing.T) {
	err := call("Auto Scaling", "PutLifecycleHook", "AccessDenied", "User: x is not authorized to perform: iam:PassRole on resource: y")
	if Action(err) != "iam:PassRole" || !strings.Contains(Remedy(err), "hookRoleArns") {
		t.Errorf("%q of %q: people allow what is allowed already", Remedy(err), Action(err))
	}
}
