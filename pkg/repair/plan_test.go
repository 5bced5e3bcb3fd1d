package repair

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

const (
	webARN   = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0001"
	adminARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/admin/0002"
)

var (
	web     = fleet.TrafficSource{Type: fleet.ELBV2, ID: webARN}
	admin   = fleet.TrafficSource{Type: fleet.ELBV2, ID: adminARN}
	classic = fleet.TrafficSource{Type: fleet.ClassicELB, ID: "old"}
	lattice = fleet.TrafficSource{Type: fleet.VPCLattice, ID: "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-1"}
	drain   = fleet.LifecycleHook{Name: "drain", Transition: string(event.Terminating), Timeout: 300, DefaultResult: "CONTINUE"}
	trio    = []string{"AddToLoadBalancer", "AlarmNotification", "ScheduledActions"}
	noon    = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

func inService(ids ...string) []fleet.Instance {
	var all []fleet.Instance
	for _, id := range ids {
		all = append(all, fleet.Instance{ID: id, State: fleet.InService})
	}
	return all
}

func collectMetrics(o *Observation) {
	o.Groups[green].Described.EnabledMetrics = []autoscalingtypes.EnabledMetric{{Metric: aws.String("GroupInServiceInstances")}}
}

func targetGroup(arn, name, state string, ids ...string) TargetGroup {
	t := TargetGroup{TargetGroup: fleet.TargetGroup{ARN: arn, Name: name, TargetType: fleet.InstanceTargets}}
	for _, id := range ids {
		t.Targets = append(t.Targets, fleet.Target{Instance: id, Port: 80, State: state})
	}
	return t
}

// observed is what all cases vary: release d-2 of shop/web has succeeded a minute
// ago, and its copy came out with nothing attached.
func observed(vary ...func(*Observation)) *Observation {
	o := &Observation{
		Key: Key{"shop", "web"}, Now: noon, Config: Config{Mode: ModeApply},
		Trigger: Trigger{Deployments: map[string]event.State{"d-2": event.Succeeded}},
		DeploymentGroup: DeploymentGroup{
			ID: "dg-1", Platform: "Server", BlueGreen: true, Copies: true, Groups: []string{green}, TargetGroups: []string{"web"}, Last: "d-2", Success: "d-2",
		},
		Deployments: map[string]*Deployment{"d-2": {
			ID: "d-2", Over: true, Succeeded: true, Created: noon.Add(-time.Hour), Ended: noon.Add(-time.Minute), Replacement: []string{green},
		}},
		Groups: map[string]*fleet.AutoScalingGroup{green: {
			Name: green, ARN: "arn:" + green, Created: noon.Add(-50 * time.Minute), ELBChecked: true,
			Tags: map[string]string{fleet.ProvisioningTag: "d-2"}, Instances: inService("i-1", "i-2"),
		}},
		Details: map[string]Details{green: {States: map[fleet.TrafficSource]string{}}},
		Targets: map[string]TargetGroup{webARN: targetGroup(webARN, "web", fleet.TargetHealthy, "i-1", "i-2")},
		Revised: map[string]Revised{},
	}
	for _, v := range vary {
		v(o)
	}
	return o
}

// baseline is a last known-good configuration, with a hook besides its sources.
func baseline(group string, sources ...fleet.TrafficSource) func(*Observation) {
	return func(o *Observation) {
		hooks := setting.Fetched{"put-lifecycle-hook": []fleet.LifecycleHook{drain}}
		g := &fleet.AutoScalingGroup{Sources: sources}
		o.Record.Baseline = &Baseline{Group: group, ARN: "arn:" + group, DeploymentGroupID: "dg-1", Taken: noon.Add(-2 * time.Hour), Settings: setting.Take(g, hooks)}
	}
}

// verified is a baseline of green itself, which still has the hook.
func verified(sources ...fleet.TrafficSource) func(*Observation) {
	return func(o *Observation) {
		baseline(green, sources...)(o)
		o.Details[green] = Details{States: o.Details[green].States, Fetched: setting.Fetched{"put-lifecycle-hook": []fleet.LifecycleHook{drain}}}
	}
}

func state(s fleet.TrafficSource, state string) func(*Observation) {
	return func(o *Observation) {
		o.Details[green].States[s] = state
		o.Groups[green].Sources = append(o.Groups[green].Sources, s)
	}
}

func also(t TargetGroup) func(*Observation) {
	return func(o *Observation) {
		o.DeploymentGroup.TargetGroups = append(o.DeploymentGroup.TargetGroups, t.Name)
		o.Targets[t.ARN] = t
	}
}

func extra(t TargetGroup) func(*Observation) { return func(o *Observation) { o.Targets[t.ARN] = t } }

func later(d time.Duration) func(*Observation) { return func(o *Observation) { o.Now = noon.Add(d) } }

func unhealthy(ids ...string) func(*Observation) {
	return func(o *Observation) {
		t := o.Targets[webARN]
		t.Targets = slices.Clone(t.Targets)
		for _, id := range ids {
			i := slices.IndexFunc(t.Targets, func(t fleet.Target) bool { return t.Instance == id })
			if i < 0 {
				t.Targets = append(t.Targets, fleet.Target{Instance: id})
				i = len(t.Targets) - 1
			}
			t.Targets[i].State = fleet.TargetUnhealthy
		}
		o.Targets[webARN] = t
	}
}

func more(ids ...string) func(*Observation) {
	return func(o *Observation) {
		o.Groups[green].Instances = append(o.Groups[green].Instances, inService(ids...)...)
	}
}

// byAutoScaling is a deployment to one launching instance that succeeded last.
func byAutoScaling(o *Observation) {
	o.Deployments["d-9"] = &Deployment{ID: "d-9", Over: true, Succeeded: true, ByAutoScaling: true, Created: o.Now, Ended: o.Now.Add(-time.Minute)}
	o.DeploymentGroup.Last, o.DeploymentGroup.Success = "d-9", "d-9"
	o.Record.Release = "d-2"
}

// undeployed is a group to which nothing was deployed.
func undeployed(o *Observation) {
	o.Groups[green].Tags = map[string]string{}
	o.Deployments["d-2"] = &Deployment{ID: "d-2", Over: true, Succeeded: true, Replacement: []string{blue}}
	o.Targets[webARN] = targetGroup(webARN, "web", fleet.TargetHealthy)
}

// failedRelease is d-3, which has failed on a group in order, and may have left one.
func failedRelease(left *fleet.AutoScalingGroup) func(*Observation) {
	return func(o *Observation) {
		o.Deployments["d-3"] = &Deployment{ID: "d-3", Over: true, Created: noon.Add(-time.Minute), Ended: noon, Replacement: []string{"CodeDeploy_web_d-3"}}
		o.DeploymentGroup.Last, o.Trigger.Deployments = "d-3", map[string]event.State{"d-3": event.Failed}
		state(web, fleet.SourceInService)(o)
		verified(web)(o)
		o.Groups["CodeDeploy_web_d-3"] = left
	}
}

func since(matter string, ago time.Duration) func(*Observation) {
	return func(o *Observation) { o.Record.Blocked = map[string]time.Time{matter: o.Now.Add(-ago)} }
}

func stands(o *Observation) {
	o.Record.Evidence, o.Record.EvidenceSince = serving(o).evidence(), o.Now.Add(-standing)
}

func TestPlan(t *testing.T) {
	attachWeb := []string{"attach target group web to " + green}
	two := func(state string) TargetGroup { return targetGroup(adminARN, "admin", state, "i-1", "i-2") }
	optOut := func(g *fleet.AutoScalingGroup) *fleet.AutoScalingGroup {
		g.Tags = map[string]string{OptOut.Key: OptOut.Value}
		return g
	}
	for name, c := range map[string]struct {
		vary     []func(*Observation)
		outcome  Outcome
		changes  []string
		reason   string // part of what blocks
		again    bool
		notifies string // part of the subjects of what is to be sent; empty for nothing
		harm     string
	}{
		"a copy without its target group": {
			outcome: Applied, changes: attachWeb, again: true, harm: "the group stays detached",
		},
		"a copy that lost what only the baseline knows": {
			vary:    []func(*Observation){baseline(blue, web, admin, classic, lattice), extra(targetGroup(adminARN, "admin", ""))},
			outcome: Applied, again: true,
			changes: []string{
				"attach target group admin, target group web to " + green, "attach Classic Load Balancer old to " + green,
				"attach VPC Lattice target group " + lattice.ID + " to " + green, "put lifecycle hook drain back on " + green,
			},
			harm: "part of the load balancing is lost at the first release",
		},
		"attached already, by CodeDeploy or a person": {
			vary: []func(*Observation){state(web, fleet.SourceInService)}, outcome: InOrder, notifies: "in order", harm: "a group in order is changed",
		},
		"our attachment is now in service": {
			vary: []func(*Observation){state(web, fleet.SourceInService), func(o *Observation) {
				o.Record.Pending = []setting.Change{{Kind: setting.TrafficSources, Group: green, Items: []string{"target group web"}}}
			}},
			outcome: Repaired, notifies: "repaired", changes: attachWeb, harm: "nobody learns of the repair",
		},
		"our attachment is being made": {
			vary: []func(*Observation){state(web, fleet.SourceAdding)}, outcome: Waiting, reason: "still registering", again: true, harm: "a repair is called done before it works",
		},
		"attached, and nobody healthy yet": {
			vary: []func(*Observation){state(web, fleet.SourceAdded)}, outcome: Waiting, reason: "no instance is healthy", again: true, harm: "a repair is called done before it works",
		},
		"attached for long, and nobody healthy": {
			vary:    []func(*Observation){state(web, fleet.SourceAdded), since("unsettled "+webARN, gracePeriod)},
			outcome: Waiting, reason: "no instance is healthy", notifies: "waiting", harm: "nobody learns that instance after instance is replaced",
		},
		"attached, and the group does not ask the load balancer": {
			vary:    []func(*Observation){state(web, fleet.SourceAdded), func(o *Observation) { o.Groups[green].ELBChecked = false }},
			outcome: InOrder, notifies: "in order", harm: "the function waits for a state that cannot come",
		},
		"a target group that no load balancer uses": {
			vary:    []func(*Observation){state(web, fleet.SourceAdded), extra(targetGroup(webARN, "web", fleet.TargetUnused, "i-1", "i-2"))},
			outcome: InOrder, notifies: "in order", harm: "the function waits for a health that cannot come",
		},
		"an instance launched while the process was suspended": {
			vary: []func(*Observation){state(web, fleet.SourceInService), more("i-3"), func(o *Observation) {
				o.Groups[green].Instances = append(o.Groups[green].Instances, fleet.Instance{ID: "i-4", State: "Pending"})
			}},
			outcome: Applied, changes: []string{"register i-3 of " + green + " in target group web"}, again: true, harm: "an instance serves nobody",
		},
		"an instance taken out by hand of a group that was complete": {
			vary: []func(*Observation){state(web, fleet.SourceInService), verified(web), more("i-3")}, outcome: InOrder, notifies: "in order", harm: "a person's decision is undone",
		},
		"an extra target group taken off a group that was complete": {
			vary: []func(*Observation){state(web, fleet.SourceInService), verified(web, classic)}, outcome: InOrder, notifies: "in order", harm: "a person's decision is undone",
		},
		"no deployment has ever succeeded": {
			vary:    []func(*Observation){undeployed, func(o *Observation) { o.Deployments = map[string]*Deployment{} }},
			outcome: Waiting, reason: "has succeeded yet", again: true, harm: "a group that nothing was deployed to takes traffic",
		},
		"named by hand and not deployed to": {
			vary: []func(*Observation){undeployed}, outcome: Waiting, reason: "no deployment to " + green, again: true, harm: "a group that nothing was deployed to takes traffic",
		},
		"named by hand, and for ten minutes": {
			vary:    []func(*Observation){undeployed, since("not deployed", notifyAfter)},
			outcome: Waiting, reason: "no deployment to " + green, notifies: "waiting", harm: "nobody learns that the group is not attached",
		},
		"named by hand, and only a launching instance was deployed to": {
			vary: []func(*Observation){undeployed, byAutoScaling, extra(targetGroup(webARN, "web", fleet.TargetHealthy, "i-blue")),
				func(o *Observation) { o.Trigger = Trigger{Swept: true} }},
			outcome: Waiting, reason: "no deployment to " + green, again: true, harm: "a group that nothing was deployed to takes traffic",
		},
		"the deployment group names a failed deployment's copy": {
			vary: []func(*Observation){extra(targetGroup(webARN, "web", "")), func(o *Observation) {
				o.Deployments["d-2"] = &Deployment{ID: "d-2", Over: true, Replacement: []string{green}}
				o.Deployments["d-1"] = &Deployment{ID: "d-1", Over: true, Succeeded: true, Replacement: []string{blue}}
				o.DeploymentGroup.Success = "d-1"
			}},
			outcome: ActionRequired, reason: "did not succeed", notifies: "action required", harm: "the replacement group of a failed deployment takes traffic",
		},
		"a late event of a release before the last": {
			vary: []func(*Observation){extra(targetGroup(webARN, "web", "")), func(o *Observation) {
				o.Deployments["d-2"].Replacement = []string{blue}
				o.Deployments["d-3"] = &Deployment{ID: "d-3", Over: true, Created: noon, Replacement: []string{green}}
				o.Groups[green].Tags, o.DeploymentGroup.Last = map[string]string{fleet.ProvisioningTag: "d-3"}, "d-3"
			}},
			outcome: ActionRequired, reason: "deployment d-3, which did not succeed", notifies: "action required", harm: "an old event decides, and the replacement group of a failed deployment takes traffic",
		},
		"a rollback to the group failed, and an earlier release to it succeeded": {
			vary: []func(*Observation){func(o *Observation) {
				o.Deployments["d-4"] = &Deployment{ID: "d-4", Over: true, Undoes: "d-3", Created: noon, Replacement: []string{green}}
				o.DeploymentGroup.Last = "d-4"
			}},
			outcome: Applied, changes: attachWeb, again: true, harm: "the group that serves stays detached",
		},
		"released, and an instance has launched since": {
			vary: []func(*Observation){byAutoScaling}, outcome: Applied, changes: attachWeb, again: true, harm: "a scale-out right after the release keeps the group detached",
		},
		"only its registrations show that it serves": {
			vary:    []func(*Observation){func(o *Observation) { o.Groups[green].Tags = nil; o.Deployments = map[string]*Deployment{} }},
			outcome: Waiting, reason: "registrations alone", again: true, harm: "one stale read decides",
		},
		"only its registrations show that it serves, and it is attached": {
			vary: []func(*Observation){state(web, fleet.SourceInService), func(o *Observation) {
				o.Groups[green].Tags, o.Deployments = nil, map[string]*Deployment{}
			}},
			outcome: InOrder, harm: "a group in order is reconciled again and again",
		},
		"only its registrations show that it serves, for a minute": {
			vary:    []func(*Observation){func(o *Observation) { o.Groups[green].Tags = nil; o.Deployments = map[string]*Deployment{} }, stands},
			outcome: Applied, changes: attachWeb, again: true, harm: "a group that serves stays detached",
		},
		"only its registrations show that it serves, and nothing did a moment ago": {
			vary: []func(*Observation){func(o *Observation) {
				o.Groups[green].Tags, o.Deployments = nil, map[string]*Deployment{}
				o.Record.Evidence, o.Record.EvidenceSince = "settled "+green, noon.Add(-time.Hour)
			}},
			outcome: Waiting, reason: "registrations alone", again: true, harm: "one stale read decides",
		},
		"only its registrations show that it serves, and an instance launched under suspension": {
			vary: []func(*Observation){state(web, fleet.SourceInService), verified(web), more("i-3"), func(o *Observation) {
				o.Groups[green].Tags, o.Deployments, o.Record.Settle = nil, map[string]*Deployment{}, true
			}},
			outcome: Applied, changes: []string{"register i-3 of " + green + " in target group web"}, again: true, harm: "the instance is forgotten, because the rest is in order",
		},
		"one of three has been unhealthy for long, and a release has failed since": {
			vary: []func(*Observation){later(time.Hour), more("i-3"), unhealthy("i-3"), func(o *Observation) {
				o.Deployments["d-3"] = &Deployment{ID: "d-3", Over: true, Created: o.Now.Add(-time.Minute), Ended: o.Now}
				o.DeploymentGroup.Last = "d-3"
			}},
			outcome: Applied, changes: attachWeb, again: true, harm: "each failed release keeps the group detached for ten minutes more",
		},
		"AddToLoadBalancer suspended by a person": {
			vary: []func(*Observation){suspend(green, trio[0])}, outcome: Waiting, reason: "AddToLoadBalancer", again: true, harm: "a person's decision is undone",
		},
		"suspended by a deployment that died": {
			vary:    []func(*Observation){suspend(green, trio...)},
			outcome: Applied, changes: []string{"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of " + green}, again: true, harm: "the group neither scales nor serves",
		},
		"suspended by hand, all three, on a group that was complete": {
			vary:    []func(*Observation){state(web, fleet.SourceInService), verified(web), suspend(green, trio...)},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true, harm: "a person's decision is undone",
		},
		"more than those three suspended on a new group": {
			vary: []func(*Observation){suspend(green, append([]string{"Launch"}, trio...)...)}, outcome: Waiting, reason: "AddToLoadBalancer", again: true, harm: "a person's freeze is lifted",
		},
		"everything suspended by hand after a failed release": {
			vary:    []func(*Observation){failedRelease(nil), suspend(green, append([]string{"Launch", "Terminate"}, trio...)...)},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true, harm: "a person's freeze is lifted",
		},
		"just those three suspended by hand after a failed release": {
			vary: []func(*Observation){failedRelease(nil), suspend(green, trio...)}, outcome: Waiting, reason: "AddToLoadBalancer", again: true, harm: "a person's freeze is lifted",
		},
		"one unhealthy instance has kept the group unattached for a minute, and another has launched": {
			vary: []func(*Observation){more("i-3"), unhealthy("i-2"), since("unhealthy in "+webARN, standing), func(o *Observation) {
				o.Record.Evidence, o.Record.EvidenceSince = serving(o).evidence(), noon.Add(-standing)
			}},
			outcome: Bridged, changes: []string{"register i-3 of " + green + " in target group web"}, reason: "1 are healthy", again: true,
			notifies: "Temporary changes until the release ends", harm: "what a group launches serves nobody while one instance is unhealthy",
		},
		"half of the instances are unhealthy": {
			vary: []func(*Observation){unhealthy("i-2")}, outcome: Waiting, reason: "1 are healthy in target group web and 1 are not", again: true, harm: "Auto Scaling replaces half of the group at once",
		},
		"half of the instances are unhealthy, and the group does not ask the load balancer": {
			vary:    []func(*Observation){func(o *Observation) { o.Groups[green].ELBChecked = false }, unhealthy("i-2")},
			outcome: Applied, changes: attachWeb, again: true, harm: "the group stays detached for no reason",
		},
		"one of three has been unhealthy for long": {
			vary: []func(*Observation){later(time.Hour), more("i-3"), unhealthy("i-3")}, outcome: Applied, changes: attachWeb, again: true, harm: "a failed instance is never replaced",
		},
		"all have been unhealthy since ten minutes after the release": {
			vary: []func(*Observation){later(9 * time.Minute), unhealthy("i-1", "i-2")}, outcome: Applied, changes: attachWeb, again: true, harm: "nothing replaces what is broken",
		},
		"a stopped reroute has deregistered instances, and others launched under suspension": {
			vary: []func(*Observation){state(web, fleet.SourceInService), verified(web), func(o *Observation) {
				o.Record.Settle, o.Targets[webARN] = true, targetGroup(webARN, "web", fleet.TargetDraining, "i-1", "i-2")
			}},
			outcome: Waiting, reason: "draining", again: true, harm: "what CodeDeploy deregistered is forgotten, and serves nobody for good",
		},
		"all have been unhealthy for less": {
			vary: []func(*Observation){later(9*time.Minute - time.Second), unhealthy("i-1", "i-2")}, outcome: Waiting, reason: "0 are healthy", again: true, harm: "Auto Scaling replaces the whole group at once",
		},
		"the time of the last release is not known": {
			vary:    []func(*Observation){func(o *Observation) { o.Deployments["d-2"].Ended = time.Time{} }, more("i-3"), unhealthy("i-3")},
			outcome: Waiting, reason: "2 are healthy", again: true, harm: "no time is taken for a long time, and instances are replaced at once",
		},
		"the time of the last release is not known, and it has lasted": {
			vary:    []func(*Observation){func(o *Observation) { o.Deployments["d-2"].Ended = time.Time{} }, more("i-3"), unhealthy("i-3"), since("unhealthy in "+webARN, gracePeriod)},
			outcome: Applied, changes: attachWeb, again: true, harm: "the group stays detached for good",
		},
		// Not a reroute that is still to come: a release that has succeeded has moved the
		// traffic, whether SUCCESS comes before the termination wait or after it.
		"nobody registered where CodeDeploy moves traffic": {
			vary: []func(*Observation){extra(targetGroup(webARN, "web", ""))}, outcome: Applied, changes: attachWeb, again: true, harm: "a group whose instances were all replaced serves nobody for ten minutes more",
		},
		"a minority unhealthy for long in a group that scales all the time": {
			vary: []func(*Observation){later(time.Hour), byAutoScaling, more("i-3"), unhealthy("i-3")}, outcome: Applied, changes: attachWeb, again: true, harm: "the group stays detached for as long as it scales",
		},
		"nobody is in service": {
			vary: []func(*Observation){func(o *Observation) { o.Groups[green].Instances = nil }}, outcome: Applied, changes: attachWeb, again: true, harm: "a group that was scaled to nothing stays detached",
		},
		"somebody is detaching the target group right now": {
			vary: []func(*Observation){state(web, fleet.SourceRemoving)}, outcome: Waiting, reason: "detaching", again: true, harm: "two hands pull at one group",
		},
		"one of two target groups was deleted": {
			vary: []func(*Observation){func(o *Observation) {
				o.DeploymentGroup.TargetGroups, o.Missing = []string{"web", "gone"}, []string{"gone"}
			}},
			outcome: Applied, changes: attachWeb, reason: "do not exist: gone", again: true, notifies: "action required", harm: "a target group that is gone keeps the others from being attached",
		},
		"all that exists is attached, and one target group was deleted": {
			vary: []func(*Observation){state(web, fleet.SourceInService), func(o *Observation) {
				o.DeploymentGroup.TargetGroups, o.Missing = []string{"web", "gone"}, []string{"gone"}
			}},
			outcome: ActionRequired, reason: "do not exist: gone", notifies: "action required", harm: "nobody learns that the deployment group names what does not exist",
		},
		"a target group of addresses": {
			vary:    []func(*Observation){also(TargetGroup{TargetGroup: fleet.TargetGroup{ARN: adminARN, Name: "admin", TargetType: "ip"}}), state(web, fleet.SourceInService)},
			outcome: ActionRequired, reason: "admin (type ip)", notifies: "action required", harm: "a call that cannot succeed is made forever",
		},
		"only a target group of addresses": {
			vary:    []func(*Observation){extra(TargetGroup{TargetGroup: fleet.TargetGroup{ARN: webARN, Name: "web", TargetType: "ip"}})},
			outcome: ActionRequired, reason: "web (type ip)", notifies: "action required", harm: "nobody learns that nothing can be attached",
		},
		"an extra target group remade for addresses": {
			vary:    []func(*Observation){state(web, fleet.SourceInService), extra(TargetGroup{TargetGroup: fleet.TargetGroup{ARN: adminARN, Name: "admin", TargetType: "ip"}})},
			outcome: InOrder, notifies: "in order", harm: "operators are sent to settings that do not name it",
		},
		"the Auto Scaling group is gone": {
			vary: []func(*Observation){func(o *Observation) { o.Groups[green] = nil }}, outcome: Waiting, reason: "does not exist", notifies: "waiting", harm: "a nil group",
		},
		"two Auto Scaling groups": {
			vary:    []func(*Observation){func(o *Observation) { o.DeploymentGroup.Groups = []string{blue, green} }},
			outcome: ActionRequired, reason: "2 Auto Scaling groups", notifies: "action required", harm: "one of them is guessed",
		},
		"the deployment group is gone": {
			vary: []func(*Observation){func(o *Observation) { o.Gone = true }}, outcome: OutOfScope, harm: "noise",
		},
		"an in-place deployment": {
			vary: []func(*Observation){func(o *Observation) { o.DeploymentGroup.BlueGreen = false }}, outcome: OutOfScope, harm: "noise",
		},
		"an ECS deployment": {
			vary: []func(*Observation){func(o *Observation) { o.DeploymentGroup.Platform = "ECS" }}, outcome: OutOfScope, harm: "noise",
		},
		"blue/green between two groups of the user's own": {
			vary: []func(*Observation){func(o *Observation) { o.DeploymentGroup.Copies = false }}, outcome: OutOfScope, harm: "noise",
		},
		"no load balancing at all": {
			vary: []func(*Observation){func(o *Observation) { o.DeploymentGroup.TargetGroups, o.Targets = nil, nil }}, outcome: OutOfScope, harm: "noise",
		},
		"tagged to be left alone": {
			vary: []func(*Observation){func(o *Observation) { o.Groups[green].Tags[OptOut.Key] = OptOut.Value }}, outcome: OutOfScope, harm: "a person's decision is undone",
		},
		"without the tag of the scope": {
			vary: []func(*Observation){func(o *Observation) { o.Config.Tag = Tag{"team", "shop"} }}, outcome: OutOfScope, harm: "somebody else's group is changed",
		},
		"a failed deployment left its copy, suspended": {
			vary:    []func(*Observation){failedRelease(&fleet.AutoScalingGroup{Name: "CodeDeploy_web_d-3", Suspended: trio})},
			outcome: Applied, again: true, notifies: "left a group running", changes: []string{"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of CodeDeploy_web_d-3"}, harm: "the processes stay suspended for good",
		},
		"a failed deployment left its copy": {
			vary:    []func(*Observation){failedRelease(&fleet.AutoScalingGroup{Name: "CodeDeploy_web_d-3"})},
			outcome: InOrder, notifies: "left a group running", harm: "nobody learns of a group that costs money",
		},
		"a failed deployment's copy that serves": {
			vary: []func(*Observation){failedRelease(&fleet.AutoScalingGroup{Name: "CodeDeploy_web_d-3", Instances: inService("i-7")}),
				extra(targetGroup(webARN, "web", fleet.TargetHealthy, "i-1", "i-2", "i-7")), stands},
			outcome: Applied, again: true, notifies: "left a group running", changes: []string{"attach target group web to CodeDeploy_web_d-3"}, harm: "its users are cut off at its next scale-in",
		},
		"a copy left behind that is tagged to be left alone": {
			vary:    []func(*Observation){failedRelease(optOut(&fleet.AutoScalingGroup{Name: "CodeDeploy_web_d-3", Suspended: trio}))},
			outcome: InOrder, notifies: "left a group running", harm: "a person's decision is undone",
		},
		"a named target group taken off a group that was complete": {
			vary: []func(*Observation){verified(web)}, outcome: Waiting, reason: "somebody has detached target group web", notifies: "waiting", harm: "a person's decision is undone",
		},
		"and an operator wants it back": {
			vary:    []func(*Observation){verified(web), func(o *Observation) { o.Trigger.Confirmed = true }},
			outcome: Applied, changes: attachWeb, again: true, harm: "an operator's request is not carried out",
		},
		"and an operator wanted it back a while ago": {
			vary:    []func(*Observation){verified(web), func(o *Observation) { o.Record.Confirmed = noon.Add(-confirmation) }},
			outcome: Waiting, reason: "somebody has detached target group web", notifies: "waiting", harm: "an old request undoes a new decision",
		},
		"load-balancer settings that changed without a release": {
			vary:    []func(*Observation){verified(web), state(web, fleet.SourceInService), also(two(fleet.TargetHealthy))},
			outcome: ActionRequired, reason: "name target group admin since the last release", notifies: "action required", harm: "a mistake in the settings takes effect at once",
		},
		"settings that changed, and an operator confirms them": {
			vary:    []func(*Observation){verified(web), state(web, fleet.SourceInService), also(two(fleet.TargetHealthy)), func(o *Observation) { o.Trigger.Confirmed = true }},
			outcome: Applied, changes: []string{"attach target group admin to " + green}, again: true, harm: "an operator's request is not carried out",
		},
		"the deployment group was deleted and created anew": {
			vary:    []func(*Observation){verified(web), func(o *Observation) { o.DeploymentGroup.ID = "dg-2"; o.Record.Baseline.Taken = noon }},
			outcome: ActionRequired, reason: "created anew", notifies: "action required", harm: "what nobody asked for is attached",
		},
		"created anew, and released since": {
			vary:    []func(*Observation){verified(web), func(o *Observation) { o.DeploymentGroup.ID = "dg-2" }},
			outcome: Applied, changes: attachWeb, again: true, harm: "a deployment group that was created anew is never repaired",
		},
		"the Auto Scaling group was deleted and created anew": {
			vary:    []func(*Observation){verified(web), func(o *Observation) { o.Groups[green].ARN = "arn:other"; o.Record.Baseline.Taken = noon }},
			outcome: ActionRequired, reason: "created anew", notifies: "action required", harm: "a group that nothing was deployed to takes traffic",
		},
		"one target group of two has unhealthy instances": {
			vary:    []func(*Observation){also(two(fleet.TargetUnhealthy))},
			outcome: Applied, changes: attachWeb, reason: "0 are healthy in target group admin", again: true, harm: "one broken health check keeps everything detached",
		},
		"one target group detached by hand, another attached by us": {
			vary: []func(*Observation){verified(web, admin), also(two(fleet.TargetHealthy)), state(admin, fleet.SourceInService), func(o *Observation) {
				o.Record.Pending = []setting.Change{{Kind: setting.TrafficSources, Group: green, Items: []string{"target group admin"}}}
			}},
			outcome: Repaired, reason: "somebody has detached target group web", notifies: "repaired", changes: []string{"attach target group admin to " + green}, harm: "what a person has detached hides what was repaired",
		},
		"an instance launched while a person had the process suspended": {
			vary:    []func(*Observation){state(web, fleet.SourceInService), verified(web), more("i-3"), func(o *Observation) { o.Record.Settle = true }},
			outcome: Applied, changes: []string{"register i-3 of " + green + " in target group web"}, again: true, harm: "an instance serves nobody",
		},
		"a swept group in order is not notified": {
			vary:    []func(*Observation){state(web, fleet.SourceInService), func(o *Observation) { o.Trigger = Trigger{Swept: true} }},
			outcome: InOrder, harm: "a notification for every group at every sweep",
		},
		"a hook that AWS refuses keeps nothing from being in order": {
			vary: []func(*Observation){baseline(blue, web), state(web, fleet.SourceInService), func(o *Observation) {
				o.Record.Refused = []string{"put lifecycle hook drain back on " + green}
			}},
			outcome: InOrder, notifies: "in order", harm: "a call that is denied is made for ever",
		},
		"a hook that AWS refuses, and an operator has allowed it": {
			vary: []func(*Observation){baseline(blue, web), state(web, fleet.SourceInService), func(o *Observation) {
				o.Record.Refused, o.Trigger.Confirmed = []string{"put lifecycle hook drain back on " + green}, true
			}},
			outcome: Applied, changes: []string{"put lifecycle hook drain back on " + green}, again: true, harm: "an operator's request is not carried out",
		},
		"plan mode": {
			vary: []func(*Observation){func(o *Observation) { o.Config.Mode = ModePlan }}, outcome: Planned, changes: attachWeb, notifies: "planned", harm: "a dry run acts, or says nothing",
		},
		"AWS answers with an error": {
			vary:    []func(*Observation){func(o *Observation) { o.Err = failure("Throttling") }},
			outcome: Waiting, reason: "Throttling", again: true, harm: "the failure is forgotten",
		},
		"AWS answers with an unknown error for ten minutes": {
			vary:    []func(*Observation){func(o *Observation) { o.Err = failure("Surprise") }, since("failed autoscaling:DescribeAutoScalingGroups Surprise", notifyAfter)},
			outcome: Waiting, reason: "Surprise", again: true, notifies: "waiting", harm: "nobody learns of a failure that lasts",
		},
		"AWS denies a question": {
			vary:    []func(*Observation){func(o *Observation) { o.Err = failure("AccessDenied") }},
			outcome: ActionRequired, reason: "AccessDenied", again: true, notifies: "action required", harm: "nobody learns which permission is missing",
		},
		"the record cannot be read": {
			vary:    []func(*Observation){state(web, fleet.SourceInService), func(o *Observation) { o.Unreadable = errors.New("damaged") }},
			outcome: ActionRequired, reason: "damaged", notifies: "action required", harm: "a record is lost, and nobody knows",
		},
		"the record cannot be read, and the copy is detached": {
			vary:    []func(*Observation){func(o *Observation) { o.Unreadable = errors.New("damaged") }},
			outcome: Applied, changes: attachWeb, reason: "damaged", again: true, notifies: "action required", harm: "a damaged record keeps the group detached",
		},
		"an earlier group that stays is still attached": {
			vary:    []func(*Observation){state(web, fleet.SourceInService), verified(web), staying(web)},
			outcome: Waiting, reason: blue + " does not serve any more and is still attached", again: true, harm: "nobody learns that the old version comes back",
		},
		"an earlier group that stays, configured to be detached": {
			vary: []func(*Observation){state(web, fleet.SourceInService), verified(web), staying(web), func(o *Observation) {
				o.Config.BlueGroupThatStays, o.DeploymentGroup.Stays = Detach, true
			}},
			outcome: Applied, changes: []string{"detach target group web from " + blue}, again: true, harm: "the old version comes back at its next launch",
		},
		"an earlier group in its termination wait, configured to be detached": {
			vary: []func(*Observation){state(web, fleet.SourceInService), verified(web), staying(web), func(o *Observation) {
				o.Config.BlueGroupThatStays, o.DeploymentGroup.TerminationWait = Detach, time.Minute+time.Second
			}},
			outcome: Waiting, reason: "is still attached", again: true, harm: "a rollback ends in a group without a load balancer",
		},
		"an earlier group, when the new one is not attached yet": {
			vary:    []func(*Observation){staying(web), func(o *Observation) { o.Config.BlueGroupThatStays, o.DeploymentGroup.Stays = Detach, true }},
			outcome: Applied, changes: attachWeb, reason: "is still attached", again: true, harm: "two groups without a load balancer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, c.harm, plan(observed(c.vary...)), c.outcome, c.changes, c.reason, c.again, c.notifies)
		})
	}
}

