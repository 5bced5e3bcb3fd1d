package repair

import (
	"slices"
	"testing"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// These cases hold single conditions of the plan: each fails if its condition is
// turned round or left out.

// rollingBack is d-3, which undoes d-2 and goes back to blue.
func rollingBack(o *Observation) {
	o.Deployments["d-2"].Over = true
	o.Deployments["d-3"] = &Deployment{ID: "d-3", Created: noon, Undoes: "d-2", Replacement: []string{blue}}
}

func bridged(group string, ids ...string) func(*Observation) {
	return func(o *Observation) {
		o.Record.Bridged = &Bridge{Group: group, Targets: map[string][]string{webARN: ids}}
	}
}

func TestServingAmongSeveralDeployments(t *testing.T) {
	both := releasing(registers("b-1", "i-1"), func(o *Observation) {
		o.Deployments["d-3"] = &Deployment{ID: "d-3", Created: noon, Undoes: "d-2", Replacement: []string{blue}}
	})
	if s := serving(both); s.Release == nil || s.Release.ID != "d-3" || s.Phase != Rerouting {
		t.Errorf("the release still counts as in progress while it is rolled back, and %+v decides: the rollback is interfered with", s.Release)
	}
	failed := observed(state(web, fleet.SourceInService), func(o *Observation) {
		o.Deployments["d-4"] = &Deployment{ID: "d-4", Over: true, Undoes: "d-2", Created: noon, Replacement: []string{blue}}
		o.Groups[blue] = &fleet.AutoScalingGroup{Name: blue, ARN: "arn:" + blue, Instances: inService("b-1")}
		registers("i-1", "i-2", "b-1")(o)
	})
	if s := serving(failed); len(s.Also) > 0 {
		t.Errorf("a rollback failed, and %s, which it went back to, is taken for a failed release's: the old version is attached", s.Also[0].Name)
	}
	two := observed(func(o *Observation) {
		o.Groups[green].Tags = nil
		o.Deployments["d-1"] = &Deployment{ID: "d-1", Over: true, Succeeded: true, Created: noon.Add(-9 * time.Hour), Ended: noon.Add(-8 * time.Hour), Replacement: []string{blue}}
		o.DeploymentGroup.Last, o.DeploymentGroup.Success, o.Record.Release = "d-1", "d-1", "d-1"
		registers()(o)
	})
	two.Record.Release = "d-2"
	two.Trigger = Trigger{Swept: true}
	if s := serving(two); s.Deployed != ByRelease {
		t.Errorf("an earlier success hides the last one, %q: the released group stays detached", s.Deployed)
	}
}

func TestWorstStateOfAllPorts(t *testing.T) {
	for name, states := range map[string][]string{
		"the second port is unhealthy": {fleet.TargetHealthy, fleet.TargetUnhealthy},
		"the first port is unhealthy":  {fleet.TargetUnhealthy, fleet.TargetHealthy},
	} {
		tg := TargetGroup{}
		for port, s := range states {
			tg.Targets = append(tg.Targets, fleet.Target{Instance: "i-1", Port: int32(80 + port), State: s})
		}
		if got := tg.state("i-1"); got != fleet.TargetUnhealthy {
			t.Errorf("%s: the instance counts as %s, and an attachment has it replaced at once", name, got)
		}
	}
}

func TestPublish(t *testing.T) {
	for name, c := range map[string]struct {
		o    *Observation
		want string
		harm string
	}{
		"released":         {observed(state(web, fleet.SourceInService)), green, "dashboards look at a group that is gone"},
		"being rerouted":   {releasing(suspend(green, setting.AddToLoadBalancer), registers("b-1", "i-1")), "", "scripts act on a group that does not serve yet"},
		"nothing deployed": {observed(undeployed), "", "scripts act on a group to which nothing was deployed"},
	} {
		if got := plan(c.o).Publish; got != c.want {
			t.Errorf("%s: %q is published, want %q: %s", name, got, c.want, c.harm)
		}
	}
}

func TestFailedReleaseThatServes(t *testing.T) {
	left := func(vary ...func(*Observation)) *Observation {
		return releasing(append([]func(*Observation){registers("b-1", "b-2", "i-1", "i-2"), verifiedBlue, func(o *Observation) {
			o.Deployments["d-2"].Over, o.Deployments["d-2"].Ended = true, noon.Add(-time.Minute)
			delete(o.Details, green)
		}}, vary...)...)
	}
	attached := func(p Plan) bool {
		return slices.ContainsFunc(p.Changes, func(c setting.Change) bool { return c.Kind == setting.TrafficSources && c.Group == green })
	}
	optOut := func(o *Observation) { o.Groups[green].Tags = map[string]string{OptOut.Key: OptOut.Value} }
	if !attached(plan(left(stands))) {
		t.Error("it has served for a minute and is not attached: its scale-in cuts users off")
	}
	if attached(plan(left())) {
		t.Error("attached on a single look: one stale read attaches the failed version")
	}
	if attached(plan(left(optOut, stands))) {
		t.Error("attached although its tag takes it out of scope: somebody works on it by hand")
	}
}

// verifiedBlue is the old group's own last known-good configuration.
func verifiedBlue(o *Observation) {
	o.Record.Baseline = &Baseline{Group: blue, ARN: "arn:" + blue, DeploymentGroupID: "dg-1", Taken: noon.Add(-time.Hour),
		Settings: setting.Take(&fleet.AutoScalingGroup{Sources: []fleet.TrafficSource{web}}, setting.Fetched{})}
}

func TestTakeBack(t *testing.T) {
	deregistered := func(p Plan) (ids []string) {
		for _, c := range p.Changes {
			if c.Kind == deregister {
				ids = append(ids, c.Items...)
			}
		}
		return ids
	}
	for name, c := range map[string]struct {
		o    *Observation
		want []string
		keep bool // the bridge stays on record
		harm string
	}{
		"a rollback, and blue serves again": {
			releasing(rollingBack, bridged(green, "i-1", "i-2"), registers("b-1", "i-1", "i-2")), []string{"i-1", "i-2"}, true, "users get the version that failed until the rollback has ended",
		},
		"a rollback, and blue does not serve yet": {
			releasing(rollingBack, bridged(green, "i-1", "i-2"), registers("i-1", "i-2")), nil, true, "nobody is left to serve",
		},
		"a failed release, and nobody serves": {
			releasing(bridged(green, "i-1"), func(o *Observation) {
				o.Deployments["d-2"].Over, o.Deployments["d-2"].Ended = true, noon.Add(-time.Hour)
				o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetUnhealthy, "i-1")
			}), nil, true, "the instances that may recover first are taken from users",
		},
		"a reroute, and the old group was bridged": {
			releasing(suspend(green, setting.AddToLoadBalancer), bridged(blue, "b-1"), registers("b-1", "i-1")), nil, true, "the reroute is interfered with",
		},
		"the group that was bridged serves, and is not attached yet": {
			observed(bridged(green, "i-2")), nil, true, "a rollback finds no record of the bridge",
		},
		"the group that was bridged is attached": {
			observed(bridged(green, "i-2"), state(web, fleet.SourceInService)), nil, false, "the bridge stays on record for ever",
		},
	} {
		p := plan(c.o)
		if got := deregistered(p); !slices.Equal(got, c.want) || (p.Next.Bridged != nil) != c.keep {
			t.Errorf("%s: %s\nderegisters %q, want %q; bridge on record: %v, want %v", name, c.harm, got, c.want, p.Next.Bridged, c.keep)
		}
	}
}

