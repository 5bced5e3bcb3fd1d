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

	"deployhooks/infra/config"
	"deployhooks/test/dynamo"
	"deployhooks/test/region"
)

// The schedules that are deployed: first one that does not come in time to
// help, so that what is repaired was repaired by an event; then the shortest.
const (
	sweepRarely = 60
	sweepOften  = 1
)

// shortVisibility is the visibility timeout, in seconds, for the time of the run. With
// the stack's own six minutes a message takes half an hour to the dead-letter
// queue.
const shortVisibility = "4"

// malformed is an event that was cut off.
const malformed = `{"version":"0","source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"deploymentId":"d-`

// scenario runs the whole scenario, step by step. The hooks, the tenants and the
// templates have nothing to do with one another, and mostly wait.
func (e *environment) scenario(ctx context.Context) error {
	var watch *observer
	t := newTraining(e)
	return e.w.play(ctx, slices.Concat([]step{
		{what: "Prepare what tenants share: an administrator's secret, a hosted zone, a mail domain, a blueprint", do: e.tenants.prepare},
		{what: "Prepare the account for the CDK (cdk bootstrap)", do: e.cloud.bootstrap},
		{what: "Deploy both stacks (cdk deploy), the hooks' sweep once an hour", do: func(ctx context.Context) (string, error) {
			_, err := e.cloud.deploy(ctx, sweepRarely)
			return fmt.Sprintf("%d outputs", len(e.cloud.outputs)), err
		}},
		{what: "Have the region enforce the roles that are deployed", do: e.enforceDeployed},
		{what: "Check that unknown callers are refused", do: e.refuseUnknownCallers},
		{what: "Subscribe to the notifications", do: func(ctx context.Context) (_ string, err error) {
			watch, err = newObserver(ctx, e.cloud)
			return "", err
		}},
		{what: "Prove the deployment as an operator would (make smoke)", do: e.cloud.smoke},
		{together: [][]step{
			e.releases(&watch),
			e.launches(&watch),
			{
				{what: "Have cfn-lint read the templates of every configuration", do: e.cloud.lint},
				{what: "Check that credentials of another account are refused", do: e.cloud.refuseOtherAccount},
				{what: "Deploy the hooks from a bucket as StackSets do, without bootstrap, and remove them (make publish)", do: e.cloud.stackSet},
			},
			t.creation(),
		}},
	}, t.life()), false)
}

// within a minute and a half everything is over that an event begins.
const within = 90 * time.Second

// releases has three services released, and instances of them terminated.
func (e *environment) releases(watch **observer) []step {
	repaired := func(s region.Service, limit time.Duration) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return e.repaired(ctx, s, *watch, limit) }
	}
	drained := func(s region.Service, cause string, limit time.Duration) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return e.drained(ctx, s, cause, *watch, limit) }
	}
	return []step{
		{what: "Begin a blue/green release of three services: events of one by topic, of one by event bus, of one lost", do: e.begin},
		{what: "Finish the release", do: e.finish},
		{what: "Send a malformed event as well", do: e.sendMalformed},
		{what: "The notification on the topic ends in an attached group", do: repaired(e.byTopic, within)},
		{what: "The event on the bus ends in an attached group, both its target groups", do: repaired(e.byEvent, within)},
		{what: "The malformed event ends in the dead-letter queue", do: e.deadLettered},
		{what: "Scale the three services in: events of one by event bus, of one by its hook's own queue, of one lost", do: e.scaleIn},
		{together: [][]step{{
			{what: "The event on the bus ends in a completed lifecycle action", do: drained(e.byTopic, "lifecycle", within)},
			{what: "So does the message of the hook itself", do: drained(e.byEvent, "lifecycle", within)},
		}, {
			{what: "A Spot interruption warning on the bus ends in an instance out of all its target groups", do: func(ctx context.Context) (string, error) {
				return e.interrupted(ctx, e.byEvent, *watch, within)
			}},
			{what: "An AWS Health event on the bus, maintenance to come, ends in a notification", do: func(ctx context.Context) (string, error) {
				return e.announced(ctx, e.byTopic, *watch, within)
			}},
		}}},
		{what: "Deploy the hooks with the sweep every minute", do: e.deploySweep},
		{together: [][]step{{
			{what: "The sweep repairs the service whose events were lost (it comes once a minute)", do: repaired(e.byNothing, 2*within)},
			{what: "Ask repair for its status, as an operator would (aws lambda invoke)", do: e.status},
			{what: "The sweep drains the instance whose events were lost", do: drained(e.byNothing, "sweep", 2*within)},
			{what: "Ask drain for its status", do: e.drainsOver},
		}, {
			{what: "Deploy again", do: e.deployAgain},
			{what: "Run the store's contract against the local cloud's DynamoDB", do: e.contract},
		}}},
	}
}

