package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// call is an error as an SDK client returns it, wrapped once more by a caller.
func call(service, operation string, answer error) error {
	return fmt.Errorf("attach: %w", &smithy.OperationError{ServiceID: service, OperationName: operation, Err: answer})
}

func generic(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message}
}

// status is an answer without a code, as the SDK returns it.
func status(code int) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}},
		Err:      generic("UnknownError", "UnknownError"),
	}
}

func TestOf(t *testing.T) {
	override := "AWS.SimpleQueueService.NonExistentQueue"
	for name, c := range map[string]struct {
		err  error
		want Kind
		harm string
	}{
		"no error":                    {nil, Unknown, "a success counts as a failure"},
		"a broken connection":         {call(sns, "Publish", errors.New("connection reset")), Transient, "one lost packet is reported to operators"},
		"a deadline":                  {call(dynamoDB, "PutItem", context.DeadlineExceeded), Transient, "a slow answer is reported to operators"},
		"a missing parameter":         {call(sns, "Publish", smithy.InvalidParamsError{Context: "PublishInput"}), Invalid, "a mistake of the program is retried for ever"},
		"an unlisted code":            {call(sns, "Publish", generic("Surprise", "")), Unknown, "a new code of AWS ends a reconcile for good"},
		"a server's unlisted code":    {call(sns, "Publish", &smithy.GenericAPIError{Code: "Surprise", Fault: smithy.FaultServer}), Transient, "an outage is reported as a misconfiguration"},
		"503 without a code":          {call(codeDeploy, "GetDeployment", status(503)), Transient, "an outage is reported as a misconfiguration"},
		"429 without a code":          {call(codeDeploy, "GetDeployment", status(429)), Throttled, "rates are exceeded further"},
		"403 without a code":          {call(codeDeploy, "GetDeployment", status(403)), Unknown, "operators are advised to allow what may be allowed"},
		"throttled":                   {call(autoScaling, "AttachTrafficSources", generic("Throttling", "Rate exceeded")), Throttled, "rates are exceeded further"},
		"denied":                      {call(autoScaling, "AttachTrafficSources", generic("AccessDenied", "no")), Denied, "operators do not learn what to allow"},
		"a missing secret":            {call(secrets, "GetSecretValue", generic("ResourceNotFoundException", "")), NotFound, "a step waits for a secret that nobody has made"},
		"a throttled bucket":          {call(s3, "PutObject", generic("SlowDown", "")), Throttled, "rates are exceeded further"},
		"a renamed instance":          {call(rds, "ModifyDBInstance", generic("InvalidDBInstanceState", "")), Busy, "a fill is undone because RDS takes its time"},
		"a key that RDS cannot use":   {call(rds, "RestoreDBInstanceFromDBSnapshot", generic("KMSKeyNotAccessibleFault", "")), Denied, "operators do not learn what to allow"},
		"too many instances":          {call(rds, "RestoreDBInstanceFromDBSnapshot", generic("InstanceQuotaExceeded", "")), Invalid, "a proof waits for hours for a quota"},
		"an earlier change of a zone": {call(route53, "ChangeResourceRecordSets", generic("PriorRequestNotComplete", "")), Busy, "a launch is held for what passes"},
		"a missing identity":          {call(ses, "GetEmailIdentity", generic("NotFoundException", "")), NotFound, "a step waits for an identity that nobody has made"},
		"denied by a topic's policy":  {call(sns, "Publish", &snstypes.AuthorizationErrorException{}), Denied, "operators do not learn what to allow"},
		"denied by a topic's key":     {call(sns, "Publish", &snstypes.KMSAccessDeniedException{}), Denied, "operators do not learn what to allow"},
		"a topic's key is disabled":   {call(sns, "Publish", &snstypes.KMSDisabledException{}), Invalid, "a notification that cannot go out is retried quickly for ever"},
		"a topic is throttled":        {call(sns, "Publish", &snstypes.ThrottledException{}), Throttled, "rates are exceeded further"},
		"a topic is gone":             {call(sns, "Publish", &snstypes.NotFoundException{}), NotFound, "operators do not learn that a topic is gone"},
		"another account's event bus": {call(eventBridge, "PutEvents", generic("NotAuthorizedForSourceException", "")), Denied, "operators do not learn what to allow"},
		"an event that is no JSON":    {call(eventBridge, "PutEvents", generic("MalformedDetail", "")), Invalid, "operators wait for a notification that no retry can send"},
		"EventBridge fails":           {call(eventBridge, "PutEvents", &eventbridgetypes.InternalException{}), Transient, "an outage is reported as a misconfiguration"},
		"a queue is gone":             {call(sqs, "SendMessage", &sqstypes.QueueDoesNotExist{}), NotFound, "operators do not learn that a queue is gone"},
		"a queue is gone, query code": {call(sqs, "SendMessage", &sqstypes.QueueDoesNotExist{ErrorCodeOverride: &override}), NotFound, "operators do not learn that a queue is gone"},
		"denied by a queue's key":     {call(sqs, "SendMessage", generic("KMS.AccessDeniedException", "")), Denied, "operators do not learn what to allow"},
		"an Auto Scaling group is gone": {call(autoScaling, "DescribeTrafficSources", generic("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup web not found")),
			NotFound, "a deleted group fails its deployment group for ever"},
		"a lifecycle action is over": {call(autoScaling, "CompleteLifecycleAction", generic("ValidationError", "No active Lifecycle Action found with instance ID i-1")),
			NotFound, "a completed action is completed for ever"},
		"such words of another service": {call(elbv2, "DescribeTargetGroups", generic("ValidationError", "'web' not found")), Invalid, "a name that is wrong counts as one that is gone"},
		"too many traffic sources":      {call(autoScaling, "AttachTrafficSources", generic("ValidationError", "too many")), Invalid, "a call that cannot succeed is retried for ever"},
		"an instance refresh":           {call(autoScaling, "AttachTrafficSources", &autoscalingtypes.InstanceRefreshInProgressFault{}), Busy, "a group is left unattached because it was early"},
		"a pending update":              {call(autoScaling, "AttachTrafficSources", &autoscalingtypes.ResourceContentionFault{}), Busy, "a group is left unattached because it was early"},
		"a role that is not ready":      {call(autoScaling, "AttachTrafficSources", &autoscalingtypes.ServiceLinkedRoleFailure{}), Busy, "operators are advised to allow what is allowed"},
		"too many lifecycle hooks":      {call(autoScaling, "PutLifecycleHook", &autoscalingtypes.LimitExceededFault{}), Invalid, "a call that cannot succeed is retried for ever"},
		"a target group is gone":        {call(elbv2, "DescribeTargetHealth", &elbv2types.TargetGroupNotFoundException{}), NotFound, "a deleted target group holds an instance"},
		"health is not available":       {call(elbv2, "DescribeTargetHealth", &elbv2types.HealthUnavailableException{}), Transient, "an outage is reported as a misconfiguration"},
		"a lambda target group":         {call(elbv2, "RegisterTargets", &elbv2types.InvalidTargetException{}), Invalid, "a call that cannot succeed is retried for ever"},
		"a Classic Load Balancer is gone": {call(classicELB, "DescribeInstanceHealth", generic("LoadBalancerNotFound", "")),
			NotFound, "a deleted load balancer holds an instance"},
		"a deployment group is gone": {call(codeDeploy, "GetDeploymentGroup", &codedeploytypes.DeploymentGroupDoesNotExistException{}), NotFound, "a deleted deployment group is reported for ever"},
		"a deployment that has no targets yet": {call(codeDeploy, "ListDeploymentTargets", &codedeploytypes.DeploymentNotStartedException{}),
			Busy, "a release is reported as failed because it has just begun"},
		"a table is gone":               {call(dynamoDB, "PutItem", &dynamodbtypes.ResourceNotFoundException{}), NotFound, "operators do not learn that a table is gone"},
		"a lost update":                 {call(dynamoDB, "PutItem", &dynamodbtypes.ConditionalCheckFailedException{}), Conflict, "somebody's write is lost"},
		"a transaction in the way":      {call(dynamoDB, "PutItem", &dynamodbtypes.TransactionConflictException{}), Busy, "a write fails that would pass at once"},
		"a throttled table":             {call(dynamoDB, "PutItem", &dynamodbtypes.ProvisionedThroughputExceededException{}), Throttled, "rates are exceeded further"},
		"an instance without an agent":  {call(ssm, "SendCommand", &ssmtypes.InvalidInstanceId{}), Invalid, "a command that cannot run holds an instance"},
		"no answer of the instance yet": {call(ssm, "GetCommandInvocation", &ssmtypes.InvocationDoesNotExist{}), NotFound, "a command that was just sent counts as failed"},
		"two failures":                  {errors.Join(errors.New("first"), call(sns, "Publish", generic("AccessDenied", ""))), Denied, "the one that needs an operator is not reported"},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%s is %s, want %s: %s", name, got, c.want, c.harm)
		}
		if c.err == nil && (Is(c.err, Unknown) || MayPass(c.err)) {
			t.Errorf("%s is of a kind: %s", name, c.harm)
		}
	}
}

