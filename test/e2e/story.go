package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"deployhooks/infra/config"
	"deployhooks/test/dynamo"
	"deployhooks/test/region"
)

// The schedules that are deployed: first one that does not come in time to
// help, so that what is repaired was repaired by an event; then the shortest.
const (
	seldom = 60
	often  = 1
)

// hasty is the visibility timeout, in seconds, for the time of the run. With
// the stack's own six minutes a message takes half an hour to the dead-letter
// queue.
const hasty = "4"

// malformed is an event that was cut off.
const malformed = `{"version":"0","source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"deploymentId":"d-`

// story tells, and proves, what the hooks are for.
func (p *place) story(ctx context.Context) error {
	var watch *observer
	chapters := []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"Prepare the account for the CDK (cdk bootstrap)", p.cloud.bootstrap},
		{"Deploy the hooks (cdk deploy), the sweep once an hour", func(ctx context.Context) (string, error) {
			_, err := p.cloud.deploy(ctx, seldom)
			return fmt.Sprintf("%d outputs", len(p.cloud.outputs)), err
		}},
		{"Have cfn-lint read the template", p.cloud.lint},
		{"See that strangers are kept out", p.refuseStrangers},
		{"Subscribe to the notices", func(ctx context.Context) (_ string, err error) {
			watch, err = newObserver(ctx, p.cloud)
			return "", err
		}},
		{"Begin a blue/green release of three services: one tells by topic, one by event bus, one by nothing", p.begin},
		{"Finish the release", p.finish},
		{"Send a malformed event as well", p.sendMalformed},
		{"The notification on the topic ends in an attached group", func(ctx context.Context) (string, error) { return p.repaired(ctx, p.byTopic, watch, 90*time.Second) }},
		{"The event on the bus ends in an attached group, both its target groups", func(ctx context.Context) (string, error) { return p.repaired(ctx, p.byEvent, watch, 90*time.Second) }},
		{"The malformed event ends in the dead-letter queue", p.givenUp},
		{"Scale the three services in: one tells by event bus, one by its hook's own queue, one by nothing", p.scaleIn},
		{"The event on the bus ends in a completed lifecycle action", func(ctx context.Context) (string, error) {
			return p.drained(ctx, p.byTopic, "lifecycle", watch, 90*time.Second)
		}},
		{"So does the message of the hook itself", func(ctx context.Context) (string, error) {
			return p.drained(ctx, p.byEvent, "lifecycle", watch, 90*time.Second)
		}},
		{"A Spot interruption warning on the bus ends in an instance out of all its target groups", func(ctx context.Context) (string, error) {
			return p.interrupted(ctx, p.byEvent, watch, 90*time.Second)
		}},
		{"Word of AWS Health on the bus, of maintenance to come, ends in a notice", func(ctx context.Context) (string, error) {
			return p.announced(ctx, p.byTopic, watch, 90*time.Second)
		}},
		{"Deploy the hooks with the sweep every minute", func(ctx context.Context) (string, error) {
			if p.attached(p.byNothing) {
				return "", errors.New("the service without events is attached already, so the sweep proves nothing")
			}
			if p.region.ActiveActions() != 1 {
				return "", errors.New("the instance without events waits no more, so the sweep proves nothing")
			}
			_, err := p.cloud.deploy(ctx, often)
			return "", err
		}},
		{"Deploy again", p.deployAgain},
		{"Hold the local cloud's DynamoDB to the contracts of the tables", p.contract},
		{"The sweep repairs the service whose events were lost (it comes once a minute)", func(ctx context.Context) (string, error) { return p.repaired(ctx, p.byNothing, watch, 3*time.Minute) }},
		{"Ask repair for the state of things, as an operator would (aws lambda invoke)", p.status},
		{"The sweep takes up the instance whose events were lost", func(ctx context.Context) (string, error) {
			return p.drained(ctx, p.byNothing, "sweep", watch, 3*time.Minute)
		}},
		{"Ask drain for the state of things", p.drainsOver},
	}
	for _, c := range chapters {
		if err := p.w.step(c.what, func() (string, error) { return c.do(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// refuseStrangers shows that permissions are in force, without which the rest
// would say nothing about the role's.
func (p *place) refuseStrangers(ctx context.Context) (string, error) {
	stranger := p.cloud.config.Copy()
	stranger.Credentials = credentials.NewStaticCredentialsProvider("AKIASTRANGER00000000", "no", "")
	url := p.cloud.outputs[config.RepairQueueOutput]
	if _, err := sqs.NewFromConfig(stranger).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(malformed)}); err == nil {
		return "", errors.New("a caller whom nobody knows may write to the function's queue")
	}
	return "the queue refuses an unknown caller", nil
}

// begin starts the release and waits until the function has kept the baselines
// of the services that it hears of.
func (p *place) begin(ctx context.Context) (string, error) {
	p.release()
	p.region.Advance(5 * time.Second)
	if _, err := p.passOn(ctx); err != nil {
		return "", err
	}
	for _, s := range []region.Service{p.byTopic, p.byEvent} {
		err := eventually(ctx, 30*time.Second, "the function keeps the baseline of "+s.DeploymentGroup, func() (bool, error) { return p.remembered(ctx, s) })
		if err != nil {
			return "", err
		}
	}
	return "the function has kept the baselines", nil
}

// remembered says whether the table has an item of the service.
func (p *place) remembered(ctx context.Context, s region.Service) (bool, error) {
	out, err := dynamodb.NewFromConfig(p.cloud.config).GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(p.cloud.outputs[config.TableOutput]),
		Key: map[string]dynamodbtypes.AttributeValue{
			"application":     &dynamodbtypes.AttributeValueMemberS{Value: s.Application},
			"deploymentGroup": &dynamodbtypes.AttributeValueMemberS{Value: s.DeploymentGroup},
		},
	})
	return err == nil && len(out.Item) > 0, err
}