func TestNothingIsRegisteredWhileAutoScalingDoes(t *testing.T) {
	p := plan(observed(state(web, fleet.SourceAdding), more("i-3")))
	if len(p.Changes) > 0 {
		t.Errorf("Auto Scaling is registering the instances, and so is the function: %v", p.Changes)
	}
}

func TestAttachmentInTheWaitNeedsStandingEvidence(t *testing.T) {
	p := plan(releasing(registers("i-1", "i-2"), func(o *Observation) {
		o.Config.AttachDuringTerminationWait = true
		delete(o.Details, green)
		o.Groups[blue].Sources = nil
	}))
	if len(p.Changes) > 0 {
		t.Errorf("attached on a single look, perhaps in the middle of a reroute: %v", p.Changes)
	}
}

func TestBlueGroupIsDetachedOnlyWhereNobodyNeedsIt(t *testing.T) {
	detaches := func(p Plan) bool {
		return slices.ContainsFunc(p.Changes, func(c setting.Change) bool { return c.Kind == detach })
	}
	detaching := func(o *Observation) { o.Config.BlueGroupThatStays = Detach }
	kept := func(vary ...func(*Observation)) *Observation { // d-2 has succeeded, and blue is kept
		return observed(append([]func(*Observation){detaching, baseline(blue, web), state(web, fleet.SourceInService), func(o *Observation) {
			o.DeploymentGroup.Stays = true
			o.Groups[blue] = &fleet.AutoScalingGroup{Name: blue, ARN: "arn:" + blue, Sources: []fleet.TrafficSource{web}, Instances: inService("b-1")}
		}}, vary...)...)
	}
	if !detaches(plan(kept())) {
		t.Error("the configuration says detach, and the old version comes back at blue's next launch")
	}
	if detaches(plan(kept(func(o *Observation) { o.DeploymentGroup.Stays, o.DeploymentGroup.TerminationWait = false, time.Hour }))) {
		t.Error("detached before the termination wait was over: a rollback ends in a group without a load balancer")
	}
	if !detaches(plan(kept(func(o *Observation) {
		o.DeploymentGroup.Stays, o.DeploymentGroup.TerminationWait, o.DeploymentGroup.Last = false, time.Hour, "d-3"
		o.Deployments["d-3"] = &Deployment{ID: "d-3", Over: true, Created: noon, Ended: noon}
	}))) {
		t.Error("nothing can be rolled back to blue after a release that failed, and the old version comes back at blue's next launch")
	}
	if detaches(plan(kept(func(o *Observation) { o.Groups[blue].Tags = map[string]string{OptOut.Key: OptOut.Value} }))) {
		t.Error("detached although its tag takes it out of scope: somebody works on it by hand")
	}
	wait := plan(releasing(registers("i-1", "i-2"), detaching, verifiedBlue, func(o *Observation) {
		o.Config.AttachDuringTerminationWait, o.DeploymentGroup.Stays = true, true
		o.Deployments["d-2"].Waiting = true
		o.Details[green] = Details{States: map[fleet.TrafficSource]string{web: fleet.SourceInService}}
		o.Groups[green].Sources = []fleet.TrafficSource{web}
	}, stands))
	if detaches(wait) {
		t.Error("detached in the termination wait: a rollback ends in a group without a load balancer")
	}
	serves := plan(releasing(registers("b-1", "b-2", "i-1", "i-2"), detaching, verifiedBlue, func(o *Observation) {
		o.Deployments["d-2"].Over, o.Deployments["d-2"].Ended = true, noon.Add(-time.Hour)
		o.Record.Former = []string{green}
		o.Groups[green].Sources = []fleet.TrafficSource{web}
		o.Details[green] = Details{States: map[fleet.TrafficSource]string{web: fleet.SourceInService}}
	}, stands))
	if detaches(serves) {
		t.Error("the failed release's group serves users and was detached: they are cut off")
	}
}

