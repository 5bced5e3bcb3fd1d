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
	// shutdown is the command that instances run before they terminate, and
	// shutdownOutput what it writes.
	shutdown       = "systemctl stop app"
	shutdownOutput = "app stopped"
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
func (e *environment) addUnattached() {
	e.region.AddTargetGroup(region.TargetGroup{Name: unattached})
	e.region.Queue(hookQueue).WithoutEvents()
	e.region.OnCommand(func(region.CommandRun) region.CommandResult { return region.CommandResult{Output: shutdownOutput} })
}

// scaleIn has every service terminate an instance that is in a target group which
// its Auto Scaling group does not know of, and that a hook holds.
func (e *environment) scaleIn(ctx context.Context) (string, error) {
	for _, s := range e.services() {
		hook := &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: aws.String(e.green(s)), LifecycleHookName: aws.String(terminateHook),
			LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"), HeartbeatTimeout: aws.Int32(heartbeatSeconds),
		}
		if s.DeploymentGroup == e.byEvent.DeploymentGroup {
			hook.NotificationTargetARN = aws.String(e.region.Queue(hookQueue).ARN())
			hook.RoleARN = aws.String("arn:aws:iam::" + region.Account + ":role/hook")
		}
		if _, err := e.region.AutoScaling().PutLifecycleHook(ctx, hook); err != nil {
			return "", err
		}
		for _, instance := range e.region.InService(e.green(s)) {
			e.region.Register(unattached, instance, 8080)
		}
		e.region.Scale(e.green(s), len(e.region.InService(e.green(s)))-1)
	}
	err := eventually(ctx, time.Minute, "every service has an instance that waits, and a hook has notified its queue", func() (bool, error) {
		notified := slices.ContainsFunc(e.region.Queue(hookQueue).Messages(), func(m region.Message) bool { return strings.Contains(m.Body, "EC2_INSTANCE_TERMINATING") })
		return notified && e.region.ActiveActions() == len(e.services()), nil
	})
	if err != nil {
		return "", err
	}
	for _, s := range e.services() {
		if a, _ := e.leaving(s); e.region.Health(unattached)[a.Instance] == "" {
			return "", fmt.Errorf("%s has left %s without the function, so the rest proves nothing", a.Instance, unattached)
		}
	}
	passed, err := e.passOn(ctx)
	return fmt.Sprintf("each is still in a target group that its group does not know of; %d messages passed on", passed), err
}

// leaving is the lifecycle action of the instance that a service loses.
func (e *environment) leaving(s region.Service) (region.LifecycleAction, bool) {
	all := e.region.LifecycleActions()
	i := slices.IndexFunc(all, func(a region.LifecycleAction) bool { return a.Group == e.green(s) && a.Hook == terminateHook })
	if i < 0 {
		return region.LifecycleAction{}, false
	}
	return all[i], true
}

// drained waits until the lifecycle action of a service's instance is completed, and
// checks how, and for which cause.
func (e *environment) drained(ctx context.Context, s region.Service, cause string, watch *observer, limit time.Duration) (string, error) {
	begin := time.Now()
	err := eventually(ctx, limit, "the lifecycle action of "+e.green(s)+" is completed", func() (bool, error) {
		a, ok := e.leaving(s)
		return ok && a.Ending != region.Active, nil
	})
	if err != nil {
		return "", err
	}
	completed := took(begin)
	a, _ := e.leaving(s)
	if a.Ending != region.Completed || a.Result != "CONTINUE" {
		return "", fmt.Errorf("the lifecycle action of %s ended by itself: %s, %s", a.Instance, a.Ending, a.Result)
	}
	if state := e.region.Health(unattached)[a.Instance]; state != "" {
		return "", fmt.Errorf("%s was released while it is %s in %s", a.Instance, state, unattached)
	}
	if err := e.notifiedOfDrain(ctx, s, a.Instance, cause, watch, limit); err != nil {
		return "", err
	}
	return fmt.Sprintf("out of %s, the command run once, the action completed after %s, notified by topic and bus", unattached, completed), nil
}

// notifiedOfDrain waits until everybody is notified that an instance of a service is
// drained, and why, and sees that it has run its command once.
func (e *environment) notifiedOfDrain(ctx context.Context, s region.Service, instance, cause string, watch *observer, limit time.Duration) error {
	err := eventually(ctx, limit, "operators and other systems are notified of "+instance+", drained because of "+cause, func() (bool, error) {
		return watch.notifiedOfEnd(e.green(s), instance, cause), watch.receive(ctx)
	})
	if err != nil {
		return fmt.Errorf("%w; notified so far: %s", err, watch.soFar())
	}
	var ran int
	for _, run := range e.region.CommandRuns() {
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
func (e *environment) interrupted(ctx context.Context, s region.Service, watch *observer, limit time.Duration) (string, error) {
	instance := e.region.InService(e.green(s))[0]
	all := append([]string{unattached}, s.TargetGroups...)
	in := func() []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return e.region.Health(name)[instance] == "" })
	}
	if len(in()) != len(all) {
		return "", fmt.Errorf("%s is only in %v before the warning, so the rest proves nothing", instance, in())
	}
	begin := time.Now()
	if err := e.replay(ctx, "ec2-eventbridge-spot-interruption", instance); err != nil {
		return "", err
	}
	if err := eventually(ctx, limit, instance+" is out of every target group", func() (bool, error) { return len(in()) == 0, nil }); err != nil {
		return "", err
	}
	out := took(begin)
	if !slices.Contains(e.region.InService(e.green(s)), instance) {
		return "", fmt.Errorf("%s is gone, so the rest proves nothing", instance)
	}
	if err := e.notifiedOfDrain(ctx, s, instance, "spot", watch, limit); err != nil {
		return "", err
	}
	return fmt.Sprintf("out of %s after %s, the command run once, notified by topic and bus", strings.Join(all, ", "), out), nil
}

// announced announces maintenance of an instance and waits until everybody is
// notified.
func (e *environment) announced(ctx context.Context, s region.Service, watch *observer, limit time.Duration) (string, error) {
	instance := e.region.InService(e.green(s))[0]
	if err := e.replay(ctx, "health-eventbridge-scheduled-change", instance); err != nil {
		return "", err
	}
	err := eventually(ctx, limit, "operators and other systems are notified of the maintenance of "+instance, func() (bool, error) {
		return watch.announcedMaintenance(instance, "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED"), watch.receive(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("%w; notified so far: %s", err, watch.soFar())
	}
	return "notified by topic and bus", nil
}

// recordedInstance is the instance that the recorded events are about.
const recordedInstance = "i-0a1b2c3d4e5f60718"

// replay puts a recorded event on the bus, with another instance put in.
func (e *environment) replay(ctx context.Context, name, instance string) error {
	payload, err := events.Read(name)
	if err != nil {
		return err
	}
	return e.cloud.putEvent(ctx, bytes.ReplaceAll(payload, []byte(recordedInstance), []byte(instance)))
}

// drainsOver asks the function itself whether a drain is still open.
func (e *environment) drainsOver(ctx context.Context) (string, error) {
	var answer []map[string]any
	if err := e.cloud.invoke(ctx, config.DrainFunctionOutput, `{"action":"status"}`, &answer); err != nil {
		return "", err
	}
	if len(answer) > 0 {
		return "", fmt.Errorf("drains are still open: %v", answer)
	}
	if e.region.ActiveActions() > 0 {
		return "", errors.New("an instance still waits")
	}
	return "no drain is open", nil
}