// launches has a tenant launched, changed and removed.
func (e *environment) launches(watch **observer) []step {
	t := e.tenants
	on := func(do func(context.Context, *observer) (string, error)) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return do(ctx, *watch) }
	}
	return []step{
		{what: "Publish a request, twice: a tenant is launched", do: on(t.launch)},
		{what: "The tenant is active: one can log in to its databases, and its pages answer", do: t.active},
		{what: "Publish a change of a colour: only the files of colours are written", do: on(t.change)},
		{what: "Complete a manual task (aws lambda invoke)", do: t.complete},
		{what: "Publish a request with faults: it is rejected, and its sender notified", do: on(t.refused)},
		{what: "Publish a removal", do: on(t.remove)},
		{what: "Nothing is left of the tenant but what is retained", do: t.retained},
	}
}

// deploySweep deploys the hooks with the shortest schedule, while there is still
// something for the sweep to do.
func (e *environment) deploySweep(ctx context.Context) (string, error) {
	if e.attached(e.byNothing) {
		return "", errors.New("the service without events is attached already, so the sweep proves nothing")
	}
	if e.region.ActiveActions() != 1 {
		return "", errors.New("the instance without events waits no longer, so the sweep proves nothing")
	}
	_, err := e.cloud.deploy(ctx, sweepOften)
	return "", err
}

// refuseUnknownCallers shows that permissions are in force, without which the rest
// would say nothing about the role's.
func (e *environment) refuseUnknownCallers(ctx context.Context) (string, error) {
	unknown := e.cloud.config.Copy()
	unknown.Credentials = credentials.NewStaticCredentialsProvider("AKIASTRANGER00000000", "no", "")
	url := e.cloud.outputs[config.RepairQueueOutput]
	if _, err := sqs.NewFromConfig(unknown).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(malformed)}); err == nil {
		return "", errors.New("a caller whom nobody knows may write to the function's queue")
	}
	return "the queue refuses an unknown caller", nil
}

// begin starts the release and waits until the function has kept the baselines
// of the services whose events it receives.
func (e *environment) begin(ctx context.Context) (string, error) {
	e.release()
	e.region.Advance(5 * time.Second)
	if _, err := e.passOn(ctx); err != nil {
		return "", err
	}
	for _, s := range []region.Service{e.byTopic, e.byEvent} {
		err := eventually(ctx, 30*time.Second, "the function keeps the baseline of "+s.DeploymentGroup, func() (bool, error) { return e.remembered(ctx, s) })
		if err != nil {
			return "", err
		}
	}
	return "the function has kept the baselines", nil
}

// remembered says whether the table has an item of the service.
func (e *environment) remembered(ctx context.Context, s region.Service) (bool, error) {
	out, err := dynamodb.NewFromConfig(e.cloud.config).GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(e.cloud.outputs[config.TableOutput]),
		Key: map[string]dynamodbtypes.AttributeValue{
			"application":     &dynamodbtypes.AttributeValueMemberS{Value: s.Application},
			"deploymentGroup": &dynamodbtypes.AttributeValueMemberS{Value: s.DeploymentGroup},
		},
	})
	return err == nil && len(out.Item) > 0, err
}

// finish lets the deployments succeed, and forwards their events.
func (e *environment) finish(ctx context.Context) (string, error) {
	begin := e.region.Now()
	over := e.region.RunUntil(func() bool {
		return !slices.ContainsFunc(e.services(), func(s region.Service) bool { return !e.region.Deployed(e.deployments[s.DeploymentGroup]) })
	}, time.Hour)
	if !over {
		return "", errors.New("the deployments do not succeed within an hour of virtual time")
	}
	took := e.region.Now().Sub(begin).Round(time.Second)
	e.region.Advance(5 * time.Second) // and the events are out
	for _, s := range e.services() {
		if e.attached(s) {
			return "", fmt.Errorf("%s is attached without the function, so the rest proves nothing", e.green(s))
		}
	}
	passed, err := e.passOn(ctx)
	if err != nil {
		return "", err
	}
	e.passTime(ctx)
	return fmt.Sprintf("%s of virtual time, the new groups have lost their target groups, %d messages passed on", took, passed), nil
}

