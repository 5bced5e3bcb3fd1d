package region

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"

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
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// dressed is a fault whose final form depends on the call that it befalls:
// services differ in their error codes.
type dressed struct {
	what string
	form func(Call) error
}

func (d *dressed) Error() string { return d.what }

func dress(err error, c Call) error {
	if d, ok := errors.AsType[*dressed](err); ok {
		return d.form(c)
	}
	return err
}

// Throttled is the answer of a service whose request limit is reached.
func Throttled() error {
	return &dressed{"throttled", func(c Call) error {
		code := "ThrottlingException" // ELB too: "Request throttling for the ELB API"
		if c.Service == autoscaling.ServiceID || c.Service == sns.ServiceID || c.Service == rds.ServiceID {
			code = "Throttling"
		}
		return withStatus(http.StatusBadRequest, &smithy.GenericAPIError{Code: code, Message: "Rate exceeded", Fault: smithy.FaultClient})
	}}
}

// Unavailable is the answer of a service that is down: status 503.
func Unavailable() error {
	return &dressed{"unavailable", func(c Call) error {
		code := "ServiceUnavailableException"
		if query(c.Service) {
			code = "ServiceUnavailable"
		}
		return withStatus(http.StatusServiceUnavailable, &smithy.GenericAPIError{Code: code, Message: "Service is unavailable. Please try again shortly.", Fault: smithy.FaultServer})
	}}
}

// TimedOut is what a caller gets whose request, or the answer to it, was lost
// on the way. As an After fault the call has taken effect all the same.
func TimedOut() error {
	return &smithyhttp.RequestSendError{Err: os.ErrDeadlineExceeded}
}

// AccessDenied is the answer to a caller whose role lacks an IAM action, such
// as "autoscaling:AttachTrafficSources"; "" means the action of the call
// itself.
func AccessDenied(action string) error {
	return &dressed{"access denied: " + action, func(c Call) error {
		action := cmp.Or(action, Action(c))
		resource := ""
		if !strings.Contains(action, ":Describe") { // has no resource-level permissions
			resource = " on resource: *"
		}
		message := fmt.Sprintf("User: arn:aws:sts::%s:assumed-role/hooks/repair is not authorized to perform: %s%s because no identity-based policy allows the %s action", Account, action, resource, action)
		return withStatus(http.StatusForbidden, &smithy.GenericAPIError{Code: deniedCode(c.Service), Message: message, Fault: smithy.FaultClient})
	}}
}

// Action is the IAM action of a call ("Service Authorization Reference").
func Action(c Call) string { return actionPrefixes[c.Service] + ":" + c.Operation }

// actionPrefixes are those of the services' IAM actions, by ServiceID.
var actionPrefixes = map[string]string{
	autoscaling.ServiceID: "autoscaling", elasticloadbalancing.ServiceID: "elasticloadbalancing", elasticloadbalancingv2.ServiceID: "elasticloadbalancing", codedeploy.ServiceID: "codedeploy",
	ssm.ServiceID: "ssm", sns.ServiceID: "SNS", sqs.ServiceID: "sqs", eventbridge.ServiceID: "events", dynamodb.ServiceID: "dynamodb",
	ec2ServiceID: "ec2", sfn.ServiceID: "states", rds.ServiceID: "rds",
}

// ErrKilled says that the process that made the call no longer exists.
var ErrKilled = errors.New("the function was killed")

// Killed is the end of the process that makes the call. Nobody sees the
// error but the test: whatever a handler returns after it is to be ignored.
func Killed() error { return ErrKilled }

// KilledAfter is a fault hook for [Region.SetFaults]: n calls succeed, the
// n-th of them as the last thing that the function ever does; no later call
// has any effect.
func KilledAfter(n int) func(Call) Fault {
	return func(Call) Fault {
		n--
		switch {
		case n > 0:
			return Fault{}
		case n == 0:
			return Fault{After: Killed()}
		}
		return Fault{Before: Killed()}
	}
}

// On is a fault hook for [Region.SetFaults] that befalls one operation only,
// the first times times; 0 means always.
func On(operation string, times int, f Fault) func(Call) Fault {
	var seen int
	return func(c Call) Fault {
		if c.Operation != operation {
			return Fault{}
		}
		seen++
		if times > 0 && seen > times {
			return Fault{}
		}
		return f
	}
}

// OneIn is a fault hook for [Region.SetFaults] that befalls one call in n, by
// chance. A call's luck depends on the seed, on what it asks, and on how often
// that was asked before, but not on the order in which calls that are made at
// once arrive: the same scenario has the same faults in every run.
func OneIn(n int, seed uint64, f Fault) func(Call) Fault {
	asked := map[uint64]uint64{}
	return func(c Call) Fault {
		hash := fnv.New64a()
		fmt.Fprintln(hash, seed, c.Service, c.Operation)
		if err := json.NewEncoder(hash).Encode(c.Input); err != nil {
			panic(fmt.Sprintf("input of %s: %v", c.Operation, err)) // no input of the SDK is without a JSON form
		}
		call := hash.Sum64()
		asked[call]++
		if rand.New(rand.NewPCG(call, asked[call])).IntN(n) == 0 {
			return f
		}
		return Fault{}
	}
}

func query(service string) bool {
	return service == autoscaling.ServiceID || service == elasticloadbalancing.ServiceID || service == elasticloadbalancingv2.ServiceID || service == sns.ServiceID || service == rds.ServiceID
}

// withStatus gives an error the HTTP status that the SDK would have seen.
func withStatus(status int, err error) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}},
		Err:      err,
	}
}

// failure is an API error that the SDK has no type for.
func failure(code, format string, args ...any) error {
	return &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// invalid is Auto Scaling's answer to nearly everything that is wrong.
func invalid(format string, args ...any) error { return failure("ValidationError", format, args...) }
