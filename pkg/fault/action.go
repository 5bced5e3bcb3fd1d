package fault

import (
	"cmp"
	"errors"
	"strings"

	"github.com/aws/smithy-go"
)

// prefixes are the IAM prefixes of the services that the functions call (Service
// Authorization Reference).
var prefixes = map[string]string{
	autoScaling: "autoscaling",
	classicELB:  "elasticloadbalancing",
	codeDeploy:  "codedeploy",
	dynamoDB:    "dynamodb",
	elbv2:       "elasticloadbalancing",
	eventBridge: "events",
	route53:     "route53",
	s3:          "s3",
	secrets:     "secretsmanager",
	ses:         "ses",
	sns:         "sns",
	sqs:         "sqs",
	ssm:         "ssm",
	"EC2":       "ec2",
	rds:         "rds",
	sfn:         "states",
}

// renamed are the operations whose IAM action has another name.
var renamed = map[string]string{
	"s3:DeleteObjects":      "s3:DeleteObjectVersion",
	"s3:ListObjectVersions": "s3:ListBucketVersions",
	"sns:PublishBatch":      "sns:Publish",
	"sqs:SendMessageBatch":  "sqs:SendMessage",
}

// Action is the IAM action that a failed call needs, such as
// "autoscaling:AttachTrafficSources", or empty where the error comes from no AWS
// call. A call may need more than the action of its name, such as iam:PassRole:
// AWS's message then says which.
func Action(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
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
	if name, ok := renamed[action]; ok {
		return name
	}
	return action
}

// AllowRemedy says what an operator can do about a denied call.
func AllowRemedy(err error) string {
	return "Allow " + cmp.Or(Action(err), "the call") + " to the function's role. If the role's policy allows it already, a permissions boundary, a resource policy or a service control policy of the organization denies it."
}