func TestSuspensionIsRemembered(t *testing.T) {
	if p := plan(observed(suspend(green, setting.AddToLoadBalancer))); !p.Next.Settle {
		t.Error("what launches while AddToLoadBalancer is suspended serves nobody for good once it is resumed")
	}
}

func TestWhatBlocksIsRemembered(t *testing.T) {
	matter := "unhealthy in " + webARN
	blocked := since(matter, time.Hour)
	if p := plan(observed(blocked, func(o *Observation) { o.Err = failure("Throttling") })); p.Next.Blocked[matter].IsZero() {
		t.Error("each throttled call begins the ten minutes anew: the group stays detached")
	}
	if p := plan(observed(blocked, state(web, fleet.SourceInService))); len(p.Next.Blocked) > 0 {
		t.Errorf("%v has passed and is remembered: each sweep reconciles the group", p.Next.Blocked)
	}
}

// TestNotifiedOnceOverARelease holds that what operators know of is not notified again
// because a release was in progress meanwhile.
func TestNotifiedOnceOverARelease(t *testing.T) {
	p := plan(releasing(func(o *Observation) { o.Record.Notices = o.Record.Notices.Delivered("detached " + webARN) }))
	if !p.Next.Notices.Knows("detached " + webARN) {
		t.Errorf("operators know of %v only, and are notified of the rest after each release", p.Next.Notices.Sent)
	}
}

