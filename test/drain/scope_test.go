package drain

import (
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestScope plays a scale-in and a Spot interruption in Auto Scaling groups with
// several tags and hooks, which the configuration puts in scope or out of it. What
// is out of scope is left alone; where our hook is on such a group nevertheless, its
// action is completed at once, because nobody else will.
func TestScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env    settings
		tags   map[string]string
		hook   string
		drains bool
	}{
		"no tag asked for":                      {settings{}, nil, hook, true},
		"the tag asked for":                     {settings{"TAG": "team=web"}, map[string]string{"team": "web"}, hook, true},
		"another value of the tag":              {settings{"TAG": "team=web"}, map[string]string{"team": "jobs"}, hook, false},
		"the tag in another letter case":        {settings{"TAG": "team=web"}, map[string]string{"Team": "web"}, hook, false},
		"no tag although one is asked for":      {settings{"TAG": "team=web"}, nil, hook, false},
		"a tag whose value holds an equal sign": {settings{"TAG": "team=a=b"}, map[string]string{"team": "a=b"}, hook, true},
		"opted out":                             {settings{}, map[string]string{optOutTag: "off"}, hook, false},
		"opted out of the tag's scope":          {settings{"TAG": "team=web"}, map[string]string{"team": "web", optOutTag: "off"}, hook, false},
		"not opted out":                         {settings{}, map[string]string{optOutTag: "on"}, hook, true},
		"a hook of another name":                {settings{"HOOKS": "ours-*"}, nil, "ours-drain", true},
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
			if a.Ending != region.Completed {
				t.Errorf("the action ended as %q after %s: our hook held an instance for nobody", a.Ending, held(a))
			}
			if !c.drains && held(a) > 70*time.Second {
				t.Errorf("%s was held %s although it is out of scope", a.Instance, held(a))
			}
			s.mustNotNotify("what is out of scope needs nobody")
			s.mustBeIdle()
			spot := s.InService(s.group)[0]
			s.Queue.Send(spotWarning(spot))
			s.Advance(3 * time.Minute)
			s.mustDrain(spot, c.drains)
		})
	}
}

// TestHookOutOfScope has an instance wait for a hook that does not match: it is its
// owner's, and must not be completed by the function.
func TestHookOutOfScope(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: settings{"HOOKS": "ours-*"}})
	s.scaleIn(1)
	s.untilHeld(1)
	s.Advance(4 * time.Minute)
	if a := s.actions()[0]; a.Ending != region.Active {
		t.Errorf("the hook of another owner ended as %q after %s", a.Ending, held(a))
	}
	s.Advance(10 * time.Minute)
	s.mustNotNotify("the hook is another owner's")
	s.mustBeIdle()
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
	s.mustComplete(4)
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

// TestRebalanceOfAGroup has a tag of the Auto Scaling group go before the
// configuration, unless it says nothing that there is.
func TestRebalanceOfAGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tag, configured  string
		drains, reported bool
	}{
		"drain":         {"drain", "notify", true, false},
		"notify":        {"notify", "drain", false, false},
		"a typo":        {"drian", "notify", false, true},
		"another typo":  {"notfiy", "drain", true, true},
		"letter case":   {"Drain", "notify", false, true},
		"nothing in it": {"", "drain", true, false},
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
