package repair

import (
	"slices"
	"testing"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

const (
	blue  = "CodeDeploy_web_d-1"
	green = "CodeDeploy_web_d-2"
)

// suspend suspends processes of a group.
func suspend(name string, processes ...string) func(*Observation) {
	return func(o *Observation) { o.Groups[name].Suspended = processes }
}

// registers says who is registered where CodeDeploy moves traffic, and healthy.
func registers(ids ...string) func(*Observation) {
	return func(o *Observation) { o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetHealthy, ids...) }
}

// releasing puts d-2 in progress: blue serves, and green is its copy.
func releasing(vary ...func(*Observation)) *Observation {
	return observed(append([]func(*Observation){func(o *Observation) {
		o.Deployments["d-1"] = &Deployment{ID: "d-1", Over: true, Succeeded: true, Created: noon.Add(-48 * time.Hour), Ended: noon.Add(-47 * time.Hour), Replacement: []string{blue}}
		o.Deployments["d-2"] = &Deployment{ID: "d-2", Created: noon.Add(-20 * time.Minute), Replacement: []string{green}}
		o.DeploymentGroup.Groups, o.DeploymentGroup.Last, o.DeploymentGroup.Success = []string{blue}, "d-2", "d-1"
		o.Groups[blue] = &fleet.AutoScalingGroup{Name: blue, ARN: "arn:" + blue, ELBChecked: true, Sources: []fleet.TrafficSource{web},
			Tags: map[string]string{fleet.ProvisioningTag: "d-1"}, Instances: inService("b-1", "b-2")}
		o.Details[blue] = Details{States: map[fleet.TrafficSource]string{web: fleet.SourceInService}}
		registers("b-1", "b-2")(o)
	}}, vary...)...)
}

