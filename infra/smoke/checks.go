package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"deployhooks/infra/config"
)

// readRequests are requests that change nothing, by the output that names the function.
func (d *deployed) readRequests() map[string][]string {
	all := map[string][]string{
		config.RepairFunctionOutput: {`{"action":"status"}`, `{"action":"plan"}`},
		config.DrainFunctionOutput:  {`{"action":"status"}`, `{"action":"plan"}`},
		config.IntakeFunctionOutput: {`{"action":"tenants"}`},
		config.BackupFunctionOutput: {`{"action":"status"}`},
	}
	for _, id := range d.of("Custom::BlueGreenDeploymentGroup") {
		application, group, _ := strings.Cut(d.physical[id], "/")
		all[config.DeploymentGroupFunctionOutput] = append(all[config.DeploymentGroupFunctionOutput], fmt.Sprintf(`{"action":"status","application":%q,"deploymentGroup":%q}`, application, group))
	}
	return all
}

func (s *smoke) checkFunctions(ctx context.Context, d *deployed) {
	requests := d.readRequests()
	for _, output := range slices.Sorted(maps.Keys(requests)) {
		name := d.outputs[output]
		if name == "" {
			continue
		}
		for _, request := range requests[output] {
			state, found := s.invoke(ctx, name, request)
			s.note(d.Name, "answers", name+" "+request, state, found)
		}
	}
}

// invoke asks a function as an operator does.
func (s *smoke) invoke(ctx context.Context, function, request string) (state, string) {
	out, err := s.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: []byte(request)})
	if err != nil {
		return failed, err.Error()
	}
	if out.FunctionError != nil {
		return failed, short(string(out.Payload))
	}
	if strings.Contains(string(out.Payload), `"exists":false`) {
		return failed, "is gone: deploy again"
	}
	return ok, fmt.Sprintf("%d bytes", len(out.Payload))
}

// short is the beginning of a text, in one line.
func short(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// describeAlarmsLimit is how many names DescribeAlarms takes (Amazon CloudWatch API
// Reference).
const describeAlarmsLimit = 100

func (s *smoke) checkAlarms(ctx context.Context, d *deployed) {
	var names []string
	for _, id := range d.of("AWS::CloudWatch::Alarm") {
		names = append(names, d.physical[id])
	}
	for len(names) > 0 {
		some := names[:min(describeAlarmsLimit, len(names))]
		names = names[len(some):]
		out, err := s.alarms.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: some, MaxRecords: aws.Int32(describeAlarmsLimit)})
		if err != nil {
			s.note(d.Name, "alarm", fmt.Sprintf("%d alarms", len(some)), failed, err.Error())
			continue
		}
		found := map[string]cloudwatchtypes.MetricAlarm{}
		for _, a := range out.MetricAlarms {
			found[aws.ToString(a.AlarmName)] = a
		}
		for _, name := range some {
			state, text := alarmState(found, name)
			s.note(d.Name, "alarm", name, state, text)
		}
	}
}

func alarmState(all map[string]cloudwatchtypes.MetricAlarm, name string) (state, string) {
	a, there := all[name]
	switch {
	case !there:
		return failed, "was deleted: deploy again"
	case a.ActionsEnabled != nil && !*a.ActionsEnabled:
		return failed, "its actions are disabled, so nobody is notified"
	case a.StateValue == cloudwatchtypes.StateValueAlarm:
		return failed, short(aws.ToString(a.StateReason))
	case a.StateValue == cloudwatchtypes.StateValueInsufficientData:
		return waiting, "no data yet"
	}
	return ok, "OK"
}

// checkDeadLetters finds the dead-letter queues by their names in the templates.
func (s *smoke) checkDeadLetters(ctx context.Context, d *deployed) {
	for _, id := range d.of("AWS::SQS::Queue") {
		if !strings.Contains(id, "DeadLetter") {
			continue
		}
		url := d.physical[id]
		out, err := s.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible},
		})
		if err != nil {
			s.note(d.Name, "dead letters", url, failed, err.Error())
			continue
		}
		visible, others := out.Attributes["ApproximateNumberOfMessages"], out.Attributes["ApproximateNumberOfMessagesNotVisible"]
		if visible != "0" || others != "0" {
			s.note(d.Name, "dead letters", url, failed, fmt.Sprintf("%s messages, and %s that are being read: read them and fix the cause", visible, others))
			continue
		}
		s.note(d.Name, "dead letters", url, ok, "none")
	}
}

func (s *smoke) checkSubscriptions(ctx context.Context, d *deployed) {
	for _, id := range d.of("AWS::SNS::Topic") {
		topic := d.physical[id]
		var confirmed int
		var pending []string
		pages := sns.NewListSubscriptionsByTopicPaginator(s.topics, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				s.note(d.Name, "subscribed", topic, failed, err.Error())
				return
			}
			for _, subscription := range page.Subscriptions {
				if aws.ToString(subscription.SubscriptionArn) == "PendingConfirmation" {
					pending = append(pending, aws.ToString(subscription.Endpoint))
				} else {
					confirmed++
				}
			}
		}
		switch {
		case len(pending) > 0:
			s.note(d.Name, "subscribed", topic, failed, "not confirmed, by mail: "+strings.Join(pending, ", "))
		case confirmed == 0:
			s.note(d.Name, "subscribed", topic, failed, "nobody: aws sns subscribe --protocol email --notification-endpoint you@example.com --topic-arn "+topic)
		default:
			s.note(d.Name, "subscribed", topic, ok, fmt.Sprintf("%d subscribers", confirmed))
		}
	}
}
