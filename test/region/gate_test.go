package region_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"deployhooks/test/region"
)

var ctx = context.Background()

func describeGroups(r *region.Region) error {
	_, err := r.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	return err
}

func TestEveryCallIsRecorded(t *testing.T) {
	r := region.New(region.Options{})
	_ = describeGroups(r)
	r.Advance(time.Minute)
	_, err := r.ELBV2().DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: aws.String("arn:none")})
	var missing *elb.TargetGroupNotFoundException
	var op *smithy.OperationError
	if !errors.As(err, &missing) || !errors.As(err, &op) || op.Operation() != "DescribeTargetHealth" {
		t.Errorf("a missing target group gives %v, not the SDK's type within an operation error", err)
	}
	calls := r.Calls()
	if len(calls) != 2 || calls[0].Service != "Auto Scaling" || calls[0].Operation != "DescribeAutoScalingGroups" || calls[0].Err != nil {
		t.Fatalf("recorded %v", calls)
	}
	if got := calls[1].At.Sub(calls[0].At); got != time.Minute || calls[1].Err == nil {
		t.Errorf("the second call is recorded %s after the first with error %v", got, calls[1].Err)
	}
	if r.ForgetCalls(); len(r.Calls()) != 0 {
		t.Error("forgotten calls are still there")
	}
}

func TestFaultsLookLikeAWS(t *testing.T) {
	throttles := retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}
	retryables := retry.IsErrorRetryables(retry.DefaultRetryables)
	for _, tc := range []struct {
		name      string
		fault     error
		code      string // of Auto Scaling's error, "" for none
		jsonCode  string // of CodeDeploy's error
		throttle  bool
		retryable bool
	}{
		{"throttled", region.Throttled(), "Throttling", "ThrottlingException", true, true},
		{"unavailable", region.Unavailable(), "ServiceUnavailable", "ServiceUnavailableException", false, true},
		{"timed out", region.TimedOut(), "", "", false, true},
		{"access denied", region.AccessDenied(""), "AccessDenied", "AccessDeniedException", false, false},
		{"killed", region.Killed(), "", "", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: tc.fault} })
			_, jsonErr := r.CodeDeploy().ListApplications(ctx, nil)
			for err, code := range map[error]string{describeGroups(r): tc.code, jsonErr: tc.jsonCode} {
				var api smithy.APIError
				if errors.As(err, &api) != (code != "") || (code != "" && api.ErrorCode() != code) {
					t.Errorf("%v: want code %q", err, code)
				}
				if got := throttles.IsErrorThrottle(err).Bool(); got != tc.throttle {
					t.Errorf("%v: the SDK takes it for a throttle: %t", err, got)
				}
				if got := retryables.IsErrorRetryable(err).Bool(); !tc.throttle && got != tc.retryable {
					t.Errorf("%v: the SDK would retry: %t", err, got)
				}
			}
		})
	}
}

func TestAccessDeniedNamesTheAction(t *testing.T) {
	r := region.New(region.Options{})
	r.SetFaults(func(region.Call) region.Fault { return region.Fault{Before: region.AccessDenied("")} })
	_, err := r.SNS().Publish(ctx, &sns.PublishInput{})
	if err == nil || !strings.Contains(err.Error(), "AuthorizationError") || !strings.Contains(err.Error(), "not authorized to perform: SNS:Publish on resource") {
		t.Errorf("SNS says %v", err)
	}
	if err := describeGroups(r); !strings.Contains(err.Error(), "not authorized to perform: autoscaling:DescribeAutoScalingGroups because") {
		t.Errorf("Auto Scaling says %v", err)
	}
}

func TestBeforeAndAfter(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  region.Fault
		effect bool
	}{
		{"a fault before has no effect", region.Fault{Before: region.TimedOut()}, false},
		{"a fault after has taken effect", region.Fault{After: region.TimedOut()}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			r.SetFaults(region.On("CreateApplication", 1, tc.fault))
			_, err := r.CodeDeploy().CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: aws.String("shop")})
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the caller got %v", err)
			}
			out, err := r.CodeDeploy().ListApplications(ctx, nil)
			if err != nil || (len(out.Applications) == 1) != tc.effect {
				t.Errorf("afterwards there are %v, %v", out, err)
			}
		})
	}
}

func TestKilledAfterItsSecondCall(t *testing.T) {
	r := region.New(region.Options{})
	r.SetFaults(region.KilledAfter(2))
	create := func(name string) error {
		_, err := r.CodeDeploy().CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: &name})
		return err
	}
	if err := create("a"); err != nil {
		t.Errorf("creating a: %v", err)
	}
	for _, name := range []string{"b", "c"} {
		if err := create(name); !errors.Is(err, region.ErrKilled) {
			t.Errorf("creating %s: %v", name, err)
		}
	}
	r.SetFaults(nil)
	out, err := r.CodeDeploy().ListApplications(ctx, nil)
	if err != nil || len(out.Applications) != 2 {
		t.Errorf("the dead function has created %v, want a and b", out.Applications)
	}
}

func TestUnsimulatedFieldFailsLoudly(t *testing.T) {
	r := region.New(region.Options{})
	_, err := r.AutoScaling().UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), DesiredCapacityType: aws.String("vcpu"),
	})
	if err == nil || !strings.Contains(err.Error(), "DesiredCapacityType") {
		t.Errorf("a field that would change behaviour was ignored: %v", err)
	}
	_, err = r.DynamoDB().GetItem(ctx, &dynamodb.GetItemInput{AttributesToGet: []string{"a"}})
	if err == nil || !strings.Contains(err.Error(), "AttributesToGet") {
		t.Errorf("a field that would change behaviour was ignored: %v", err)
	}
}

func TestCancelledCallHasNoEffect(t *testing.T) {
	r := region.New(region.Options{})
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := r.CodeDeploy().CreateApplication(cancelled, &codedeploy.CreateApplicationInput{ApplicationName: aws.String("shop")})
	var canceled *aws.RequestCanceledError
	if !errors.As(err, &canceled) || !errors.Is(err, context.Canceled) || len(r.Calls()) != 0 {
		t.Errorf("got %v, calls %v", err, r.Calls())
	}
}

// TestDepthOfCalls shows how the latency hook measures calls in a row: under
// synctest each call takes a second of the bubble's time.
func TestDepthOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		r.OnCall(func(region.Call) { time.Sleep(time.Second) })
		began := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _ = describeGroups(r) })
		}
		wg.Wait()
		_ = describeGroups(r)
		if depth := time.Since(began); depth != 2*time.Second {
			t.Errorf("five calls in parallel and one more took %s, want 2 s: the hook holds the lock", depth)
		}
	})
}

func TestThrottlingAtTheDocumentedRate(t *testing.T) {
	r := region.New(region.Options{Throttling: true})
	describe := func(n int) (throttled int) {
		for range n {
			_, err := r.ELBV2().DescribeTargetGroups(ctx, nil)
			var api smithy.APIError
			if errors.As(err, &api) && api.ErrorCode() == "ThrottlingException" {
				throttled++
			}
		}
		return throttled
	}
	if got := describe(45); got != 5 {
		t.Errorf("of 45 calls at once %d were throttled, want 5: the bucket holds 40", got)
	}
	r.Advance(2 * time.Second)
	if got := describe(25); got != 5 {
		t.Errorf("of 25 calls two seconds later %d were throttled, want 5: 10 a second come back", got)
	}
	_, err := r.CodeDeploy().ListApplications(ctx, nil)
	if err != nil {
		t.Errorf("one service's bucket throttles another: %v", err)
	}
}