func TestServing(t *testing.T) {
	deployment := func(change func(*Deployment)) func(*Observation) {
		return func(o *Observation) { change(o.Deployments["d-2"]) }
	}
	named := func(name string) func(*Observation) {
		return func(o *Observation) { o.DeploymentGroup.Groups = []string{name} }
	}
	failed := func(o *Observation) {
		o.Deployments["d-2"].Over, o.Deployments["d-2"].Ended = true, noon.Add(-time.Minute)
	}
	evidence := func(text string, ago time.Duration) func(*Observation) {
		return func(o *Observation) { o.Record.Evidence, o.Record.EvidenceSince = text, noon.Add(-ago) }
	}
	for name, c := range map[string]struct {
		o        *Observation
		phase    Phase
		group    string
		also     []string
		deployed Proof
		sure     bool
		harm     string
	}{
		"no release in progress": {
			o: observed(), phase: Settled, group: green, deployed: ByTag, harm: "the group that serves is taken for another",
		},
		"the release has only begun": {
			o:     releasing(func(o *Observation) { o.Deployments["d-2"].Replacement = nil; delete(o.Groups, green) }),
			phase: Before, group: blue, deployed: ByTag, harm: "the old group is left alone while it serves",
		},
		"green is being installed": {
			o: releasing(), phase: Before, group: blue, deployed: ByTag, harm: "unvalidated instances take traffic",
		},
		"READY, and the deployment group names green early": {
			o:     releasing(named(green), deployment(func(d *Deployment) { d.Ready = true })),
			phase: Before, group: "", harm: "unvalidated instances take traffic",
		},
		"READY, named early, and the baseline knows the old group": {
			o: releasing(named(green), deployment(func(d *Deployment) { d.Ready = true }),
				func(o *Observation) { o.Record.Baseline = &Baseline{Group: blue, ARN: "arn:" + blue} }),
			phase: Before, group: blue, deployed: ByTag, harm: "the old group serves unattached while the release waits",
		},
		"READY, and registrations of green that somebody made": {
			o:     releasing(registers("i-1", "b-1"), deployment(func(d *Deployment) { d.Ready = true })),
			phase: Before, group: blue, deployed: ByTag, harm: "a release that waits is taken for rerouted",
		},
		"CodeDeploy has suspended AddToLoadBalancer on green": {
			o:     releasing(suspend(green, setting.AddToLoadBalancer), registers("b-1", "i-1")),
			phase: Rerouting, group: green, deployed: ByTraffic, harm: "the reroute is interfered with",
		},
		"registrations on both sides": {
			o: releasing(registers("b-1", "i-1")), phase: Rerouting, group: green, deployed: ByTraffic, harm: "the reroute is interfered with",
		},
		"registrations on both sides for a moment less than ten minutes": {
			o:     releasing(registers("b-1", "i-1"), evidence("rerouting d-2 "+green, reroutes-time.Second)),
			phase: Rerouting, group: green, deployed: ByTraffic, harm: "the reroute is interfered with",
		},
		"registrations on both sides for ten minutes": {
			o:     releasing(registers("b-1", "i-1"), evidence("rerouting d-2 "+green, reroutes)),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "blue's scale-out keeps green from its load balancer for hours",
		},
		"green alone is registered": {
			o: releasing(registers("i-1", "i-2")), phase: Rerouted, group: green, deployed: ByTraffic, harm: "green's launches serve nobody for the whole wait",
		},
		"the termination wait has started": {
			o:     releasing(registers("b-1", "i-1"), deployment(func(d *Deployment) { d.Waiting = true })),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "green's launches serve nobody for the whole wait",
		},
		"the termination wait has started, and processes stay suspended": {
			o:     releasing(registers("i-1"), suspend(green, setting.AddToLoadBalancer), deployment(func(d *Deployment) { d.Waiting = true })),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "green's launches serve nobody for the whole wait",
		},
		"rerouted as the record knows, and all instances were replaced since": {
			o:     releasing(registers(), func(o *Observation) { o.Record.Rerouted = "d-2" }),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "a group that was replaced in whole serves nobody until the release ends",
		},
		"another release was rerouted": {
			o: releasing(func(o *Observation) { o.Record.Rerouted = "d-1" }), phase: Before, group: blue, deployed: ByTag, harm: "unvalidated instances take traffic",
		},
		"what was bridged is no sign of a reroute": {
			o: releasing(registers("b-1", "i-1"), func(o *Observation) {
				o.Record.Bridged = &Bridge{Group: green, Targets: map[string][]string{webARN: {"i-1"}}}
			}),
			phase: Before, group: blue, deployed: ByTag, harm: "the bridge proves itself",
		},
		"blue is attached, and nobody is registered": {
			o: releasing(registers()), phase: Rerouting, group: green, harm: "the reroute is interfered with",
		},
		"blue is attached, and nobody is registered for a minute": {
			o:     releasing(registers(), evidence("rerouting d-2 "+green, standing)),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "nobody serves for as long as the wait lasts",
		},
		"blue is attached, and nobody is registered since all of blue launched while it was suspended": {
			o:     releasing(registers(), func(o *Observation) { o.Record.Settle = true }, evidence("before-reroute d-2 "+blue, time.Hour)),
			phase: Before, group: blue, deployed: ByTag, harm: "unvalidated instances take traffic, and blue's instances serve nobody",
		},
		"the same, but green's processes were suspended, in the reroute": {
			o:     releasing(registers(), func(o *Observation) { o.Record.Settle = true }, evidence("rerouting d-2 "+green, standing)),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "the old version is put back before users",
		},
		"blue lost its load balancing, and nobody is registered": {
			o:     releasing(registers(), func(o *Observation) { o.Details[blue] = Details{} }, evidence("rerouting d-2 "+green, reroutes)),
			phase: Before, group: blue, deployed: ByTag, harm: "unvalidated instances take traffic",
		},
		"green alone is registered, and processes stay suspended for ten minutes": {
			o:     releasing(registers("i-1"), suspend(green, setting.AddToLoadBalancer), evidence("rerouting d-2 "+green, reroutes)),
			phase: Rerouted, group: green, deployed: ByTraffic, sure: true, harm: "green's launches serve nobody for the whole wait",
		},
		"both are registered, and processes stay suspended for ten minutes": {
			o:     releasing(registers("b-1", "i-1"), suspend(green, setting.AddToLoadBalancer), evidence("rerouting d-2 "+green, reroutes)),
			phase: Rerouting, group: green, deployed: ByTraffic, harm: "a slow reroute is interfered with",
		},
		"stopped in the middle of the reroute, and green is named": {
			o: releasing(failed, named(green), registers("b-1", "i-1")), phase: Settled, group: blue, also: []string{green}, deployed: ByTag,
			harm: "the group that a release succeeded for serves unattached, and nobody knows",
		},
		"the release was stopped after the reroute, and blue is named": {
			o:     releasing(failed, registers("i-1", "i-2")),
			phase: Settled, group: green, deployed: ByTraffic, harm: "the old version is put back before users",
		},
		"stopped after the reroute, and only the bridge is left": {
			o: releasing(failed, registers("i-1"), func(o *Observation) {
				o.Record.Rerouted = "d-2"
				o.Record.Bridged = &Bridge{Group: green, Targets: map[string][]string{webARN: {"i-1"}}}
			}),
			phase: Settled, group: green, deployed: ByTraffic, harm: "the only group that serves is deregistered",
		},
		"rolled back, and the bridge is left": {
			o: releasing(failed, registers("i-1"), func(o *Observation) {
				o.Record.Rerouted = "d-2"
				o.Record.Bridged = &Bridge{Group: green, Targets: map[string][]string{webARN: {"i-1"}}}
				o.Deployments["d-3"] = &Deployment{ID: "d-3", Over: true, Succeeded: true, Undoes: "d-2", Replacement: []string{blue}}
			}),
			phase: Settled, group: blue, deployed: ByTag, harm: "the version that was rolled back serves",
		},
		"the last release succeeded, and blue is still named": {
			o: releasing(failed, registers(), func(o *Observation) {
				o.Deployments["d-2"].Succeeded = true
				o.DeploymentGroup.Success = "d-2"
			}),
			phase: Settled, group: green, deployed: ByTag, harm: "the group that serves cannot grow until blue is terminated",
		},
		"the next release begins while the last group is not named yet": {
			o: releasing(failed, registers("i-1"), func(o *Observation) {
				o.Deployments["d-2"].Succeeded = true
				o.Deployments["d-3"] = &Deployment{ID: "d-3", Created: noon}
				o.DeploymentGroup.Success, o.DeploymentGroup.Last = "d-2", "d-3"
			}),
			phase: Before, group: green, deployed: ByTag, harm: "the group that serves is taken for the one that waits to be terminated",
		},
		"the last release succeeded, and blue, which is named, serves again": {
			o: releasing(failed, registers("b-1"), func(o *Observation) {
				o.Deployments["d-2"].Succeeded = true
				o.DeploymentGroup.Success = "d-2"
			}),
			phase: Settled, group: blue, deployed: ByTag, harm: "an operator's way back is undone",
		},
		"a rollback is in progress": {
			o: releasing(failed, registers("b-1", "i-1"), func(o *Observation) {
				o.Deployments["d-3"] = &Deployment{ID: "d-3", Created: noon, Undoes: "d-2", Replacement: []string{blue}}
			}),
			phase: Rerouting, group: blue, deployed: ByTag, harm: "the rollback is interfered with",
		},
		"a deployment by Auto Scaling is in progress": {
			o: observed(func(o *Observation) {
				o.Deployments["d-9"] = &Deployment{ID: "d-9", ByAutoScaling: true, Created: noon}
			}),
			phase: Settled, group: green, deployed: ByTag, harm: "a group that scales all day is never attached",
		},
		"the release failed, and its green serves": {
			o:     releasing(failed, registers("b-1", "i-1")),
			phase: Settled, group: blue, also: []string{green}, deployed: ByTag, harm: "users of the failed release's group are cut off at its scale-in",
		},
		"the release failed, and its green was bridged only": {
			o: releasing(failed, registers("b-1", "i-1"), func(o *Observation) {
				o.Record.Bridged = &Bridge{Group: green, Targets: map[string][]string{webARN: {"i-1"}}}
			}),
			phase: Settled, group: blue, deployed: ByTag, harm: "a rolled-back group is attached",
		},
		"the release failed, and its green is registered and unhealthy": {
			o: releasing(failed, func(o *Observation) {
				o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetUnhealthy, "b-1", "i-1")
			}),
			phase: Settled, group: blue, deployed: ByTag, harm: "a broken group is attached",
		},
		"the release failed, and its green is healthy only where CodeDeploy moves no traffic": {
			o: releasing(failed, func(o *Observation) {
				o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetUnhealthy, "b-1", "i-1")
				o.Targets[adminARN] = targetGroup(adminARN, "admin", fleet.TargetHealthy, "i-1")
			}),
			phase: Settled, group: blue, deployed: ByTag, harm: "a broken group is attached",
		},
		"the release was stopped, named green, and blue serves": {
			o:     releasing(failed, named(green)),
			phase: Settled, group: blue, deployed: ByTag, harm: "the group that serves is not attached, and the one that does not is",
		},
		"stopped after the reroute, and blue is named and empty": {
			o: releasing(failed, registers("i-1", "i-2"), func(o *Observation) {
				o.Deployments["d-1"] = nil
				o.DeploymentGroup.Success = ""
				o.Groups[blue].Tags = nil
			}),
			phase: Settled, group: green, deployed: ByTraffic, harm: "the group that serves is not attached",
		},
		"stopped after the reroute, green is named, and all of its instances were replaced": {
			o:     releasing(failed, named(green), registers(), func(o *Observation) { o.Record.Former = []string{blue} }),
			phase: Settled, group: green, deployed: ByTraffic, harm: "the old group is deregistered, and nobody serves",
		},
		"a group named by hand": {
			o: observed(func(o *Observation) {
				o.Groups[green].Tags = nil
				o.Deployments["d-2"].Replacement = []string{blue}
				registers()(o)
			}),
			phase: Settled, group: green, harm: "a group that nothing was deployed to takes traffic",
		},
		"a group named by hand, and an earlier one is kept deregistered": {
			o: releasing(named(green), registers(), func(o *Observation) {
				o.Groups[green].Tags, o.Record.Former = nil, []string{blue}
				delete(o.Deployments, "d-2")
			}),
			phase: Settled, group: green, harm: "a group that nothing was deployed to takes traffic",
		},
		"CodeDeploy has forgotten the deployment that made it": {
			o: observed(func(o *Observation) {
				o.Deployments["d-2"] = nil
				o.DeploymentGroup.Success, o.DeploymentGroup.Last = "", ""
				registers()(o)
			}),
			phase: Settled, group: green, deployed: ByMaker, harm: "a group that CodeDeploy made waits for ever for a deployment that is forgotten",
		},
		"a tag copied from another group": {
			o: observed(func(o *Observation) {
				o.Groups[green].Tags = map[string]string{fleet.ProvisioningTag: "d-1"}
				o.Deployments["d-1"] = &Deployment{ID: "d-1", Over: true, Succeeded: true, Replacement: []string{blue}}
				o.Deployments["d-2"].Replacement = []string{blue}
				registers()(o)
			}),
			phase: Settled, group: green, harm: "a group that nothing was deployed to takes traffic",
		},
		"the last release deployed to it": {
			o:     observed(func(o *Observation) { o.Groups[green].Tags = nil; registers()(o) }),
			phase: Settled, group: green, deployed: ByRelease, harm: "the released group stays detached",
		},
		"created anew under its name after the release": {
			o:     observed(func(o *Observation) { o.Groups[green].Tags, o.Groups[green].Created = nil, noon; registers()(o) }),
			phase: Settled, group: green, harm: "a group that nothing was deployed to takes traffic",
		},
		"only its traffic shows it": {
			o:     observed(func(o *Observation) { o.Groups[green].Tags = nil; o.Deployments["d-2"] = nil }),
			phase: Settled, group: green, deployed: ByTraffic, harm: "a group that serves stays detached",
		},
		"draining instances are no traffic": {
			o: observed(func(o *Observation) {
				o.Groups[green].Tags = nil
				o.Deployments["d-2"] = nil
				o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetDraining, "i-1", "i-2")
			}),
			phase: Settled, group: green, harm: "a group that was just taken out is taken for the one that serves",
		},
		"terminating instances are no traffic": {
			o: observed(func(o *Observation) {
				o.Groups[green].Tags = nil
				o.Deployments["d-2"] = nil
				o.Groups[green].Instances = []fleet.Instance{{ID: "i-1", State: fleet.TerminatingWait}}
			}),
			phase: Settled, group: green, harm: "a group that is going is taken for the one that serves",
		},
		"Classic Load Balancers only, and a deployment by Auto Scaling was the last": {
			o: observed(func(o *Observation) {
				o.Groups[green].Tags = nil
				o.DeploymentGroup.TargetGroups, o.DeploymentGroup.Classic = nil, []string{"old"}
				o.DeploymentGroup.Success, o.DeploymentGroup.Last = "d-9", "d-9"
				o.Trigger.Deployments = nil
				delete(o.Deployments, "d-2")
				o.Deployments["d-9"] = &Deployment{ID: "d-9", Over: true, Succeeded: true, ByAutoScaling: true}
			}),
			phase: Settled, group: green, deployed: ByRelease, harm: "a group behind Classic Load Balancers stays detached",
		},
		"the named group is gone": {
			o: observed(func(o *Observation) { o.Groups[green] = nil }), phase: Settled, harm: "a nil group",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serving(c.o)
			var also []string
			for _, g := range s.Also {
				also = append(also, g.Name)
			}
			group := ""
			if s.Group != nil {
				group = s.Group.Name
			}
			if s.Phase != c.phase || group != c.group || !slices.Equal(also, c.also) || s.Deployed != c.deployed || s.Sure != c.sure {
				t.Errorf("%s\n got %s, %q, also %v, deployed %q, sure %t\nwant %s, %q, also %v, deployed %q, sure %t",
					c.harm, s.Phase, group, also, s.Deployed, s.Sure, c.phase, c.group, c.also, c.deployed, c.sure)
			}
		})
	}
}