// finish lets the deployments succeed, and passes their words on.
func (p *place) finish(ctx context.Context) (string, error) {
	begin := p.region.Now()
	over := p.region.RunUntil(func() bool {
		return !slices.ContainsFunc(p.services(), func(s region.Service) bool { return !p.region.Deployed(p.deployments[s.DeploymentGroup]) })
	}, time.Hour)
	if !over {
		return "", errors.New("the deployments do not succeed within an hour of virtual time")
	}
	took := p.region.Now().Sub(begin).Round(time.Second)
	p.region.Advance(5 * time.Second) // and the events are out
	for _, s := range p.services() {
		if p.attached(s) {
			return "", fmt.Errorf("%s is attached without our help, so the rest proves nothing", p.green(s))
		}
	}
	passed, err := p.passOn(ctx)
	if err != nil {
		return "", err
	}
	p.passTime(ctx)
	return fmt.Sprintf("%s of virtual time, the new groups have lost their target groups, %d messages passed on", took, passed), nil
}

// repaired waits until a service's group is attached, the function has seen it
// in service, and everybody is told.
func (p *place) repaired(ctx context.Context, s region.Service, watch *observer, limit time.Duration) (string, error) {
	begin := time.Now()
	if err := eventually(ctx, limit, p.green(s)+" is attached", func() (bool, error) { return p.attached(s), nil }); err != nil {
		return "", err
	}
	attached := took(begin)
	if err := eventually(ctx, limit, "people and systems are told of "+s.DeploymentGroup, func() (bool, error) { return watch.toldOf(s), watch.look(ctx) }); err != nil {
		return "", fmt.Errorf("%w; told so far: %v, %v", err, watch.mails, watch.events)
	}
	parameter := fmt.Sprintf("/deployhooks/%s/%s/auto-scaling-group", s.Application, s.DeploymentGroup)
	if got := p.region.Parameter(parameter); got != p.green(s) {
		return "", fmt.Errorf("parameter %s is %q, want %q", parameter, got, p.green(s))
	}
	return fmt.Sprintf("attached after %s, then in service, told by topic and bus, and its name published", attached), nil
}

// sendMalformed sends an event that can never be understood.
func (p *place) sendMalformed(ctx context.Context) (string, error) {
	queue, url := sqs.NewFromConfig(p.cloud.config), p.cloud.outputs[config.RepairQueueOutput]
	if _, err := queue.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &url, Attributes: map[string]string{string(sqstypes.QueueAttributeNameVisibilityTimeout): hasty},
	}); err != nil {
		return "", err
	}
	_, err := queue.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(malformed)})
	return "with a visibility timeout of " + hasty + " s instead of 6 min, for the sake of time", err
}

// givenUp waits for the malformed event, and nothing else, in the dead-letter
// queue.
func (p *place) givenUp(ctx context.Context) (string, error) {
	queue, url := sqs.NewFromConfig(p.cloud.config), p.cloud.outputs[config.RepairDeadLetterOutput]
	var found []string
	err := eventually(ctx, 90*time.Second, "the malformed event is in the dead-letter queue", func() (bool, error) {
		out, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
		if err != nil {
			return false, err
		}
		for _, m := range out.Messages {
			found = append(found, aws.ToString(m.Body))
		}
		return len(found) > 0, nil
	})
	if err != nil {
		return "", err
	}
	if len(found) != 1 || found[0] != malformed {
		return "", fmt.Errorf("the dead-letter queue holds %q", found)
	}
	return "it and nothing else", nil
}

