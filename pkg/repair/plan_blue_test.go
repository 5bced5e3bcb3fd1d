package repair

import (
	"reflect"
	"testing"
	"time"

	"deployhooks/pkg/fleet"
)

// TestBlueWaits holds what becomes of the blue group of a release in progress, and of a
// rollback of it.
func TestBlueWaits(t *testing.T) {
	known := func(suspended bool) func(*Observation) {
		return func(o *Observation) {
			o.Record.Blue = &Blue{Group: blue, Originals: []string{"b-1", "b-2"}, Suspended: suspended}
		}
	}
	registered := func(ids ...string) func(*Observation) { return registers(append(ids, "i-1", "i-2")...) }
	stood := func(d time.Duration) func(*Observation) {
		return func(o *Observation) { o.Record.Evidence, o.Record.EvidenceSince = serving(o).evidence(), noon.Add(-d) }
	}
	out := func(o *Observation) { o.Groups[blue].Tags["deployhooks:repair"] = "off" }
	rollback := func(o *Observation) {
		o.Deployments["d-2"].Over = true
		o.Deployments["d-3"] = &Deployment{ID: "d-3", Undoes: "d-2", Created: noon.Add(-time.Second), Replacement: []string{blue}}
		o.DeploymentGroup.Last = "d-3"
	}
	rolledBack := func(o *Observation) {
		rollback(o)
		o.Deployments["d-3"].Over, o.Deployments["d-3"].Succeeded, o.Deployments["d-3"].Ended = true, true, noon
		o.DeploymentGroup.Success = "d-3"
	}
	const (
		suspending    = "suspend AddToLoadBalancer of " + blue + " while its release waits to terminate it"
		resuming      = "resume AddToLoadBalancer of " + blue
		registering   = "register b-3 of " + blue + " in target group web"
		deregistering = "deregister b-3 of " + blue + " from target group web"
	)
	keptOut := &Blue{Group: blue, Originals: []string{"b-1", "b-2"}, Suspended: true}
	for name, c := range map[string]struct {
		vary    []func(*Observation)
		changes []string
		next    *Blue
		harm    string
	}{
		"the reroute is seen": {
			[]func(*Observation){registered("b-3")}, nil, &Blue{Group: blue, Originals: []string{"b-1", "b-2"}},
			"the original instances cannot be told from what the group launches",
		},
		"it has stood for a little less than a minute": {
			[]func(*Observation){known(false), stood(standing - time.Second)}, nil, &Blue{Group: blue, Originals: []string{"b-1", "b-2"}},
			"one stale read suspends a process in the middle of a reroute",
		},
		"it has stood for a minute": {
			[]func(*Observation){known(false), stood(standing)}, []string{suspending}, keptOut,
			"what the group launches puts the old version back in front of users",
		},
		"the group has registered what it has launched": {
			[]func(*Observation){known(false), registered("b-3"), stood(standing)}, []string{suspending, deregistering}, keptOut,
			"the old version answers until the group is deleted, and what is in flight then is cut off",
		},
		"it has done so before the process was suspended": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), registered("b-3"), stood(standing)}, []string{deregistering}, keptOut,
			"the old version answers until the group is deleted, and what is in flight then is cut off",
		},
		"the function was killed before it suspended the process": {
			[]func(*Observation){known(true), stood(standing)}, []string{suspending}, keptOut,
			"what the group launches puts the old version back in front of users",
		},
		"original instances are registered again": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), registered("b-1"), stood(standing)}, nil, keptOut,
			"a rollback that is not seen yet, or an operator's, is undone",
		},
		"green does not serve": {
			[]func(*Observation){known(false), registers("i-1", "i-2", "b-3"), unhealthy("i-1", "i-2"), stood(standing)}, nil, &Blue{Group: blue, Originals: []string{"b-1", "b-2"}},
			"the only instance that answers is taken from users",
		},
		"somebody else has suspended the process": {
			[]func(*Observation){known(false), suspend(blue, "AddToLoadBalancer"), registered("b-3"), stood(standing)}, nil, &Blue{Group: blue, Originals: []string{"b-1", "b-2"}},
			"what an operator does by hand is undone",
		},
		"an operator has taken the group out of scope": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), out, stood(standing)}, []string{resuming}, keptOut,
			"the function does not let go of a group that it must leave alone",
		},
		"the group is detached": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), func(o *Observation) { o.Groups[blue].Sources = nil }, stood(standing)}, []string{resuming}, keptOut,
			"a group that registers nothing stays suspended",
		},
		"nothing is applied": {
			[]func(*Observation){known(false), func(o *Observation) { o.Config.Mode = ModePlan }, stood(standing)}, []string{suspending}, &Blue{Group: blue, Originals: []string{"b-1", "b-2"}},
			"a process that somebody suspends is taken for the function's own",
		},
		"a rollback": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), rollback}, []string{registering, resuming}, keptOut,
			"CodeDeploy registers the original instances only, and if they were replaced, nobody serves",
		},
		"a rollback in which CodeDeploy has suspended the processes": {
			[]func(*Observation){known(true), suspend(blue, trio...), registered("b-3"), rollback}, nil, keptOut,
			"what CodeDeploy has suspended is resumed in the middle of its reroute",
		},
		"rolled back": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), registers("b-1", "b-2", "b-3"), rolledBack}, []string{resuming}, keptOut,
			"a group that serves cannot grow any more",
		},
		"rolled back, and no event said so": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), registers("b-1", "b-2"), rolledBack}, []string{registering, resuming}, keptOut,
			"what the group has launched in the wait never serves",
		},
		"rolled back, and the process has just been resumed": {
			[]func(*Observation){known(true), registers("b-1", "b-2", "b-3"), rolledBack}, nil, keptOut,
			"an answer from before it was suspended has the function forget to resume it",
		},
		"rolled back, and the process runs": {
			[]func(*Observation){known(true), registers("b-1", "b-2", "b-3"), rolledBack, stood(standing)}, nil, nil,
			"a process that an operator suspends later is resumed",
		},
		"stopped, and the group stays": {
			[]func(*Observation){known(true), suspend(blue, "AddToLoadBalancer"), func(o *Observation) { o.Deployments["d-2"].Over = true; o.Record.Rerouted = "d-2" }}, []string{resuming}, keptOut,
			"a process stays suspended, and nobody knows by whom",
		},
		"the group is gone": {
			[]func(*Observation){known(true), stood(standing), func(o *Observation) { delete(o.Groups, blue) }}, nil, nil,
			"another group of that name is resumed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			vary := append([]func(*Observation){registered(), func(o *Observation) {
				o.Record.Baseline = &Baseline{Group: blue, ARN: "arn:" + blue, DeploymentGroupID: "dg-1", Taken: noon.Add(-time.Hour)}
				o.Groups[blue].Instances = inService("b-1", "b-2", "b-3")
				o.Deployments["d-2"].Waiting = true
				for i := range o.Groups[green].Instances {
					o.Groups[green].Instances[i].Protected = true
				}
			}}, c.vary...)
			p := plan(releasing(vary...))
			var got []string
			for _, change := range p.Changes {
				if change.Group == blue {
					got = append(got, say(change))
				}
			}
			if !reflect.DeepEqual(got, c.changes) || !reflect.DeepEqual(p.Next.Blue, c.next) {
				t.Errorf("%s\n got %q, %+v\nwant %q, %+v\nphase %s", c.harm, got, p.Next.Blue, c.changes, c.next, p.Serving.Phase)
			}
		})
	}
}

// TestBlueOfAnotherRelease holds that the group of a release that was stopped is let go
// before that of the next one is kept out.
func TestBlueOfAnotherRelease(t *testing.T) {
	o := releasing(registers("i-1", "i-2"), func(o *Observation) {
		o.Record.Baseline = &Baseline{Group: blue, ARN: "arn:" + blue, DeploymentGroupID: "dg-1"}
		o.Record.Blue = &Blue{Group: "earlier", Suspended: true}
		o.Groups["earlier"] = &fleet.AutoScalingGroup{Name: "earlier", Suspended: []string{"AddToLoadBalancer"}}
		o.Record.Evidence, o.Record.EvidenceSince = serving(o).evidence(), noon.Add(-standing)
	})
	p := plan(o)
	if len(p.Changes) == 0 || say(p.Changes[0]) != "resume AddToLoadBalancer of earlier" || p.Next.Blue.Group != "earlier" {
		t.Errorf("a group stays suspended for good: %+v", p.Changes)
	}
}