// staying is a group that served before.
func staying(sources ...fleet.TrafficSource) func(*Observation) {
	return func(o *Observation) {
		o.Record.Former = []string{blue}
		o.Groups[blue] = &fleet.AutoScalingGroup{Name: blue, ARN: "arn:" + blue, Sources: sources}
	}
}

func failure(code string) error {
	return &smithy.OperationError{ServiceID: "Auto Scaling", OperationName: "DescribeAutoScalingGroups", Err: &smithy.GenericAPIError{Code: code}}
}

func check(t *testing.T, harm string, p Plan, outcome Outcome, changes []string, reason string, again bool, notifies string) {
	t.Helper()
	var got, reasons, subjects []string
	for _, c := range slices.Concat(p.Changes, p.Done) {
		got = append(got, say(c))
	}
	for _, b := range p.Blockers {
		reasons = append(reasons, b.Reason)
	}
	for _, e := range p.Next.Notices.Outbox {
		subjects = append(subjects, e.Notice.Subject)
	}
	said, sent := strings.Join(reasons, "; "), strings.Join(subjects, "; ")
	if p.Outcome != outcome || !slices.Equal(got, changes) || !strings.Contains(said, reason) || reason == "" && said != "" ||
		(p.Requeue > 0) != again || !strings.Contains(sent, notifies) || notifies == "" && sent != "" {
		t.Errorf("%s\n got %s, requeue %v, changes %q, because %q, notifications %q\nwant %s, requeue %t, changes %q, because …%s…, notifications …%s…",
			harm, p.Outcome, p.Requeue, got, said, sent, outcome, again, changes, reason, notifies)
	}
}