func (p *place) deployAgain(ctx context.Context) (string, error) {
	said, err := p.cloud.deploy(ctx, often)
	if err == nil && !strings.Contains(said, "(no changes)") {
		err = fmt.Errorf("the second deployment changes something:\n%s", said)
	}
	return "no changes", err
}

// contract runs the tests that hold every implementation of the tables to the
// same behaviour.
func (p *place) contract(ctx context.Context) (string, error) {
	env := append([]string{dynamo.Endpoint + "=" + p.cloud.url}, p.cloud.env...)
	for _, function := range functions() {
		said, err := p.w.run(ctx, "contract", env, "go", "test", "-count=1", "-v", "-run", "Contract", "./pkg/"+function)
		if err != nil {
			return "", err
		}
		if !strings.Contains(said, "/"+p.cloud.url) {
			return "", fmt.Errorf("no contract test of %s ran against %s:\n%s", function, p.cloud.url, said)
		}
	}
	return "they hold", nil
}

// status asks the function itself.
func (p *place) status(ctx context.Context) (string, error) {
	var answer []map[string]any
	if err := p.cloud.invoke(ctx, config.RepairFunctionOutput, `{"action":"status"}`, &answer); err != nil {
		return "", err
	}
	if len(answer) != len(p.services()) {
		return "", fmt.Errorf("repair knows of %d deployment groups: %v", len(answer), answer)
	}
	return fmt.Sprintf("%d deployment groups", len(answer)), nil
}

// destroy removes the stack and sees what is left.
func (p *place) destroy(ctx context.Context) error {
	err := p.w.step("Remove the hooks (cdk destroy)", func() (string, error) {
		_, err := p.cloud.cdk(ctx, "destroy", "destroy", "--force")
		return "", err
	})
	if err != nil {
		return err
	}
	return p.w.step("See what is left of them", func() (string, error) {
		left, err := p.left(ctx)
		if err != nil {
			return "", err
		}
		want := "table " + p.cloud.outputs[config.TableOutput]
		if len(left) != 1 || left[0] != want {
			return "", fmt.Errorf("%v is left; only the %s is meant to be", left, want)
		}
		return "the " + want + ", on purpose, and nothing else", nil
	})
}

// left lists everything in the account that bears the stack's name.
func (p *place) left(ctx context.Context) ([]string, error) {
	kinds := []struct {
		kind, query string
		list        []string
	}{
		{"stack", "Stacks[].StackName", []string{"cloudformation", "describe-stacks"}},
		{"queue", "QueueUrls", []string{"sqs", "list-queues"}},
		{"topic", "Topics[].TopicArn", []string{"sns", "list-topics"}},
		{"subscription", "Subscriptions[].TopicArn", []string{"sns", "list-subscriptions"}},
		{"rule", "Rules[].Name", []string{"events", "list-rules"}},
		{"schedule", "Schedules[].Name", []string{"scheduler", "list-schedules"}},
		{"function", "Functions[].FunctionName", []string{"lambda", "list-functions"}},
		{"event source mapping", "EventSourceMappings[].EventSourceArn", []string{"lambda", "list-event-source-mappings"}},
		{"log group", "logGroups[].logGroupName", []string{"logs", "describe-log-groups"}},
		{"alarm", "MetricAlarms[].AlarmName", []string{"cloudwatch", "describe-alarms"}},
		{"dashboard", "DashboardEntries[].DashboardName", []string{"cloudwatch", "list-dashboards"}},
		{"role", "Roles[].RoleName", []string{"iam", "list-roles"}},
		{"table", "TableNames", []string{"dynamodb", "list-tables"}},
	}
	found := make([][]string, len(kinds))
	var all errgroup.Group
	all.SetLimit(4)
	for i, k := range kinds {
		all.Go(func() error { return p.cloud.aws(ctx, &found[i], append(k.list, "--query", k.query)...) })
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	var left []string
	for i, k := range kinds {
		for _, name := range found[i] {
			if strings.Contains(name, config.HooksName) {
				left = append(left, k.kind+" "+name)
			}
		}
	}
	return left, nil
}

// keep leaves everything running until the user has seen enough.
func (p *place) keep(ctx context.Context) error {
	p.w.say("\nAll of it works, and goes on running until you press Ctrl-C. In another terminal:\n")
	for _, variable := range p.cloud.env {
		p.w.say("  export %s", variable)
	}
	for _, name := range simulated() {
		p.w.say("  export AWS_ENDPOINT_URL_%s=%s", name, p.server.Addr)
	}
	p.w.say("\n  %s lambda invoke --function-name %s --payload '{\"action\":\"status\"}' /dev/stdout", p.w.tool("aws"), p.cloud.outputs[config.RepairFunctionOutput])
	p.w.say("  %s autoscaling describe-traffic-sources --auto-scaling-group-name %s", p.w.tool("aws"), p.green(p.byTopic))
	<-ctx.Done()
	return nil
}
