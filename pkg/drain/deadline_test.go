package drain

import (
	"testing"
	"time"
)

// TestConfiguredDeadline holds that a configured deadline shortens the time that a
// drain may take, and lengthens it never.
func TestConfiguredDeadline(t *testing.T) {
	d := Drain{Since: noon, Delay: 120, DelaySince: noon}
	for name, c := range map[string]struct {
		configured, want time.Duration
		harm             string
	}{
		"none":    {0, 22 * time.Minute, "requests and the command have no time"},
		"shorter": {4 * time.Minute, 4 * time.Minute, "the instance is held longer than configured"},
		"longer":  {5 * time.Hour, 22 * time.Minute, "an outage holds the instance for hours"},
	} {
		if got := d.deadline(Settings{Deadline: c.configured, CommandTimeout: 5 * time.Minute}).Sub(noon); got != c.want {
			t.Errorf("%s: the deadline is after %s, want %s: %s", name, got, c.want, c.harm)
		}
	}
}

// TestDiesOnItsWayToTheWarmPool has an instance that was to return terminate, while
// its first drain is open.
func TestDiesOnItsWayToTheWarmPool(t *testing.T) {
	returning, _ := Drain{Instance: "i-1"}.merge(Trigger{Instance: "i-1", Group: "shop", Cause: CauseLifecycle, Returns: ReturnedToWarmPool, Actions: []Action{{Hook: "h", Token: "t-1", Began: noon}}}, noon)
	d, ok := returning.merge(Trigger{Instance: "i-1", Group: "shop", Cause: CauseLifecycle, FromWarmPool: true, Actions: []Action{{Hook: "h", Token: "t-2", Began: noon.Add(time.Minute)}}}, noon.Add(time.Minute))
	if !ok || d.Returns != "" || !d.FromWarmPool || len(d.Actions) != 2 {
		t.Errorf("%+v: the drain ends as a return, or looks for the instance in its group, which does not list it", d)
	}
}

// TestOnePortOfTwo has one port of an instance be drained, and requests be in flight
// by way of the other.
func TestOnePortOfTwo(t *testing.T) {
	for name, states := range map[string][]string{"the first": {"draining", "unused"}, "the last": {"unused", "draining"}} {
		s := waiting(targets(webARN, states...))
		for n := range s.o.Targets[webARN]["i-1"] {
			if target := &s.o.Targets[webARN]["i-1"][n]; target.State == "unused" {
				target.Reason = "Target.NotRegistered"
			}
		}
		if step := s.plan(); step.End != "" || step.Release {
			t.Errorf("requests in flight on %s port: the instance is released and they are cut off", name)
		}
	}
}

// TestDeadAndUnread has nobody say whether an instance that EC2 has ended is
// registered: its hook is completed after a while.
func TestDeadAndUnread(t *testing.T) {
	for age, end := range map[time.Duration]Outcome{time.Minute: "", 3 * time.Minute: Gone} {
		s := waiting(unread(webARN, denied), change(func(d *Drain) { d.Since, d.EC2EndsAt = noon.Add(-age), noon.Add(-age) }))
		if step := s.plan(); step.End != end {
			t.Errorf("after %s it ends as %q, want %q: the replacement waits for an answer that may never come, or none is waited for", age, step.End, end)
		}
	}
}
