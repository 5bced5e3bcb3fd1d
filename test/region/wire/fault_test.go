package wire_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"deployhooks/test/region/wire"
)

// TestModelledErrors: callers branch on the type of an error, so that is what
// they must get, with every member.
func TestModelledErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		service   func(any) wire.Service
		operation string
		errors    []error
	}{
		{wire.AutoScaling, "AttachTrafficSources", []error{
			&autoscalingtypes.InstanceRefreshInProgressFault{}, &autoscalingtypes.ResourceContentionFault{}, &autoscalingtypes.ServiceLinkedRoleFailure{}}},
		{wire.AutoScaling, "DescribeAutoScalingGroups", []error{
			&autoscalingtypes.InvalidNextToken{}, &autoscalingtypes.ResourceContentionFault{}}},
		{wire.AutoScaling, "PutLifecycleHook", []error{
			&autoscalingtypes.LimitExceededFault{}}},
		{wire.AutoScaling, "DeleteAutoScalingGroup", []error{
			&autoscalingtypes.ScalingActivityInProgressFault{}, &autoscalingtypes.ResourceInUseFault{}}},
		{wire.ELBV2, "RegisterTargets", []error{
			&elbv2types.TargetGroupNotFoundException{}, &elbv2types.InvalidTargetException{},
			&elbv2types.TooManyTargetsException{}, &elbv2types.TooManyRegistrationsForTargetIdException{}}},
		{wire.ELBV2, "DescribeTargetHealth", []error{
			&elbv2types.HealthUnavailableException{}, &elbv2types.InvalidTargetException{}, &elbv2types.TargetGroupNotFoundException{}}},
		{wire.ELBV2, "DescribeTargetGroups", []error{
			&elbv2types.LoadBalancerNotFoundException{}, &elbv2types.TargetGroupNotFoundException{}}},
		{wire.CodeDeploy, "GetDeployment", []error{
			&codedeploytypes.DeploymentDoesNotExistException{}, &codedeploytypes.DeploymentIdRequiredException{}, &codedeploytypes.InvalidDeploymentIdException{}}},
		{wire.CodeDeploy, "GetDeploymentGroup", []error{
			&codedeploytypes.ApplicationDoesNotExistException{}, &codedeploytypes.DeploymentGroupDoesNotExistException{},
			&codedeploytypes.DeploymentConfigDoesNotExistException{}, &codedeploytypes.InvalidDeploymentGroupNameException{}}},
		{wire.CodeDeploy, "ListDeployments", []error{
			&codedeploytypes.InvalidDeploymentStatusException{}, &codedeploytypes.InvalidNextTokenException{}}},
		{wire.CodeDeploy, "BatchGetDeploymentGroups", []error{
			&codedeploytypes.BatchLimitExceededException{}}},
		{wire.SNS, "Publish", []error{
			&snstypes.NotFoundException{}, &snstypes.AuthorizationErrorException{}, &snstypes.InvalidParameterException{},
			&snstypes.EndpointDisabledException{}, &snstypes.KMSAccessDeniedException{}}},
		{wire.SNS, "VerifySMSSandboxPhoneNumber", []error{
			&snstypes.VerificationException{}}},
		{wire.SSM, "PutParameter", []error{
			&ssmtypes.ParameterAlreadyExists{}, &ssmtypes.ParameterLimitExceeded{}, &ssmtypes.TooManyUpdates{}}},
		{wire.SSM, "SendCommand", []error{
			&ssmtypes.InvalidInstanceId{}, &ssmtypes.InvalidDocument{}, &ssmtypes.InvalidParameters{}}},
		{wire.SQS, "SendMessage", []error{
			&sqstypes.QueueDoesNotExist{}, &sqstypes.InvalidMessageContents{}, &sqstypes.RequestThrottled{}}},
		{wire.EventBridge, "PutEvents", []error{
			&eventbridgetypes.InternalException{}}},
		{wire.DynamoDB, "PutItem", []error{
			&dynamodbtypes.ConditionalCheckFailedException{}, &dynamodbtypes.ResourceNotFoundException{},
			&dynamodbtypes.ProvisionedThroughputExceededException{}}},
		{wire.DynamoDB, "TransactWriteItems", []error{
			&dynamodbtypes.TransactionCanceledException{}, &dynamodbtypes.IdempotentParameterMismatchException{}}},
	}
	for _, c := range cases {
		a := apiOf(t, c.service)
		v, client := connect(t, a)
		for i, given := range c.errors {
			f := newFiller(uint64(i), c.service(a.client(config(""))), 1)
			silent, ok := given.(silentError)
			if ok {
				given = silent.APIError
			}
			f.fill(reflect.ValueOf(given).Elem())
			if ok {
				reflect.ValueOf(given).Elem().FieldByName("Message").SetZero()
			}
			v.willAnswer(nil, given)
			got := failedCall(t, client, c.operation)
			if reflect.TypeOf(given) != reflect.TypeOf(got) {
				t.Errorf("%s: the view fails with %T, the client with %T: callers cannot tell what happened", c.operation, given, got)
				continue
			}
			if override := reflect.ValueOf(got).Elem().FieldByName("ErrorCodeOverride"); override.IsValid() {
				override.SetZero()
			}
			if diff := compare(given, got); diff != "" {
				t.Errorf("%s: %T changes on its way (-given +got):\n%s", c.operation, given, diff)
			}
		}
	}
}