// repaired waits until a service's group is attached, the function has seen it
// in service, and everybody is notified.
func (e *environment) repaired(ctx context.Context, s region.Service, watch *observer, limit time.Duration) (string, error) {
	begin := time.Now()
	if err := eventually(ctx, limit, e.green(s)+" is attached", func() (bool, error) { return e.attached(s), nil }); err != nil {
		return "", err
	}
	attached := took(begin)
	if err := eventually(ctx, limit, "operators and other systems are notified of "+s.DeploymentGroup, func() (bool, error) { return watch.notifiedOf(s), watch.receive(ctx) }); err != nil {
		return "", fmt.Errorf("%w; notified so far: %s", err, watch.soFar())
	}
	parameter := fmt.Sprintf("/deployhooks/%s/%s/auto-scaling-group", s.Application, s.DeploymentGroup)
	if got := e.region.Parameter(parameter); got != e.green(s) {
		return "", fmt.Errorf("parameter %s is %q, want %q", parameter, got, e.green(s))
	}
	return fmt.Sprintf("attached after %s, then in service, notified by topic and bus, and its name published", attached), nil
}

// sendMalformed sends an event that can never be understood.
func (e *environment) sendMalformed(ctx context.Context) (string, error) {
	queue, url := sqs.NewFromConfig(e.cloud.config), e.cloud.outputs[config.RepairQueueOutput]
	if _, err := queue.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &url, Attributes: map[string]string{string(sqstypes.QueueAttributeNameVisibilityTimeout): shortVisibility},
	}); err != nil {
		return "", err
	}
	_, err := queue.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(malformed)})
	return "with a visibility timeout of " + shortVisibility + " s instead of 6 min, for the sake of time", err
}

// deadLettered waits for the malformed event, and nothing else, in the dead-letter
// queue.
func (e *environment) deadLettered(ctx context.Context) (string, error) {
	queue, url := sqs.NewFromConfig(e.cloud.config), e.cloud.outputs[config.RepairDeadLetterOutput]
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

func (e *environment) deployAgain(ctx context.Context) (string, error) {
	said, err := e.cloud.deploy(ctx, sweepOften)
	if err == nil && strings.Count(said, "(no changes)") != 2 {
		err = fmt.Errorf("the second deployment changes something:\n%s", said)
	}
	return "no changes", err
}

// contract runs the tests that hold every implementation of the tables to the
// same behaviour.
func (e *environment) contract(ctx context.Context) (string, error) {
	env := append([]string{dynamo.Endpoint + "=" + e.cloud.url}, e.cloud.env...)
	said, err := e.w.run(ctx, "contract", env, "go", "test", "-count=1", "-v", "-run", "Contract", "./pkg/store")
	if err != nil {
		return "", err
	}
	if !strings.Contains(said, "/"+e.cloud.url) {
		return "", fmt.Errorf("no contract test ran against %s:\n%s", e.cloud.url, said)
	}
	return "they hold", nil
}

// status asks the function itself.
func (e *environment) status(ctx context.Context) (string, error) {
	var answer []map[string]any
	if err := e.cloud.invoke(ctx, config.RepairFunctionOutput, `{"action":"status"}`, &answer); err != nil {
		return "", err
	}
	if len(answer) != len(e.services()) {
		return "", fmt.Errorf("repair knows of %d deployment groups: %v", len(answer), answer)
	}
	return fmt.Sprintf("%d deployment groups", len(answer)), nil
}

// keep leaves everything running until the user has seen enough.
func (e *environment) keep(ctx context.Context) error {
	e.w.printf("\nEverything works, and keeps running until you press Ctrl-C. In another terminal:\n")
	for _, variable := range e.cloud.env {
		e.w.printf("  export %s", variable)
	}
	for _, name := range simulated() {
		e.w.printf("  export AWS_ENDPOINT_URL_%s=%s", name, e.server.Addr)
	}
	e.w.printf("\n  %s lambda invoke --function-name %s --payload '{\"action\":\"status\"}' /dev/stdout", e.w.tool("aws"), e.cloud.outputs[config.RepairFunctionOutput])
	e.w.printf("  %s autoscaling describe-traffic-sources --auto-scaling-group-name %s", e.w.tool("aws"), e.green(e.byTopic))
	<-ctx.Done()
	return nil
}
