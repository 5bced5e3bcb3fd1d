package wire_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/middleware"

	"deployhooks/test/region/wire"
)

// api is one AWS API: how the SDK's client for it is made, and how this
// package describes it.
type api struct {
	service func(client any) wire.Service
	client  func(aws.Config) any
	// used are the operations that the functions here call.
	used []string
}

func apis() []api {
	return []api{
		{wire.AutoScaling, func(c aws.Config) any { return autoscaling.NewFromConfig(c) }, []string{
			"DescribeAutoScalingGroups", "DescribeTrafficSources", "AttachTrafficSources",
			"ResumeProcesses", "DescribeLifecycleHooks", "PutLifecycleHook",
			"DescribeAutoScalingInstances", "CompleteLifecycleAction", "RecordLifecycleActionHeartbeat",
			"UpdateAutoScalingGroup", "DeleteAutoScalingGroup", "CreateOrUpdateTags", "PutScalingPolicy", "DescribePolicies", "DeletePolicy"}},
		{wire.ELB, func(c aws.Config) any { return elasticloadbalancing.NewFromConfig(c) }, []string{
			"DescribeLoadBalancers", "DescribeLoadBalancerAttributes", "DescribeInstanceHealth",
			"RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer"}},
		{wire.ELBV2, func(c aws.Config) any { return elasticloadbalancingv2.NewFromConfig(c) }, []string{
			"DescribeTargetGroups", "DescribeTargetGroupAttributes", "DescribeTargetHealth",
			"RegisterTargets", "DeregisterTargets"}},
		{wire.CodeDeploy, func(c aws.Config) any { return codedeploy.NewFromConfig(c) }, []string{
			"GetDeployment", "GetDeploymentGroup", "ListDeployments",
			"ListApplications", "ListDeploymentGroups", "BatchGetDeploymentGroups",
			"CreateDeploymentGroup", "UpdateDeploymentGroup", "DeleteDeploymentGroup", "BatchGetDeployments", "StopDeployment",
			"ListTagsForResource", "TagResource", "UntagResource"}},
		{wire.SSM, func(c aws.Config) any { return ssm.NewFromConfig(c) }, []string{
			"PutParameter", "SendCommand", "ListCommands", "ListCommandInvocations"}},
		{wire.SNS, func(c aws.Config) any { return sns.NewFromConfig(c) }, []string{"Publish"}},
		{wire.SQS, func(c aws.Config) any { return sqs.NewFromConfig(c) }, []string{"SendMessage"}},
		{wire.EventBridge, func(c aws.Config) any { return eventbridge.NewFromConfig(c) }, []string{"PutEvents"}},
		{wire.DynamoDB, func(c aws.Config) any { return dynamodb.NewFromConfig(c) }, []string{
			"BatchGetItem", "PutItem", "TransactWriteItems", "Scan"}},
		{wire.StepFunctions, func(c aws.Config) any { return sfn.NewFromConfig(c) }, []string{
			"StartExecution", "DescribeExecution", "StopExecution", "GetExecutionHistory", "SendTaskSuccess", "SendTaskFailure"}},
		{wire.RDS, func(c aws.Config) any { return rds.NewFromConfig(c) }, []string{
			"DescribeDBInstances", "DescribeDBSnapshots", "RestoreDBInstanceFromDBSnapshot", "ModifyDBInstance", "DeleteDBInstance"}},
	}
}

// config is an SDK configuration that knows an endpoint and otherwise nothing
// but what the SDK itself sets.
func config(endpoint string, options ...func(*middleware.Stack) error) aws.Config {
	return aws.Config{
		Region:           "eu-west-1",
		BaseEndpoint:     aws.String(endpoint),
		Credentials:      credentials.NewStaticCredentialsProvider("test", "test", ""),
		RetryMaxAttempts: 1,
		APIOptions:       options,
		HTTPClient:       &http.Client{Transport: &plainBodies{base: http.DefaultTransport.(*http.Transport).Clone()}},
	}
}

// plainBodies sends each request's body from memory. The SDK wraps bodies in a
// reader that it closes as soon as an answer begins, and that from then on
// gives EOF as an error (smithy-go 1.28, safeWriteToReadCloser). If the answer
// comes before net/http has looked for the body's end, as it may on one
// machine, net/http takes that for a failed write and breaks the connection,
// with the rest of the answer in it. Once in some thousand calls is too often
// for a test.
type plainBodies struct{ base http.RoundTripper }

func (p *plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return p.base.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(r.URL.Host, "sync-") // of some operations of Step Functions
	r.Body = io.NopCloser(bytes.NewReader(body))
	return p.base.RoundTrip(r)
}

// view is a client of the SDK that never calls AWS: it records the input of a
// call and answers with what it is given. It has every operation that the SDK
// has, which no hand-written fake would.
type view struct {
	mu     sync.Mutex
	input  any
	output any
	err    error
}

func (v *view) config() aws.Config {
	return config("http://view.invalid", func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("view", v.answer), middleware.Before)
	})
}

func (v *view) answer(_ context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.input = in.Parameters
	return middleware.InitializeOutput{Result: v.output}, middleware.Metadata{}, v.err
}

// willAnswer sets what the next calls are answered with.
func (v *view) willAnswer(output any, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.input, v.output, v.err = nil, output, err
}

func (v *view) received() any {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.input
}

// connect serves a view of the API and returns it with the unmodified client
// that reaches it over HTTP.
func connect(t *testing.T, a api) (*view, any) {
	t.Helper()
	v := &view{}
	server := serve(t, wire.New(a.service(a.client(v.config()))))
	return v, a.client(config(server.URL))
}

func serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// call calls an operation of a client by its name.
func call(ctx context.Context, client any, operation string, input any) (any, error) {
	results := reflect.ValueOf(client).MethodByName(operation).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(input)})
	err, _ := results[1].Interface().(error)
	return results[0].Interface(), err
}