// silentError is an error that has no message in the service's model, though
// its Go type has.
type silentError struct{ smithy.APIError }

func apiOf(t *testing.T, service func(any) wire.Service) api {
	t.Helper()
	for _, a := range apis() {
		if reflect.ValueOf(a.service).Pointer() == reflect.ValueOf(service).Pointer() {
			return a
		}
	}
	t.Fatal("this service is not among those tested")
	return api{}
}

// failedCall calls an operation with everything set and returns the error that
// the service answered.
func failedCall(t *testing.T, client any, operation string) smithy.APIError {
	t.Helper()
	err := anyCall(t, client, operation)
	var failed smithy.APIError
	if !errors.As(err, &failed) {
		t.Fatalf("%s fails with no error of an API: %v", operation, err)
	}
	return failed
}

func anyCall(t *testing.T, client any, operation string) error {
	t.Helper()
	input := reflect.New(operationsOf(client)[operation].In(2).Elem())
	// Its unions are all that the operations called here have.
	newFiller(1, wire.DynamoDB(client), 1).fill(input.Elem())
	if in, ok := input.Interface().(*eventbridge.PutEventsInput); ok {
		in.EndpointId = nil
	}
	_, err := call(t.Context(), client, operation, input.Interface())
	return err
}

func TestCodesAndStatus(t *testing.T) {
	t.Parallel()
	generic := func(code string, fault smithy.ErrorFault) error {
		return &smithy.GenericAPIError{Code: code, Message: "said by the view", Fault: fault}
	}
	cases := []struct {
		name      string
		service   func(any) wire.Service
		operation string
		given     error
		code      string
		status    int
	}{
		{"throttled by Auto Scaling", wire.AutoScaling, "DescribeAutoScalingGroups", generic("Throttling", smithy.FaultClient), "Throttling", 400},
		{"throttled by CodeDeploy", wire.CodeDeploy, "GetDeployment", generic("ThrottlingException", smithy.FaultClient), "ThrottlingException", 400},
		{"an error that does not say whose fault it is", wire.SSM, "PutParameter", generic("ValidationException", smithy.FaultUnknown), "ValidationException", 400},
		{"not allowed, in Query", wire.ELBV2, "RegisterTargets", generic("AccessDenied", smithy.FaultClient), "AccessDenied", 403},
		{"not allowed, in JSON", wire.SSM, "PutParameter", generic("AccessDeniedException", smithy.FaultClient), "AccessDeniedException", 400},
		{"unavailable", wire.AutoScaling, "ResumeProcesses", generic("ServiceUnavailable", smithy.FaultServer), "ServiceUnavailable", 503},
		{"an internal failure", wire.EventBridge, "PutEvents", generic("InternalFailure", smithy.FaultServer), "InternalFailure", 500},
		{"an error that carries its status", wire.DynamoDB, "PutItem",
			&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 503}}, Err: generic("Slow", smithy.FaultServer)}, "Slow", 503},
		{"wrapped as the SDK does", wire.ELBV2, "DescribeTargetHealth",
			&smithy.OperationError{ServiceID: "Elastic Load Balancing v2", OperationName: "DescribeTargetHealth", Err: &elbv2types.TargetGroupNotFoundException{}}, "TargetGroupNotFound", 400},
		{"an error that is none of AWS's", wire.SNS, "Publish", errors.New("the view is broken"), "InternalFailure", 500},
		{"a code from before SQS spoke JSON", wire.SQS, "SendMessage", &sqstypes.QueueDoesNotExist{}, "AWS.SimpleQueueService.NonExistentQueue", 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, client := connect(t, apiOf(t, c.service))
			v.willAnswer(nil, c.given)
			err := anyCall(t, client, c.operation)
			var failed smithy.APIError
			if !errors.As(err, &failed) || failed.ErrorCode() != c.code {
				t.Errorf("the client gets %v, not the code %s", err, c.code)
			}
			var response *smithyhttp.ResponseError
			if !errors.As(err, &response) || response.HTTPStatusCode() != c.status {
				t.Errorf("the client gets %v, not the status %d", err, c.status)
			}
		})
	}
}

// slow is an error like that of a call that was never answered.
type slow struct{}

func (slow) Error() string { return "no answer" }
func (slow) Timeout() bool { return true }

func TestNoAnswerIsABrokenConnection(t *testing.T) {
	t.Parallel()
	v, client := connect(t, apiOf(t, wire.ELBV2))
	v.willAnswer(nil, &smithy.OperationError{ServiceID: "Elastic Load Balancing v2", OperationName: "RegisterTargets", Err: slow{}})
	err := anyCall(t, client, "RegisterTargets")
	var failed smithy.APIError
	if err == nil || errors.As(err, &failed) {
		t.Errorf("a call that times out after its effect gets the answer %v: callers would never meet an unknown outcome", err)
	}
	if !strings.Contains(err.Error(), "EOF") {
		t.Errorf("the connection should break, but: %v", err)
	}
}
