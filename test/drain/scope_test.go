package drain

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/test/region"
)

// TestScope plays a scale-in and a Spot interruption in Auto Scaling groups with
// several tags and hooks, which the configuration puts in scope or out of it. What
// is out of scope is left alone, its lifecycle action too: another installation may
// be there for the groups of another tag. A group that has opted out is in scope: its
// actions are completed at once, without draining.
func TestScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env    settings
		tags   map[string]string
		hook   string
		drains bool
		ours   bool // to complete
	}{
		"no tag asked for":                      {settings{}, nil, hook, true, true},
		"the tag asked for":                     {settings{"TAG": "team=web"}, map[string]string{"team": "web"}, hook, true, true},
		"another value of the tag":              {settings{"TAG": "team=web"}, map[string]string{"team": "jobs"}, hook, false, false},
		"the tag in another letter case":        {settings{"TAG": "team=web"}, map[string]string{"Team": "web"}, hook, false, false},
		"no tag although one is asked for":      {settings{"TAG": "team=web"}, nil, hook, false, false},
		"a tag whose value holds an equal sign": {settings{"TAG": "team=a=b"}, map[string]string{"team": "a=b"}, hook, true, true},
		"opted out":                             {settings{}, map[string]string{optOutTag: "off"}, hook, false, true},
		"opted out of the tag's scope":          {settings{"TAG": "team=web"}, map[string]string{"team": "web", optOutTag: "off"}, hook, false, true},
		"not opted out":                         {settings{}, map[string]string{optOutTag: "on"}, hook, true, true},
		"a hook of another name":                {settings{"HOOKS": "ours-*"}, nil, "ours-drain", true, true},
		"a hook of another owner":               {settings{"HOOKS": "ours-*"}, nil, "theirs-drain", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: c.env, tags: c.tags, noHook: true})
			s.putHook(c.hook, 300)
			s.scaleIn(1)
			s.RunUntil(func() bool { return s.ActiveActions() > 0 }, 5*time.Minute)
			s.RunUntil(func() bool { return s.ActiveActions() == 0 }, time.Hour)
			s.Advance(2 * time.Minute)
			a := s.LifecycleActions()[0]
			s.mustDrain(a.Instance, c.drains)
			switch {
			case !c.ours && (a.Ending == region.Completed || a.Heartbeats > 0):
				t.Errorf("the action of another owner ended as %q after %s, with %d heartbeats", a.Ending, held(a), a.Heartbeats)
			case c.ours && a.Ending != region.Completed:
				t.Errorf("the action ended as %q after %s: our hook held an instance for nobody", a.Ending, held(a))
			case c.ours && !c.drains && held(a) > 70*time.Second:
				t.Errorf("%s was held %s although its group has opted out", a.Instance, held(a))
			}
			s.mustNotNotify("nothing is wrong")
			s.mustBeIdle()
			if c.hook == "theirs-drain" {
				return // Spot interruptions are not about hooks
			}
			spot := s.InService(s.group)[0]
			s.Queue.Send(spotWarning(spot))
			s.Advance(3 * time.Minute)
			s.mustDrain(spot, c.drains)
		})
	}
}

// TestScopeOfOneGroupOfTwo drains the one and not the other in one batch.
func TestScopeOfOneGroupOfTwo(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"TAG": "team=web", "COMMAND": "stop"}, tags: map[string]string{"team": "web"}})
	shop := s.group
	s.addGroup("jobs", 4)
	s.Scale(shop, 2)
	s.Scale(s.group, 2)
	s.untilHeld(4)
	s.untilReleased()
	for _, a := range s.actions() {
		if ours := a.Group == shop; ours != (a.Ending == region.Completed) {
			t.Errorf("the action of %s in %s ended as %q: in scope is %s", a.Instance, a.Group, a.Ending, shop)
		}
	}
	s.mustCutNothing()
	for instance := range s.runs() {
		for _, a := range s.actions() {
			if a.Instance == instance && a.Group != shop {
				t.Errorf("a command ran on %s of %s, which is out of scope", instance, a.Group)
			}
		}
	}
	s.mustRunOnce(2)
}

// TestSweepOutOfScope counts what an instance costs each minute that waits in a group of
// another installation.
func TestSweepOutOfScope(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{heartbeat: 3600, env: settings{"TAG": "team=web"}})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(time.Minute)
	s.ForgetCalls()
	s.Advance(10 * time.Minute)
	if n := len(s.Calls()); n > 25 {
		t.Errorf("%d calls in ten minutes about an instance that is another installation's", n)
	}
}

// TestRebalanceOfAGroup has a tag of the Auto Scaling group go before the
// configuration, unless it says nothing that there is.
func TestRebalanceOfAGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tag, configured  string
		drains, reported bool
	}{
		"drain":        {"drain", "notify", true, false},
		"notify":       {"notify", "drain", false, false},
		"a typo":       {"drian", "notify", false, true},
		"another typo": {"notfiy", "drain", true, true},
		"letter case":  {"Drain", "notify", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{tags: map[string]string{rebalanceTag: c.tag}, env: settings{"ON_REBALANCE": c.configured}})
			i := s.InService(s.group)[0]
			s.RecommendRebalance(i)
			s.Advance(5 * time.Minute)
			s.mustDrain(i, c.drains)
			if c.reported {
				s.mustNotify("action-required", 1)
				s.mustMention(rebalanceTag, "operators cannot know which tag to correct")
			}
			s.mustCutNothing()
			s.mustBeIdle()
		})
	}
}

// TestScopeTagRemovedDuringTheDrain takes the tag away that puts the group in scope:
// a drain that has begun is completed. The stack's policy then denies that.
func TestScopeTagRemovedDuringTheDrain(t *testing.T) {
	t.Parallel()
	for name, limited := range map[string]bool{"with the stack's policy": true, "with a policy for all groups": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{heartbeat: 1200, tags: map[string]string{"team": "shop"}, env: settings{"TAG": "team=shop"}})
			if !limited {
				s.Function = s.functionAs(s.role(s.environment(settings{"TAG": ""})), nil)
			}
			s.scaleIn(2)
			s.untilHeld(2)
			s.Advance(20 * time.Second)
			s.tagGroup("team", "other")
			s.untilReleased()
			s.mustCutNothing()
			if limited {
				s.mustMention("CompleteLifecycleAction", "the function had taken the instances up, and operators do not learn that they wait")
				return
			}
			s.mustComplete(2)
			s.mustHoldAtMost(s.longest(), "its requests had ended")
		})
	}
}

// tagGroup changes a tag of the Auto Scaling group.
func (s *scenario) tagGroup(key, value string) {
	s.t.Helper()
	_, err := s.AutoScaling().CreateOrUpdateTags(s.t.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: []asgtypes.Tag{{
		ResourceId: &s.group, ResourceType: aws.String("auto-scaling-group"), Key: &key, Value: &value, PropagateAtLaunch: aws.Bool(false),
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
}
