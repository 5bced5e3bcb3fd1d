package repair

import (
	"testing"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// held is an instance that was put on standby because it had not got the revision.
func held(deployedTo ...string) func(*Observation) {
	return func(o *Observation) {
		o.Record.OnStandby = []string{"i-3"}
		o.Groups[green].Instances = append(o.Groups[green].Instances, fleet.Instance{ID: "i-3", State: fleet.Standby})
		o.Revised["d-9"] = Revised{Instances: deployedTo}
	}
}

func TestHeldBack(t *testing.T) {
	attached := []func(*Observation){state(web, fleet.SourceInService), verified(web)}
	check(t, "an instance without the revision serves", plan(observed(append(attached, held())...)), InOrder, nil, "", false, "in order")
	p := plan(observed(append(attached, held("i-3"))...))
	check(t, "an instance that CodeDeploy has deployed to stays on standby", p, Applied, []string{"end the standby of i-3 of " + green}, "", true, "")
}

// TestSettledWhileBridged: what is deregistered during the wait is looked after until it is registered again.
func TestSettledWhileBridged(t *testing.T) {
	for name, c := range map[string]struct {
		vary    func(*Observation)
		settles bool
		harm    string
	}{
		"all are registered": {func(*Observation) {}, false, "each sweep reconciles the group"},
		"one is draining": {func(o *Observation) {
			t := o.Targets[webARN]
			t.Targets[1].State = fleet.TargetDraining
			o.Targets[webARN] = t
		}, true, "an instance in service serves nobody for good"},
		"AddToLoadBalancer is suspended": {suspend(green, setting.AddToLoadBalancer), true, "what launches while it is suspended serves nobody for good"},
	} {
		o := releasing(registers("i-1", "i-2"), func(o *Observation) {
			delete(o.Details, green)
			o.Groups[blue].Sources = nil
			o.Revised["d-2"] = Revised{Instances: []string{"i-1", "i-2"}}
			for i := range 2 {
				o.Groups[green].Instances[i].Protected = true
			}
		}, stands, c.vary)
		o.Record.Settle = true
		if p := plan(o); p.Next.Settle != c.settles || len(p.Changes) > 0 {
			t.Errorf("%s: settles %t, changes %v: %s", name, p.Next.Settle, p.Changes, c.harm)
		}
	}
}

func TestBridge(t *testing.T) {
	register := []string{"register i-3 of " + green + " in target group web"}
	stood := func(d time.Duration) func(*Observation) {
		return func(o *Observation) { o.Record.Evidence, o.Record.EvidenceSince = serving(o).evidence(), noon.Add(-d) }
	}
	with := func(o *Observation) { o.Revised["d-2"] = Revised{Instances: []string{"i-1", "i-2", "i-3"}} }
	unprotected := func(o *Observation) {
		for i := range o.Groups[green].Instances {
			o.Groups[green].Instances[i].Protected = false
		}
		o.Groups[green].Instances = o.Groups[green].Instances[:2]
	}
	protected := []string{"protect i-1, i-2 of " + green + " from scale-in until the group is attached"}
	unprotecting := []string{"end the protection of i-1 of " + green + " from scale-in"}
	drained := func(o *Observation) {
		o.Details[green] = Details{Fetched: setting.Fetched{"put-lifecycle-hook": []fleet.LifecycleHook{drain}}}
	}
	bridged := func(o *Observation) {
		o.Groups[green].Instances = o.Groups[green].Instances[:2]
		o.Record.Bridged = &Bridge{Group: green, Protected: []string{"i-1", "i-9"}}
	}
	formerly := func(o *Observation) {
		o.Groups[blue].Instances[0].Protected = true
		o.Record.Bridged = &Bridge{Group: blue, Protected: []string{"b-1", "b-2"}}
	}
	for name, c := range map[string]struct {
		vary     []func(*Observation)
		outcome  Outcome
		changes  []string
		rerouted string
		harm     string
	}{
		"evidence that has stood for a minute":      {[]func(*Observation){with, stood(standing)}, Bridged, register, "d-2", "a scale-out serves nobody during the wait"},
		"evidence that has stood for a little less": {[]func(*Observation){with, stood(standing - time.Second)}, Waiting, nil, "", "one stale read registers instances in the middle of a reroute"},
		"an instance without the revision":          {[]func(*Observation){func(o *Observation) { o.Revised["d-2"] = Revised{Instances: []string{"i-1", "i-2"}} }, stood(standing)}, Waiting, nil, "d-2", "users reach what nothing was deployed to"},
		"CodeDeploy does not say who has it":        {[]func(*Observation){func(o *Observation) { o.Revised["d-2"] = Revised{Err: failure("AccessDenied")} }, stood(standing)}, Bridged, register, "d-2", "a denied question keeps a scale-out from users"},
		"an instance that is draining": {[]func(*Observation){with, func(o *Observation) {
			t := o.Targets[webARN]
			t.Targets = append(t.Targets, fleet.Target{Instance: "i-3", State: fleet.TargetDraining})
			o.Targets[webARN] = t
		}, stood(standing)}, Waiting, nil, "d-2", "what somebody deregistered is registered again"},
		"an instance that terminates":                              {[]func(*Observation){with, func(o *Observation) { o.Groups[green].Instances[2].State = fleet.TerminatingWait }, stood(standing)}, Waiting, nil, "d-2", "users reach an instance that is going"},
		"attached by somebody else":                                {[]func(*Observation){with, func(o *Observation) { o.Groups[green].Sources = []fleet.TrafficSource{web} }, stood(standing)}, InOrder, nil, "d-2", "what Auto Scaling registers itself is registered twice"},
		"attaching is configured, and nothing was touched":         {[]func(*Observation){with, func(o *Observation) { o.Config.AttachDuringTerminationWait = true }, stood(standing)}, Applied, []string{"attach target group web to " + green}, "d-2", "the configuration is not heeded"},
		"instances that a scale-in may choose":                     {[]func(*Observation){with, unprotected, stood(standing)}, Bridged, protected, "d-2", "a scale-in cuts off the requests of instances that it does not deregister"},
		"instances that a scale-in may choose in the first minute": {[]func(*Observation){with, unprotected, stood(0)}, Bridged, protected, "", "a scale-in cuts off the requests of instances that it does not deregister"},
		"a terminate hook that drains":                             {[]func(*Observation){with, unprotected, drained, stood(standing)}, Waiting, nil, "d-2", "a group cannot shrink for hours, for nothing"},
		"protected until a terminate hook was put":                 {[]func(*Observation){with, bridged, drained, stood(standing)}, Applied, unprotecting, "d-2", "a group cannot shrink for hours, for nothing"},
		"the group that served before is still protected":          {[]func(*Observation){with, formerly, stood(standing)}, Applied, []string{"end the protection of b-1 of " + blue + " from scale-in"}, "d-2", "a group never shrinks again"},
	} {
		t.Run(name, func(t *testing.T) {
			o := releasing(append([]func(*Observation){registers("i-1", "i-2"), more("i-3"), func(o *Observation) {
				delete(o.Details, green)
				o.Groups[blue].Sources = nil // blue is reported elsewhere
				for i := range 2 {
					o.Groups[green].Instances[i].Protected = true
				}
			}}, c.vary...)...)
			p := plan(o)
			var got []string
			for _, change := range p.Changes {
				got = append(got, say(change))
			}
			if p.Outcome != c.outcome || len(got) != len(c.changes) || len(got) > 0 && got[0] != c.changes[0] || p.Next.Rerouted != c.rerouted || p.Requeue == 0 {
				t.Errorf("%s\n got %s %q, rerouted %q, requeue %v\nwant %s %q, rerouted %q", c.harm, p.Outcome, got, p.Next.Rerouted, p.Requeue, c.outcome, c.changes, c.rerouted)
			}
		})
	}
}
