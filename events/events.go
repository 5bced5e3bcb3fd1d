// Package events holds every payload a function can receive, one JSON file
// each, as bytes that tests, the demo and operators can use: to see what a
// function receives, to replay it (`aws lambda invoke --payload
// file://events/….json`), or to publish it with other names put in.
//
// All files are about one invented account, 123456789012 in eu-west-1, the
// CodeDeploy application "shop" with its deployment group "web", whose
// deployment d-4X8QK2M1Z replaces the Auto Scaling group and whose deployment
// d-7R3BNC95W rolls that back. Instances are i-0a1b2c3d4e5f60718 and
// i-0f9e8d7c6b5a41302. The tenant is "acme".
//
// # Names
//
// A file is named source-envelope-what. The source is the service that speaks,
// or "deployhooks" for a request to a function or its own work, or "several". The envelope is
//
//	direct           the payload of a direct invocation
//	eventbridge      an EventBridge event, as a rule hands it to Lambda
//	message          what a service publishes to a topic, without its envelope;
//	                 raw message delivery puts the same into an SQS body
//	sns              SNS straight to Lambda
//	sqs              a message that its sender puts into the queue itself
//	sqs-eventbridge  EventBridge to SQS to Lambda
//	sqs-raw          SNS to SQS with raw message delivery
//	sqs-sns          SNS to SQS, wrapped in the notification
//
// # Where the forms come from
//
// "Documented" is a form in AWS documentation, "recorded" is one captured in a
// real account and published since; names, IDs and times are invented in both.
// "Inferred" follows a recorded form and has not been seen itself.
//
// Auto Scaling:
//
//	autoscaling-eventbridge-launch                    documented (EC2 Auto Scaling User Guide, "Warm pool example events and patterns")
//	autoscaling-eventbridge-launch-successful         documented (the same guide, "Auto Scaling group events"); no lifecycle action, so out of scope
//	autoscaling-eventbridge-launch-to-warm-pool       documented
//	autoscaling-eventbridge-terminate                 documented
//	autoscaling-eventbridge-terminate-from-warm-pool  documented
//	autoscaling-eventbridge-terminate-replace-root-volume  inferred from its description (the same guide, "Replace root volumes during instance refresh"); this instance comes back
//	autoscaling-eventbridge-terminate-to-warm-pool    documented; this instance is not terminated
//	autoscaling-eventbridge-terminate-without-origin  documented, before Origin and Destination were added
//	autoscaling-message-launch                        recorded
//	autoscaling-message-terminate                     recorded
//	autoscaling-message-terminate-replace-root-volume inferred
//	autoscaling-message-terminate-with-metadata       recorded
//	autoscaling-message-test                          recorded; sent when a hook gets a notification target
//	autoscaling-sns-terminate                         recorded
//	autoscaling-sqs-eventbridge-terminate             documented
//	autoscaling-sqs-sns-terminate                     recorded
//	autoscaling-sqs-terminate                         recorded
//	autoscaling-sqs-test                              recorded
//
// CodeDeploy:
//
//	codedeploy-eventbridge-failure                    documented (EventBridge User Guide, "AWS CodeDeploy events"), as the next six
//	codedeploy-eventbridge-instance-failure
//	codedeploy-eventbridge-instance-success
//	codedeploy-eventbridge-ready
//	codedeploy-eventbridge-start
//	codedeploy-eventbridge-stop
//	codedeploy-eventbridge-success
//	codedeploy-message-created                        recorded (2016 to 2022)
//	codedeploy-message-documented-failed              documented (CodeDeploy User Guide, "JSON data formats for CodeDeploy triggers"); real accounts send other types
//	codedeploy-message-documented-instance-succeeded  documented
//	codedeploy-message-documented-succeeded           documented
//	codedeploy-message-failed                         recorded
//	codedeploy-message-in-progress                    inferred from the recorded IN_PROGRESS of a rollback
//	codedeploy-message-rollback-created               recorded
//	codedeploy-message-rollback-succeeded             recorded
//	codedeploy-message-stopped                        inferred
//	codedeploy-message-succeeded                      recorded
//	codedeploy-sns-eventbridge-success                recorded; an EventBridge rule whose target is a topic
//	codedeploy-sns-succeeded                          recorded
//	codedeploy-sns-test                               recorded (2016); sent when a trigger is created, and plain text
//	codedeploy-sqs-eventbridge-start                  documented
//	codedeploy-sqs-eventbridge-success                documented
//	codedeploy-sqs-raw-succeeded                      recorded
//	codedeploy-sqs-raw-test                           inferred
//	codedeploy-sqs-sns-succeeded                      recorded
//	codedeploy-sqs-sns-test                           inferred
//
// EC2:
//
//	ec2-eventbridge-instance-shutting-down            documented (EC2 User Guide, "State change events for Amazon EC2 instances"), as the next
//	ec2-eventbridge-instance-stopping
//	ec2-eventbridge-rebalance-recommendation          documented (EC2 User Guide, "EC2 instance rebalance recommendations")
//	ec2-eventbridge-spot-interruption                 documented (EC2 User Guide, "Spot Instance interruption notices"); the ARN as recorded, with a zone and no account
//
// AWS Health:
//
//	health-eventbridge-scheduled-change               documented (AWS Health User Guide, "AWS Health events Amazon EventBridge schema"), with an instance's retirement filled in
//
// Step Functions:
//
//	stepfunctions-eventbridge-aborted                 documented (AWS Step Functions Developer Guide, "EventBridge (CloudWatch Events) for Step Functions execution status changes"), as the next
//	stepfunctions-eventbridge-succeeded
//
// A request about a tenant, from whoever may publish to the topic of tenant requests. The form
// is this project's, in the envelopes of SNS and SQS as recorded:
//
//	portal-message-change
//	portal-message-launch                             with an ID of the sender's
//	portal-message-remove
//	portal-sqs-raw-remove
//	portal-sqs-sns-change
//	portal-sqs-sns-launch
//
// CloudFormation's requests about a custom resource, documented (AWS CloudFormation User Guide,
// "Custom resource request types") in the envelopes of SNS and SQS as recorded; the properties
// are this project's:
//
//	cloudformation-message-create
//	cloudformation-message-delete
//	cloudformation-message-update
//	cloudformation-sqs-sns-create
//	cloudformation-sqs-sns-delete
//	cloudformation-sqs-sns-update
//
// An operator's requests, which are taken by direct invocation only:
//
//	deployhooks-direct-abandon                        end the held operation of a tenant
//	deployhooks-direct-cancel                         cancel the delayed removal of a tenant
//	deployhooks-direct-complete                       a manual task is done
//	deployhooks-direct-plan                           what a repair would change
//	deployhooks-direct-repair                         repair one deployment group
//	deployhooks-direct-retry                          run the held operation of a tenant again
//	deployhooks-direct-status                         what is known of every deployment group
//	deployhooks-direct-sweep                          repair everything in scope
//	deployhooks-direct-tenant                         how one tenant stands
//	deployhooks-direct-tenants                        how all tenants stand
//
// An outcome, which a function puts on the bus for other accounts and software; the form is this
// project's:
//
//	deployhooks-eventbridge-outcome                   of a repair
//
// A function's own work, which is taken from its queue only:
//
//	deployhooks-sqs-continue-reconcile                the function to itself: reconcile once more
//	deployhooks-sqs-continue-sweep                    the schedule
//
// What else may reach a queue or a function, and must do no harm there:
//
//	events-eventbridge-scheduled                      documented; a schedule without an input of its own
//	sns-sqs-subscription-confirmation                 documented (SNS Developer Guide, "HTTP/HTTPS subscription confirmation JSON format")
//
// Several messages in one invocation:
//
//	several-sns                                       a CodeDeploy notification, a lifecycle action, a rollback
//	several-sqs                                       every envelope an SQS message can hold
//	several-sqs-one-cut-off                           a message that can never be read, between two good ones
package events

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// FS holds the files of this package, at its root.
//
//go:embed *.json
var FS embed.FS

const extension = ".json"

// Names returns the name of every payload, in alphabetical order, without the
// file's extension.
func Names() []string {
	files, err := fs.ReadDir(FS, ".")
	if err != nil {
		return nil // an embedded directory can always be read
	}
	names := make([]string, 0, len(files))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), extension))
	}
	return names
}

// Read returns a payload by the name that [Names] has for it. The bytes are
// the caller's to change.
func Read(name string) ([]byte, error) {
	payload, err := FS.ReadFile(name + extension)
	if err != nil {
		return nil, fmt.Errorf("no payload %q in the events directory: %w", name, err)
	}
	return payload, nil
}