func TestMayPass(t *testing.T) {
	for kind, want := range map[Kind]bool{
		Unknown: true, Transient: true, Throttled: true, Busy: true, Conflict: true,
		Denied: false, NotFound: false, Invalid: false,
	} {
		err := map[Kind]error{
			Unknown: generic("Surprise", ""), Transient: errors.New("reset"), Throttled: generic("Throttling", ""),
			Busy: call(autoScaling, "AttachTrafficSources", generic("ResourceInUse", "")), Conflict: call(dynamoDB, "PutItem", generic("ConditionalCheckFailedException", "")),
			Denied: generic("AccessDenied", ""), NotFound: call(sns, "Publish", generic("NotFound", "")), Invalid: generic("ValidationError", ""),
		}[kind]
		if Of(err) != kind || !Is(err, kind) || MayPass(err) != want {
			t.Errorf("%v is %s, want %s; MayPass %t, want %t: it is retried for ever, or never", err, Of(err), kind, MayPass(err), want)
		}
	}
}

func TestOwn(t *testing.T) {
	if Own(nil) != nil || IsOwn(nil) {
		t.Error("a success counts as a failure")
	}
	denied := call(dynamoDB, "PutItem", generic("AccessDeniedException", ""))
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"of the fleet":         {denied, false},
		"marked":               {Own(denied), true},
		"marked and wrapped":   {fmt.Errorf("save: %w", Own(denied)), true},
		"marked and joined":    {errors.Join(errors.New("read"), fmt.Errorf("save: %w", Own(denied))), true},
		"joined with others":   {errors.Join(errors.New("read"), denied), false},
		"an end without AWS":   {Own(context.Canceled), true},
		"marked a second time": {Own(Own(denied)), true},
	} {
		if IsOwn(c.err) != c.want {
			t.Errorf("%s: IsOwn = %t: operators search the wrong resource", name, IsOwn(c.err))
		}
	}
	if err := Own(denied); Of(err) != Denied || !errors.Is(err, denied) || err.Error() != denied.Error() || Service(err) != dynamoDB {
		t.Errorf("marked, the error is %s %q of %q: the mark hides what happened", Of(err), err, Service(err))
	}
}