func TestBaseline(t *testing.T) {
	old := func(o *Observation) {
		baseline(blue, web, admin)(o)
		delete(o.Record.Baseline.Settings, "put-lifecycle-hook")
	}
	for name, c := range map[string]struct {
		vary    []func(*Observation)
		group   string
		sources []fleet.TrafficSource
		lost    int
		harm    string
	}{
		"a group that is complete": {
			vary:  []func(*Observation){state(web, fleet.SourceInService), state(classic, fleet.SourceInService)},
			group: green, sources: []fleet.TrafficSource{classic, web}, harm: "what only the Auto Scaling group knows is lost at the release",
		},
		"a copy that is not repaired yet": {
			vary: []func(*Observation){old}, group: blue, sources: []fleet.TrafficSource{admin, web}, harm: "a broken group replaces the last known-good one",
		},
		"a copy that has the deployment group's target group and lost the other": {
			vary:  []func(*Observation){old, extra(targetGroup(adminARN, "admin", "")), state(web, fleet.SourceInService)},
			group: blue, sources: []fleet.TrafficSource{admin, web}, harm: "half a configuration replaces the good one",
		},
		"a complete group that a person took a source from": {
			vary:  []func(*Observation){verified(web, classic), state(web, fleet.SourceInService)},
			group: green, sources: []fleet.TrafficSource{web}, harm: "the next release attaches again what a person took away",
		},
		"a complete group that a person took a named target group from": {
			vary: []func(*Observation){verified(web)}, group: green, sources: []fleet.TrafficSource{web}, harm: "a detached target group is taken for a new one",
		},
		"a source that is being detached": {
			vary:  []func(*Observation){state(web, fleet.SourceInService), state(classic, fleet.SourceRemoving)},
			group: green, sources: []fleet.TrafficSource{web}, harm: "the next release attaches again what a person is taking away",
		},
		"an extra target group that was deleted meanwhile": {
			vary:  []func(*Observation){old, func(o *Observation) { o.Missing = []string{"admin"} }, state(web, fleet.SourceInService)},
			group: green, sources: []fleet.TrafficSource{web}, harm: "no configuration is ever good again",
		},
		"a hook that could not be put back is kept for the next release": {
			vary: []func(*Observation){baseline(blue, web), state(web, fleet.SourceInService), func(o *Observation) {
				o.Record.Refused = []string{"put lifecycle hook drain back on " + green}
			}},
			group: green, sources: []fleet.TrafficSource{web}, lost: 1, harm: "one hook keeps the group from ever being complete, or is forgotten",
		},
		"a hook that is being put back": {
			vary:  []func(*Observation){baseline(blue, web), state(web, fleet.SourceInService)},
			group: blue, sources: []fleet.TrafficSource{web}, harm: "a hook is forgotten before it is back",
		},
		"settings that somebody has added since": {
			vary:  []func(*Observation){verified(web), state(web, fleet.SourceInService), collectMetrics},
			group: green, sources: []fleet.TrafficSource{web}, harm: "what was added after the last release is lost at the next",
		},
		"a group with nothing attached": {harm: "an empty configuration is kept"},
		"a group whose AddToLoadBalancer is suspended": {
			vary: []func(*Observation){state(web, fleet.SourceInService), suspend(green, trio[0])}, harm: "a group that is being rerouted is taken for good",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := plan(observed(c.vary...)).Next.Baseline
			if b == nil {
				b = &Baseline{}
			}
			sources := b.Settings.Sources()
			slices.SortFunc(sources, fleet.CompareTrafficSources)
			if b.Group != c.group || !slices.Equal(sources, c.sources) || len(b.Lost) != c.lost {
				t.Errorf("%s\n got %s %v, lost %v", c.harm, b.Group, sources, b.Lost)
			}
		})
	}
	o := observed(verified(web), state(web, fleet.SourceInService))
	collectMetrics(o)
	if b := plan(o).Next.Baseline; len(slices.Collect(maps.Keys(b.Settings))) < 4 {
		t.Errorf("the baseline has %v: what was added since is lost at the next release", b.Settings)
	}
}
