package repair

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"deployhooks/pkg/fleet"
)

// TestWhoseRevisionIsAsked holds when CodeDeploy is asked which instances have the revision.
func TestWhoseRevisionIsAsked(t *testing.T) {
	attached := []func(*Observation){state(web, fleet.SourceInService), verified(web)}
	for name, c := range map[string]struct {
		vary     []func(*Observation)
		phase    Phase
		revised  []string
		launched bool
		harm     string
	}{
		"attached and in order":    {vary: attached, phase: Settled, harm: "each sweep asks for nothing"},
		"detached":                 {phase: Settled, revised: []string{"d-2"}, harm: "users reach what nothing was deployed to"},
		"in the middle of reroute": {phase: Rerouting, harm: "calls are made for what CodeDeploy is about to change"},
		"attached, with one on standby": {
			vary: append(slices.Clone(attached), func(o *Observation) { o.Record.OnStandby = []string{"i-3"} }), phase: Settled, revised: []string{"d-2"}, harm: "an instance stays on standby for ever",
		},
		"attached, with what launched while it was suspended": {
			vary: append(slices.Clone(attached), func(o *Observation) { o.Record.Settle = true }), phase: Settled, revised: []string{"d-2"}, harm: "users reach what nothing was deployed to",
		},
		"all are known to have it": {
			vary: []func(*Observation){func(o *Observation) { o.Revised["d-2"] = Revised{Instances: []string{"i-1", "i-2"}} }}, phase: Settled, harm: "each reconcile asks for nothing",
		},
		"one is not known to have it": {
			vary:  []func(*Observation){more("i-3"), func(o *Observation) { o.Revised["d-2"] = Revised{Instances: []string{"i-1", "i-2"}} }},
			phase: Settled, launched: true, harm: "an instance that Auto Scaling's own deployment reached is kept from users",
		},
	} {
		o := observed(c.vary...)
		revised, launched := o.openRevision(Serving{Phase: c.phase, Group: o.Groups[green]})
		if !slices.Equal(revised, c.revised) || (launched != nil) != c.launched {
			t.Errorf("%s: asks for %q, launched %v: %s", name, revised, launched, c.harm)
		}
	}
}

// TestSuspects holds which instances count as without the revision.
func TestSuspects(t *testing.T) {
	for name, c := range map[string]struct {
		vary func(*Observation)
		want []string
		harm string
	}{
		"neither deployed to nor healthy": {func(*Observation) {}, []string{"i-3"}, "users reach what nothing was deployed to"},
		"healthy, and CodeDeploy does not know it": {func(o *Observation) {
			o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetHealthy, "i-1", "i-2", "i-3")
		}, nil,
			"an instance that serves is taken from users"},
		"after more deployments than are asked about": {func(o *Observation) {
			for n := range launchedLimit + 1 {
				o.Launched = append(o.Launched, fmt.Sprint("d-", 100+n))
			}
		}, nil, "instances that were never asked about are replaced"},
	} {
		o := observed(more("i-3"), func(o *Observation) { o.Revised["d-2"] = Revised{Instances: []string{"i-1", "i-2"}} }, c.vary)
		if got := o.suspects(o.Groups[green]); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q: %s", name, got, c.harm)
		}
	}
}

// TestBridgeable holds where instances are registered one by one.
func TestBridgeable(t *testing.T) {
	for name, c := range map[string]struct {
		vary func(*Observation)
		want bool
		harm string
	}{
		"a source of the release": {func(*Observation) {}, true, "a scale-out serves nobody during the wait"},
		"one that somebody is detaching": {func(o *Observation) {
			o.Details[green] = Details{States: map[fleet.TrafficSource]string{web: fleet.SourceRemoving}}
		}, false,
			"what an operator detaches is registered again"},
		"of a deployment group that was created anew": {func(o *Observation) {
			baseline(blue, web)(o)
			o.Record.Baseline.DeploymentGroupID = "dg-0"
			o.Deployments = map[string]*Deployment{}
			o.Groups[green].Created = noon.Add(-9 * time.Hour)
			o.DeploymentGroup.Last, o.DeploymentGroup.Success = "", ""
		}, false, "instances are registered where nobody has released to"},
	} {
		o := observed(c.vary)
		if got := o.bridgeable(o.Groups[green]); slices.Contains(got, web) != c.want {
			t.Errorf("%s: %v: %s", name, got, c.harm)
		}
	}
}

// TestTakeBackUnrecorded: what a rollback has left registered is deregistered soon, or left to operators.
func TestTakeBackUnrecorded(t *testing.T) {
	for ago, want := range map[time.Duration]bool{time.Minute: true, gracePeriod + time.Second: false} {
		p := plan(releasing(func(o *Observation) {
			o.Deployments["d-2"].Over, o.Deployments["d-2"].Ended = true, noon.Add(-ago)
			o.Deployments["d-3"] = &Deployment{ID: "d-3", Over: true, Succeeded: true, Created: noon.Add(-time.Hour), Ended: noon.Add(-ago), Undoes: "d-2", Replacement: []string{blue}}
			o.DeploymentGroup.Last, o.DeploymentGroup.Success = "d-3", "d-3"
			registers("b-1", "b-2", "i-1")(o)
		}))
		got := false
		for _, c := range p.Changes {
			got = got || c.Kind == deregister && slices.Equal(c.Items, []string{"i-1"})
		}
		if got != want {
			t.Errorf("%s after a rollback it plans %v: the version that failed serves, or what somebody has registered since is taken from users", ago, p.Changes)
		}
	}
}
