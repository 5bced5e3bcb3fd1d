package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"deployhooks/pkg/repair"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// shop is the service of the scenario.
var shop = region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4}

// blueGreen is the scenario of a release, a scale-out after it, and a scale-in
// after that.
func blueGreen(ctx context.Context, build string, log io.Writer) (Scenario, error) {
	scenario := Scenario{
		Name:  "blueGreen",
		Title: "A release, a busy minute, a quiet minute",
		Lead: "CodeDeploy releases shop/web blue/green by copying its Auto Scaling group. The copy comes out attached to no target group. " +
			"Later the load rises and the group grows by two instances; then it falls and the group shrinks by two.",
	}
	say("A release with a scale-out and a scale-in after it, first without the hooks:")
	s := newStage(say, shop)
	err := s.playRelease()
	if err != nil {
		return scenario, err
	}
	scenario.Without = s.finish()
	scenario.Without.Note = "Why requests fail: the copy is attached to no target group, so Auto Scaling ends instances that the load balancer still sends requests to. " +
		"The two yellow instances of the scale-out are paid for and never get a request."
	say("  %d of %d requests failed.\n", scenario.Without.Failed, scenario.Without.Requests)

	say("The same, with the repair function listening:")
	s = newStage(say, shop)
	stop, err := s.addRepair(ctx, build, log)
	if err != nil {
		return scenario, err
	}
	err = s.playRelease()
	stop()
	if err != nil {
		return scenario, err
	}
	scenario.With = s.finish()
	scenario.With.Note = "The target group is attached within seconds of the release's success. The notice comes after the first requeue, 15 seconds later, when it is found in service."
	scenario.With.Calls = int(s.calls.Load())
	if scenario.With.Changes, err = s.changes(); err != nil {
		return scenario, err
	}
	say("  %d of %d requests failed.", scenario.With.Failed, scenario.With.Requests)
	for _, c := range scenario.With.Changes {
		say("  The hooks did: %s.", c)
	}
	return scenario, nil
}

// playRelease lets the scenario happen.
func (s *stage) playRelease() error {
	if err := s.play(5); err != nil {
		return err
	}
	s.mark(false, "CodeDeploy copies the group and installs the new version")
	id := s.Deploy(s.svc, region.Deployment{})
	for !s.Deployed(id) {
		if s.second() > 120 {
			return fmt.Errorf("the release is stuck in stage %s", s.StageOf(id))
		}
		if err := s.play(1); err != nil {
			return err
		}
	}
	s.mark(false, "the release has succeeded, the copy serves")
	if err := s.play(30); err != nil {
		return err
	}
	s.mark(false, "more load: the group grows to six")
	s.Scale(s.GroupOf(s.svc), 6)
	if err := s.play(45); err != nil {
		return err
	}
	s.mark(false, "less load: the group shrinks to four")
	s.Scale(s.GroupOf(s.svc), 4)
	return s.play(max(180-s.second(), 30))
}

// addRepair starts the built function, and leads CodeDeploy's events to it by
// its queue, in the recorded form.
func (s *stage) addRepair(ctx context.Context, build string, log io.Writer) (stop func(), err error) {
	queue, stop, err := s.add(ctx, hooks.Repair, build, log)
	if err != nil {
		return nil, err
	}
	queue.WithoutEvents()
	s.OnEvent(func(sent []byte) {
		if payload, err := recorded(sent); err == nil { // other services' events are not for us
			queue.Send(string(payload))
		}
	})
	return stop, nil
}

// changes are what the hooks notified other systems of having done.
func (s *stage) changes() ([]string, error) {
	var all []string
	for _, e := range s.Events("default") {
		var result repair.Result
		if err := json.Unmarshal([]byte(e.Detail), &result); err != nil {
			return nil, fmt.Errorf("an event of the hooks: %w", err)
		}
		for _, c := range result.Changes {
			all = append(all, c.String())
		}
	}
	return all, nil
}
