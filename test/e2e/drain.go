package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/events"
	"deployhooks/infra/config"
	"deployhooks/test/region"
)

const (
	// unattached is a target group that the instances are registered in and
	// their Auto Scaling groups do not know of.
	unattached = "admin"
	// shutdown is what instances run before they go, and goodbye what that
	// writes.
	shutdown = "systemctl stop app"
	goodbye  = "app stopped"
	// hookQueue is a queue, in the region, that a lifecycle hook notifies. What
	// comes there is sent to the real queue of the stack.
	hookQueue = "hook"
	// terminateHook is on every group, as the README says to put it there, but
	// with the longest timeout: the region's clock is fast, and the last of the
	// instances has to wait for a deployment of the stack.
	terminateHook    = "deployhooks-drain"
	heartbeatSeconds = 7200
)

// addUnattached makes the target group and has the shutdown command say
// something.
func (p *place) addUnattached() {
	p.region.AddTargetGroup(region.TargetGroup{Name: unattached})
	p.region.Queue(hookQueue).Deaf()
	p.region.OnCommand(func(region.CommandRun) region.CommandResult { return region.CommandResult{Output: goodbye} })
}

// scaleIn has every service lose an instance that is in a target group which
// its Auto Scaling group does not know of, and that a hook holds.
func (p *place) scaleIn(ctx context.Context) (string, error) {
	for _, s := range p.services() {
		hook := &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: aws.String(p.green(s)), LifecycleHookName: aws.String(terminateHook),
			LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"), HeartbeatTimeout: aws.Int32(heartbeatSeconds),
		}
		if s.DeploymentGroup == p.byEvent.DeploymentGroup {
			hook.NotificationTargetARN = aws.String(p.region.Queue(hookQueue).ARN())
			hook.RoleARN = aws.String("arn:aws:iam::" + region.Account + ":role/hook")
		}
		if _, err := p.region.AutoScaling().PutLifecycleHook(ctx, hook); err != nil {
			return "", err
		}
		for _, instance := range p.region.InService(p.green(s)) {
			p.region.Register(unattached, instance, 8080)
		}
		p.region.Scale(p.green(s), len(p.region.InService(p.green(s)))-1)
	}
	err := eventually(ctx, time.Minute, "every service has an instance that waits, and a hook has told its queue", func() (bool, error) {
		told := slices.ContainsFunc(p.region.Queue(hookQueue).Messages(), func(m region.Message) bool { return strings.Contains(m.Body, "EC2_INSTANCE_TERMINATING") })
		return told && p.region.ActiveActions() == len(p.services()), nil
	})
	if err != nil {
		return "", err
	}
	for _, s := range p.services() {
		if a, _ := p.leaving(s); p.region.Health(unattached)[a.Instance] == "" {
			return "", fmt.Errorf("%s has left %s without our help, so the rest proves nothing", a.Instance, unattached)
		}
	}
	passed, err := p.passOn(ctx)
	return fmt.Sprintf("each is still in a target group that its group does not know of; %d messages passed on", passed), err
}

// leaving is the lifecycle action of the instance that a service loses.
func (p *place) leaving(s region.Service) (region.LifecycleAction, bool) {
	all := p.region.LifecycleActions()
	i := slices.IndexFunc(all, func(a region.LifecycleAction) bool { return a.Group == p.green(s) && a.Hook == terminateHook })
	if i < 0 {
		return region.LifecycleAction{}, false
	}
	return all[i], true
}

// drained waits until a service's instance is let go, and sees that it went as
// it should and for that cause.
func (p *place) drained(ctx context.Context, s region.Service, cause string, watch *observer, limit time.Duration) (string, error) {
	begin := time.Now()
	err := eventually(ctx, limit, "the lifecycle action of "+p.green(s)+" is completed", func() (bool, error) {
		a, ok := p.leaving(s)
		return ok && a.Ending != region.Active, nil
	})
	if err != nil {
		return "", err
	}
	completed := took(begin)
	a, _ := p.leaving(s)
	if a.Ending != region.Completed || a.Result != "CONTINUE" {
		return "", fmt.Errorf("the lifecycle action of %s ended by itself: %s, %s", a.Instance, a.Ending, a.Result)
	}
	if state := p.region.Health(unattached)[a.Instance]; state != "" {
		return "", fmt.Errorf("%s was let go and is %s in %s", a.Instance, state, unattached)
	}
	if err := p.saidGoodbye(ctx, s, a.Instance, cause, watch, limit); err != nil {
		return "", err
	}
	return fmt.Sprintf("out of %s, the command run once, the action completed after %s, told by topic and bus", unattached, completed), nil
}