func TestWhatBecomesOfFailedChanges(t *testing.T) {
	for code, c := range map[string]struct {
		pending, refused int
		harm             string
	}{
		"Surprise":     {1, 0, "it may have had its effect, and nobody learns of the repair"},
		"AccessDenied": {0, 1, "a call that is denied is made for ever"},
		"Throttling":   {0, 0, "what was not done counts as done, or is not tried again"},
	} {
		o := observed()
		p := plan(o)
		next := p.after(o, []error{failure(code), nil}).Next
		if len(next.Pending) != c.pending || len(next.Refused) != c.refused || next.Published != green {
			t.Errorf("%s: %s\npending %v, refused %v, published %q", code, c.harm, next.Pending, next.Refused, next.Published)
		}
	}
	o := observed()
	if next := plan(o).after(o, []error{nil, failure("Surprise")}).Next; next.Published != "" || len(next.Pending) != 1 {
		t.Errorf("%q counts as published: it is not tried again; pending %v", next.Published, next.Pending)
	}
	if ended := plan(observed(failedRelease(nil), suspend(green, trio[0]))).Next.Ended; ended != "" {
		t.Errorf("%s has failed, and operators are notified that it is in order", ended)
	}
	if !plan(observed(suspend(green, trio...))).recordFirst() || plan(observed()).recordFirst() {
		t.Error("killed after the processes are resumed, the function forgets what launched meanwhile")
	}
}

// TestLeftByARollback holds that the group of the failed release is reported although
// the roll-back is what ended last, and that of an older one is not.
func TestLeftByARollback(t *testing.T) {
	left := &fleet.AutoScalingGroup{Name: "CodeDeploy_web_d-3", Instances: inService("f-1")}
	undone := func(o *Observation) {
		o.Deployments["d-4"] = &Deployment{ID: "d-4", Over: true, Succeeded: true, Undoes: "d-3", Created: noon, Ended: noon, Replacement: []string{green}}
		o.DeploymentGroup.Last, o.DeploymentGroup.Success, o.Record.Release = "d-4", "d-4", "d-4"
		o.Trigger = Trigger{Deployments: map[string]event.State{"d-4": event.Succeeded}}
	}
	if p := plan(observed(failedRelease(left), undone)); p.Left == nil || p.Left.Deployment != "d-3" {
		t.Errorf("left %+v: the failed release's group costs money, and nobody knows", p.Left)
	}
	if p := plan(observed(failedRelease(left), undone, func(o *Observation) { o.Deployments["d-4"].Undoes = "" })); p.Left != nil {
		t.Errorf("left %+v: it is reported after each release", p.Left)
	}
}