func TestAction(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{call(autoScaling, "AttachTrafficSources", generic("AccessDenied", "")), "autoscaling:AttachTrafficSources"},
		{call(elbv2, "RegisterTargets", generic("AccessDenied", "")), "elasticloadbalancing:RegisterTargets"},
		{call(classicELB, "DescribeInstanceHealth", generic("AccessDenied", "")), "elasticloadbalancing:DescribeInstanceHealth"},
		{call(eventBridge, "PutEvents", generic("AccessDeniedException", "")), "events:PutEvents"},
		{call(dynamoDB, "BatchGetItem", generic("AccessDeniedException", "")), "dynamodb:BatchGetItem"},
		{call(sqs, "SendMessageBatch", generic("AccessDenied", "")), "sqs:SendMessage"},
		{call(sns, "PublishBatch", generic("AuthorizationError", "")), "sns:Publish"},
		{call(codeDeploy, "GetDeployment", generic("AccessDeniedException", "")), "codedeploy:GetDeployment"},
		{call(ssm, "PutParameter", generic("AccessDeniedException", "")), "ssm:PutParameter"},
		// What AWS names is what is missing: a call may need more than its own action.
		{call(autoScaling, "PutLifecycleHook", generic("AccessDenied", "User: x is not authorized to perform: iam:PassRole on resource: y")), "iam:PassRole"},
		{call(autoScaling, "DescribeTrafficSources", context.DeadlineExceeded), "autoscaling:DescribeTrafficSources"},
		{call("Unheard Of", "Call", generic("AccessDenied", "")), ""},
		{errors.New("no call"), ""},
		{nil, ""},
	} {
		if got := Action(c.err); got != c.want {
			t.Errorf("%v needs %q, want %q: operators cannot know what to allow", c.err, got, c.want)
		}
		if remedy := AllowRemedy(c.err); !strings.HasPrefix(remedy, "Allow ") || !strings.Contains(remedy, c.want) || strings.Contains(remedy, "  ") {
			t.Errorf("the remedy of %q reads %q", c.want, remedy)
		}
	}
}

func TestMessage(t *testing.T) {
	for want, err := range map[string]error{
		"":                            nil,
		"connection reset":            errors.New("connection reset"),
		"AccessDenied: not you":       call(sns, "Publish", generic("AccessDenied", "not you")),
		"TargetGroupNotFound":         &elbv2types.TargetGroupNotFoundException{},
		"ValidationError: no request": fmt.Errorf("describe web (request 7f3): %w", generic("ValidationError", "no request")),
	} {
		if got := Message(err); got != want {
			t.Errorf("reads %q, want %q: the same failure is another matter each time", got, want)
		}
		if code, _, _ := strings.Cut(want, ":"); strings.Contains(want, "Denied") && Code(err) != code {
			t.Errorf("%v has the code %q", err, Code(err))
		}
	}
	if Code(nil) != "" || Code(errors.New("x")) != "" || Service(nil) != "" {
		t.Error("an error of no call has a code or a service")
	}
}

func TestKindsHaveNames(t *testing.T) {
	for kind := Unknown; kind <= Conflict; kind++ {
		if kind.String() == "" {
			t.Errorf("kind %d has no name", kind)
		}
	}
}