// saidGoodbye waits until everybody is told that an instance of a service is
// drained, and why, and sees that it has run its command once.
func (p *place) saidGoodbye(ctx context.Context, s region.Service, instance, cause string, watch *observer, limit time.Duration) error {
	err := eventually(ctx, limit, "people and systems are told of "+instance+", drained because of "+cause, func() (bool, error) {
		return watch.toldOfEnd(p.green(s), instance, cause), watch.look(ctx)
	})
	if err != nil {
		return fmt.Errorf("%w; told so far: %v, %v", err, watch.mails, watch.events)
	}
	var ran int
	for _, run := range p.region.CommandRuns() {
		if run.Instance == instance && strings.Join(run.Parameters["commands"], "\n") == shutdown {
			ran++
		}
	}
	if ran != 1 {
		return fmt.Errorf("%s ran the shutdown command %d times", instance, ran)
	}
	return nil
}

// interrupted warns of the end of an instance in service, which no hook holds,
// and sees that it leaves every target group. Its end does not come: that would
// take it out as well.
func (p *place) interrupted(ctx context.Context, s region.Service, watch *observer, limit time.Duration) (string, error) {
	instance := p.region.InService(p.green(s))[0]
	all := append([]string{unattached}, s.TargetGroups...)
	in := func() []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return p.region.Health(name)[instance] == "" })
	}
	if len(in()) != len(all) {
		return "", fmt.Errorf("%s is only in %v before the warning, so the rest proves nothing", instance, in())
	}
	begin := time.Now()
	if err := p.replay(ctx, "ec2-eventbridge-spot-interruption", instance); err != nil {
		return "", err
	}
	if err := eventually(ctx, limit, instance+" is out of every target group", func() (bool, error) { return len(in()) == 0, nil }); err != nil {
		return "", err
	}
	out := took(begin)
	if !slices.Contains(p.region.InService(p.green(s)), instance) {
		return "", fmt.Errorf("%s is gone, so the rest proves nothing", instance)
	}
	if err := p.saidGoodbye(ctx, s, instance, "spot", watch, limit); err != nil {
		return "", err
	}
	return fmt.Sprintf("out of %s after %s, the command run once, told by topic and bus", strings.Join(all, ", "), out), nil
}

// announced announces maintenance of an instance and waits until everybody is
// told.
func (p *place) announced(ctx context.Context, s region.Service, watch *observer, limit time.Duration) (string, error) {
	instance := p.region.InService(p.green(s))[0]
	if err := p.replay(ctx, "health-eventbridge-scheduled-change", instance); err != nil {
		return "", err
	}
	err := eventually(ctx, limit, "people and systems are told of the maintenance of "+instance, func() (bool, error) {
		return watch.toldOfMaintenance(instance, "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED"), watch.look(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("%w; told so far: %v, %v", err, watch.mails, watch.events)
	}
	return "told by topic and bus", nil
}

// recordedInstance is the instance that the recorded events are about.
const recordedInstance = "i-0a1b2c3d4e5f60718"

// replay puts a recorded event on the bus, with another instance put in.
func (p *place) replay(ctx context.Context, name, instance string) error {
	payload, err := events.Read(name)
	if err != nil {
		return err
	}
	return p.cloud.putEvent(ctx, bytes.ReplaceAll(payload, []byte(recordedInstance), []byte(instance)))
}

// drainsOver asks the function itself whether anything is left under way.
func (p *place) drainsOver(ctx context.Context) (string, error) {
	var answer []map[string]any
	if err := p.cloud.invoke(ctx, config.DrainFunctionOutput, `{"action":"status"}`, &answer); err != nil {
		return "", err
	}
	if len(answer) > 0 {
		return "", fmt.Errorf("drains are still under way: %v", answer)
	}
	if p.region.ActiveActions() > 0 {
		return "", errors.New("an instance still waits")
	}
	return "nothing under way", nil
}
