// Package fault reads the errors of AWS calls: what kind of failure it was, and
// what a person has to do about it.
//
// The domains decide by kind whether to look again, to let the queue deliver
// again, or to tell somebody; none of them compares error codes itself.
package fault

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
)

// Kind is what a failure means for the one who called.
type Kind int

const (
	// Passing failures (throttling, 5xx, time-outs, a broken connection) may
	// be gone at the next try. What is not known is taken for passing: a try
	// too many costs less than a repair too few.
	Passing Kind = iota
	// Denied means that IAM, a policy or a service control policy forbids the
	// call. No retry helps; a person must allow it.
	Denied
	// NotFound means that a part of the fleet that the call names does not exist
	// (any more). A table, a queue or a topic that is missing is not among
	// these: that is an accident, which the queue outlasts or tells.
	NotFound
	// Busy means that the resource is occupied with a change of its own, and
	// that the call is right but early.
	Busy
	// Invalid means that AWS will never accept this call.
	Invalid
	// Conflict means that a conditional write lost against another writer.
	Conflict
)

// kinds holds the error codes whose kind is not [Passing]. The codes are those
// of the services' API references.
var kinds = map[string]Kind{
	"AccessDenied":           Denied,
	"AccessDeniedException":  Denied,
	"AuthorizationError":     Denied, // SNS
	"UnauthorizedOperation":  Denied,
	"NotAuthorizedException": Denied,
	"OptInRequired":          Denied,

	"TargetGroupNotFound":                  NotFound,
	"ApplicationDoesNotExistException":     NotFound,
	"DeploymentGroupDoesNotExistException": NotFound,
	"DeploymentDoesNotExistException":      NotFound,
	"LoadBalancerNotFound":                 NotFound,

	"ResourceContention":        Busy,
	"ResourceContentionFault":   Busy,
	"InstanceRefreshInProgress": Busy,
	"ScalingActivityInProgress": Busy,
	"ResourceInUse":             Busy,
	"TooManyUpdates":            Busy, // SSM: several writers of one parameter

	"ValidationError":                 Invalid,
	"ValidationException":             Invalid,
	"InvalidParameterValue":           Invalid,
	"InvalidParameter":                Invalid,
	"InvalidTarget":                   Invalid,
	"TooManyTargets":                  Invalid,
	"TooManyRegistrationsForTargetId": Invalid,
	"LimitExceeded":                   Invalid,
	"InvalidInstanceId":               Invalid, // SSM: not known there, or not running
	"InvalidDocument":                 Invalid, // SSM
	"InvalidParameters":               Invalid, // SSM: the document has others
	"UnsupportedPlatformType":         Invalid, // SSM

	"ConditionalCheckFailedException": Conflict,
}

// Of tells the kind of an error; the error may be wrapped.
func Of(err error) Kind {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return Passing
	}
	// Auto Scaling answers a missing group with a ValidationError, and only
	// the words tell it apart ("AutoScalingGroup name not found - …"). So it
	// does a lifecycle action that is completed or timed out ("No active
	// Lifecycle Action found with …", observed).
	if api.ErrorCode() == "ValidationError" && (strings.Contains(api.ErrorMessage(), "not found") || strings.Contains(api.ErrorMessage(), "No active Lifecycle Action")) {
		return NotFound
	}
	return kinds[api.ErrorCode()]
}

// Throttled tells whether the call was one too many for the service's rates.
func Throttled(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException":
		return true
	}
	return false
}

// prefixes are the IAM prefixes of the services that the functions call, by the
// service ID that the SDK puts into its errors. Source: the Service
// Authorization Reference.
var prefixes = map[string]string{
	"Auto Scaling":              "autoscaling",
	"CodeDeploy":                "codedeploy",
	"DynamoDB":                  "dynamodb",
	"EC2":                       "ec2",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"EventBridge":               "events",
	"SNS":                       "sns",
	"SQS":                       "sqs",
	"SSM":                       "ssm",
}

// actions are the operations whose IAM action has another name.
var actions = map[string]string{
	"sns:PublishBatch":     "sns:Publish",
	"sqs:SendMessageBatch": "sqs:SendMessage",
}

// Action is the IAM action that the failed call needs, such as
// "autoscaling:AttachTrafficSources", or empty where the error does not come
// from an AWS call. A call may need more than the action of its name, such as
// iam:PassRole: then AWS's message says which.
func Action(err error) string {
	var api smithy.APIError
	if Of(err) == Denied && errors.As(err, &api) {
		if _, after, ok := strings.Cut(api.ErrorMessage(), "not authorized to perform: "); ok {
			action, _, _ := strings.Cut(after, " ")
			return action
		}
	}
	var op *smithy.OperationError
	if !errors.As(err, &op) || prefixes[op.ServiceID] == "" {
		return ""
	}
	action := prefixes[op.ServiceID] + ":" + op.OperationName
	if named, ok := actions[action]; ok {
		return named
	}
	return action
}

// Remedy says in words what a person can do about the failure; empty where
// waiting is all there is to do.
func Remedy(err error) string {
	switch Of(err) {
	case Denied:
		if Action(err) == "iam:PassRole" {
			return "Name the role in the configuration deployhooks:hookRoleArns, so that the function may pass it on."
		}
		return fmt.Sprintf("Allow %s to the function's role. If the role's policy has it already, a permissions boundary, a resource policy or a service control policy of the organisation denies it.", Action(err))
	case Invalid:
		if code(err) == "InvalidInstanceId" {
			return "Have the SSM agent run on the instance, with an instance profile that lets it reach Systems Manager."
		}
		return "Correct what AWS names in its message; the next sweep tries again."
	default:
		return ""
	}
}

func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// Message is AWS's own words on the failure, without request IDs, so that the
// same failure reads the same each time.
func Message(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err.Error()
	}
	if api.ErrorMessage() == "" {
		return api.ErrorCode()
	}
	return api.ErrorCode() + ": " + api.ErrorMessage()
}
