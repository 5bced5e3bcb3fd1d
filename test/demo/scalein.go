package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// partners is a target group that the Auto Scaling group does not know.
const partners = "partners"

// bank is the service of the scenario. A tag of its group names the
// other target group of its instances.
var bank = region.Service{
	Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 6,
	Tags: map[string]string{"deployhooks:drain-target-groups": partners},
}

// scaleIn is the scenario of a scale-in and of a Spot interruption.
func scaleIn(ctx context.Context, build string, log io.Writer) (Scenario, error) {
	scenario := Scenario{
		Name:  "scaleIn",
		Title: "A quiet minute, and a Spot interruption",
		Lead: "The instances of shop/web also answer partners, on a port and in a target group that their Auto Scaling group knows nothing of. " +
			"The group shrinks by two instances; later EC2 takes a Spot instance back, with two minutes' notice.",
	}
	say("\nA scale-in and a Spot interruption, first without the hooks:")
	s, err := newScaleIn()
	if err != nil {
		return scenario, err
	}
	if err := s.playScaleIn(); err != nil {
		return scenario, err
	}
	scenario.Without = s.finish()
	scenario.Without.Note = "Why requests fail: Auto Scaling deregisters a terminating instance only from the target groups it knows, and nothing deregisters a Spot instance before EC2 interrupts it."
	say("  %d of %d requests failed.\n", scenario.Without.Failed, scenario.Without.Requests)

	say("The same, with the drain function:")
	if s, err = newScaleIn(); err != nil {
		return scenario, err
	}
	if err := s.addHook(ctx); err != nil {
		return scenario, err
	}
	_, stop, err := s.add(ctx, hooks.Drain, build, log)
	if err != nil {
		return scenario, err
	}
	err = s.playScaleIn()
	stop()
	if err != nil {
		return scenario, err
	}
	scenario.With = s.finish()
	scenario.With.Note = "Each leaving instance is deregistered from both target groups, finishes its requests, and terminates."
	scenario.With.Calls = int(s.calls.Load())
	say("  %d of %d requests failed.", scenario.With.Failed, scenario.With.Requests)
	return scenario, nil
}

// newScaleIn opens a region in which another tool has registered the instances
// in the partners' target group.
func newScaleIn() (*simulation, error) {
	s := newSimulation(say, bank)
	arn := s.AddTargetGroup(region.TargetGroup{Name: partners, Port: 8080})
	var targets []elbtypes.TargetDescription
	for _, id := range s.InService(s.GroupOf(s.svc)) {
		targets = append(targets, elbtypes.TargetDescription{Id: &id, Port: aws.Int32(8080)})
	}
	if _, err := s.ELBV2().RegisterTargets(context.Background(), &elb.RegisterTargetsInput{TargetGroupArn: &arn, Targets: targets}); err != nil {
		return nil, err
	}
	if err := s.play(30); err != nil {
		return nil, err
	}
	s.addUsers(partners)
	return s, nil
}

// addHook puts the lifecycle hook that the drain function completes on the group.
func (s *simulation) addHook(ctx context.Context) error {
	_, err := s.AutoScaling().PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(s.GroupOf(s.svc)), LifecycleHookName: aws.String("deployhooks-drain"),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), HeartbeatTimeout: aws.Int32(900), DefaultResult: aws.String("CONTINUE"),
	})
	return err
}

// playScaleIn plays the scenario.
func (s *simulation) playScaleIn() error {
	group := s.GroupOf(s.svc)
	if err := s.play(10); err != nil {
		return err
	}
	s.mark(false, "less load: the group shrinks to four")
	s.Scale(group, 4)
	if err := s.play(70); err != nil {
		return err
	}
	running := s.InService(group)
	if len(running) != 4 {
		return fmt.Errorf("%d instances are in service after the scale-in, not 4", len(running))
	}
	s.mark(false, "EC2 warns: a Spot instance will be interrupted in two minutes")
	s.InterruptSpot(running[0])
	if err := s.play(120); err != nil {
		return err
	}
	s.mark(false, "EC2 terminates the instance")
	return s.play(int((45 * time.Second).Seconds()))
}
