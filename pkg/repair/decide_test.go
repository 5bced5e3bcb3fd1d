package repair

import (
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/event"
)

const (
	webARN   = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0001"
	adminARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/admin/0002"
	green    = "CodeDeploy_web_d-2"
	blue     = "CodeDeploy_web_d-1"
)

var (
	web     = Source{ELBV2, webARN}
	admin   = Source{ELBV2, adminARN}
	classic = Source{ClassicELB, "old"}
	lattice = Source{VPCLattice, "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-1"}
	drain   = Hook{Name: "drain", Transition: string(event.Terminating), Timeout: 300, DefaultResult: "CONTINUE"}
	noon    = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

// released is the story that all others vary: deployment d-2 of shop/web has
// succeeded a minute ago, and its copy came out with nothing attached.
func released(vary ...func(*Observed)) *Observed {
	succeeded := &Deployment{ID: "d-2", Over: true, Succeeded: true, Ended: noon.Add(-time.Minute), Replacement: []string{green}}
	o := &Observed{
		Key:  Key{"shop", "web"},
		Hint: Hint{Deployment: "d-2", State: event.Succeeded},
		Now:  noon,
		DeploymentGroup: DeploymentGroup{
			Platform: "Server", BlueGreen: true, Copies: true, Groups: []string{green}, TargetGroups: []string{"web"},
			Last: "d-2", Success: "d-2",
		},
		Subject: succeeded, Last: succeeded, Success: succeeded,
		Group: &Group{
			Name: green, ELBChecked: true, Tags: map[string]string{}, Sources: map[Source]string{},
			Instances: []Instance{{"i-1", true}, {"i-2", true}},
		},
		Targets: map[string]TargetGroup{webARN: {ARN: webARN, Kind: kindInstance, Health: map[string]string{"i-1": healthy, "i-2": healthy}}},
	}
	for _, v := range vary {
		v(o)
	}
	return o
}

func baseline(group string, sources ...Source) func(*Observed) {
	return func(o *Observed) {
		o.Record.Baseline = &Baseline{Group: group, Sources: sources, Hooks: []Hook{drain}}
	}
}

func state(s Source, state string) func(*Observed) {
	return func(o *Observed) { o.Group.Sources[s] = state }
}

func also(name string, t TargetGroup) func(*Observed) {
	return func(o *Observed) {
		o.DeploymentGroup.TargetGroups = append(o.DeploymentGroup.TargetGroups, name)
		o.Targets[t.ARN] = t
	}
}

// extra is a target group that only the baseline knows, where CodeDeploy has
// registered nobody.
func extra(t TargetGroup) func(*Observed) { return func(o *Observed) { o.Targets[t.ARN] = t } }

func failedDeployment(left *Group) func(*Observed) {
	return func(o *Observed) {
		o.Subject = &Deployment{ID: "d-3", Over: true, Replacement: []string{"CodeDeploy_web_d-3"}}
		o.Last, o.Failed, o.Left = o.Subject, o.Subject, left
		o.Hint = Hint{Deployment: "d-3", State: event.Failed}
		state(web, "InService")(o)
		baseline(green, web)(o)
		o.Group.Hooks = []Hook{drain}
	}
}

var trio = []string{"AddToLoadBalancer", "AlarmNotification", "ScheduledActions"}

func TestDecide(t *testing.T) {
	for story, c := range map[string]struct {
		vary    []func(*Observed)
		scope   Scope
		outcome Outcome
		changes []string
		reason  string // a part of it
		again   bool
		quiet   bool
		harm    string // what is wrong with any other decision
	}{
		"a copy without its target group": {
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "the group stays detached",
		},
		"a copy that lost what only the baseline knows": {
			vary:    []func(*Observed){baseline(blue, web, admin, classic, lattice), extra(TargetGroup{ARN: adminARN, Kind: kindInstance, Health: map[string]string{}})},
			outcome: Planned, again: true,
			changes: []string{
				"attach target group admin, target group web to " + green,
				"attach Classic Load Balancer old to " + green,
				"attach VPC Lattice target group " + lattice.ID + " to " + green,
				"put lifecycle hook drain back on " + green,
			},
			harm: "part of the load balancing is lost at the first release",
		},
		"attached already, by CodeDeploy or a person": {
			vary:    []func(*Observed){state(web, "InService")},
			outcome: Unchanged,
			harm:    "a group in order is changed",
		},
		"our attachment is now in service": {
			vary: []func(*Observed){state(web, "InService"), func(o *Observed) {
				o.Record.Pending = []Change{{Do: Attach, Group: green, Sources: []Source{web}}}
			}},
			outcome: Repaired,
			harm:    "nobody learns of the repair",
		},
		"our attachment is being made": {
			vary:    []func(*Observed){state(web, "Adding")},
			outcome: Waiting, reason: "still registering", again: true, quiet: true,
			harm: "a repair is called done before it works",
		},
		"attached, and nobody healthy yet": {
			vary:    []func(*Observed){state(web, "Added")},
			outcome: Waiting, reason: "no instance is healthy", again: true, quiet: true,
			harm: "a repair is called done before it works",
		},
		"attached for long, and nobody healthy": {
			vary:    []func(*Observed){state(web, "Added"), func(o *Observed) { o.Now = noon.Add(time.Hour) }},
			outcome: Waiting, reason: "no instance is healthy",
			harm: "a repair is called done although it does not work, or the function looks forever",
		},
		"attached, and the group does not ask the load balancer": {
			vary:    []func(*Observed){state(web, "Added"), func(o *Observed) { o.Group.ELBChecked = false }},
			outcome: Unchanged,
			harm:    "the function waits for a state that cannot come",
		},
		"a target group that no load balancer uses": {
			vary: []func(*Observed){state(web, "Added"), func(o *Observed) {
				o.Targets[webARN] = TargetGroup{ARN: webARN, Kind: kindInstance, Health: map[string]string{"i-1": unused, "i-2": unused}}
			}},
			outcome: Unchanged,
			harm:    "the function waits for a health that cannot come",
		},
		"an instance launched while the process was suspended": {
			vary: []func(*Observed){state(web, "InService"), func(o *Observed) {
				o.Group.Instances = append(o.Group.Instances, Instance{"i-3", true}, Instance{"i-4", false})
			}},
			outcome: Planned, changes: []string{"register i-3 of " + green + " in target group web"}, again: true,
			harm: "an instance serves nobody",
		},
		"an instance taken out by hand of a group that was complete": {
			vary: []func(*Observed){state(web, "InService"), baseline(green, web), func(o *Observed) {
				o.Group.Hooks = []Hook{drain}
				o.Group.Instances = append(o.Group.Instances, Instance{"i-3", true})
			}},
			outcome: Unchanged,
			harm:    "a person's decision is undone",
		},
		"an extra target group taken off a group that was complete": {
			vary:    []func(*Observed){state(web, "InService"), baseline(green, web, classic), func(o *Observed) { o.Group.Hooks = []Hook{drain} }},
			outcome: Unchanged,
			harm:    "a person's decision is undone",
		},
		"another deployment has begun": {
			vary:    []func(*Observed){func(o *Observed) { o.InProgress = []string{"d-3"} }},
			outcome: Waiting, reason: "d-3", again: true, quiet: true,
			harm: "attached before the reroute: unvalidated instances take traffic",
		},
		"another deployment has kept the release waiting for long": {
			vary:    []func(*Observed){func(o *Observed) { o.InProgress, o.Now = []string{"d-3"}, noon.Add(time.Hour) }},
			outcome: Waiting, reason: "d-3", again: true,
			harm: "nobody learns that the group stays detached",
		},
		"the deployment itself has only begun": {
			vary: []func(*Observed){func(o *Observed) {
				o.Hint.State, o.InProgress = event.Started, []string{"d-2"}
				o.Subject = &Deployment{ID: "d-2"}
			}},
			outcome: Waiting, reason: "in progress", quiet: true,
			harm: "attached before the reroute: unvalidated instances take traffic",
		},
		"no deployment has ever succeeded": {
			vary:    []func(*Observed){func(o *Observed) { o.Success = nil }},
			outcome: Waiting, reason: "has succeeded yet",
			harm: "a group that nothing was deployed to takes traffic",
		},
		"the deployment group names a failed deployment's copy": {
			vary: []func(*Observed){func(o *Observed) {
				o.Last = &Deployment{ID: "d-2", Over: true, Replacement: []string{green}}
				o.Success = &Deployment{ID: "d-1", Over: true, Succeeded: true, Replacement: []string{blue}}
			}},
			outcome: Refused, reason: "did not succeed",
			harm: "the replacement group of a failed deployment takes traffic",
		},
		"AddToLoadBalancer suspended by a person": {
			vary:    []func(*Observed){func(o *Observed) { o.Group.Suspended = trio[:1] }},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true,
			harm: "a person's decision is undone",
		},
		"suspended by a deployment that died": {
			vary:    []func(*Observed){func(o *Observed) { o.Group.Suspended = trio }},
			outcome: Planned, changes: []string{"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of " + green}, again: true,
			harm: "the group neither scales nor serves",
		},
		"suspended by hand, all three, on a group that was complete": {
			vary: []func(*Observed){state(web, "InService"), baseline(green, web), func(o *Observed) {
				o.Group.Hooks, o.Group.Suspended = []Hook{drain}, trio
			}},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true,
			harm: "a person's decision is undone",
		},
		"half of the instances are unhealthy": {
			vary: []func(*Observed){func(o *Observed) {
				o.Targets[webARN].Health["i-2"] = "unhealthy"
			}},
			outcome: Waiting, reason: "1 are healthy in target group web and 1 are not", again: true,
			harm: "Auto Scaling replaces half of the group at once",
		},
		"half of the instances are unhealthy, and the group does not ask the load balancer": {
			vary: []func(*Observed){func(o *Observed) {
				o.Group.ELBChecked = false
				o.Targets[webARN].Health["i-2"] = "unhealthy"
			}},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "the group stays detached for no reason",
		},
		"one of three has been unhealthy for long": {
			vary: []func(*Observed){func(o *Observed) {
				o.Now = noon.Add(time.Hour)
				o.Group.Instances = append(o.Group.Instances, Instance{"i-3", true})
				o.Targets[webARN].Health["i-3"] = "unhealthy"
			}},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "a failed instance is never replaced",
		},
		"most have been unhealthy for long": {
			vary: []func(*Observed){func(o *Observed) {
				o.Now = noon.Add(time.Hour)
				o.Targets[webARN].Health["i-1"], o.Targets[webARN].Health["i-2"] = "unhealthy", "unhealthy"
			}},
			outcome: Waiting, reason: "0 are healthy", again: true,
			harm: "Auto Scaling replaces the whole group at once",
		},
		"somebody is detaching the target group right now": {
			vary:    []func(*Observed){state(web, "Removing")},
			outcome: Waiting, reason: "detaching", again: true,
			harm: "two hands pull at one group",
		},
		"one of two target groups was deleted": {
			vary: []func(*Observed){func(o *Observed) {
				o.DeploymentGroup.TargetGroups = []string{"web", "gone"}
				o.Missing = []string{"gone"}
			}},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "a target group that is gone keeps the others from being attached",
		},
		"all that exists is attached, and one target group was deleted": {
			vary: []func(*Observed){state(web, "InService"), func(o *Observed) {
				o.DeploymentGroup.TargetGroups = []string{"web", "gone"}
				o.Missing = []string{"gone"}
			}},
			outcome: Refused, reason: "do not exist: gone",
			harm: "nobody learns that the deployment group names what is not there",
		},
		"a target group of addresses": {
			vary:    []func(*Observed){also("admin", TargetGroup{ARN: adminARN, Kind: "ip"}), state(web, "InService")},
			outcome: Refused, reason: "admin (type ip)",
			harm: "a call that cannot succeed is made forever",
		},
		"the Auto Scaling group is gone": {
			vary:    []func(*Observed){func(o *Observed) { o.Group = nil }},
			outcome: Waiting, reason: "does not exist",
			harm: "a nil group",
		},
		"two Auto Scaling groups": {
			vary:    []func(*Observed){func(o *Observed) { o.DeploymentGroup.Groups = []string{blue, green} }},
			outcome: Refused, reason: "2 Auto Scaling groups",
			harm: "one of them is guessed",
		},
		"the deployment group is gone": {
			vary:    []func(*Observed){func(o *Observed) { o.Gone = true }},
			outcome: Ignored, quiet: true, harm: "noise",
		},
		"an in-place deployment": {
			vary:    []func(*Observed){func(o *Observed) { o.DeploymentGroup.BlueGreen = false }},
			outcome: Ignored, quiet: true, harm: "noise",
		},
		"an ECS deployment": {
			vary:    []func(*Observed){func(o *Observed) { o.DeploymentGroup.Platform = "ECS" }},
			outcome: Ignored, quiet: true, harm: "noise",
		},
		"blue/green between two groups of the user's own": {
			vary:    []func(*Observed){func(o *Observed) { o.DeploymentGroup.Copies = false }},
			outcome: Ignored, quiet: true, harm: "noise",
		},
		"no load balancing at all": {
			vary:    []func(*Observed){func(o *Observed) { o.DeploymentGroup.TargetGroups = nil; o.Targets = nil }},
			outcome: Ignored, quiet: true, harm: "noise",
		},
		"tagged to be left alone": {
			vary:    []func(*Observed){func(o *Observed) { o.Group.Tags[OptOut.Key] = OptOut.Value }},
			outcome: Ignored, quiet: true, harm: "a person's decision is undone",
		},
		"without the tag of the scope": {
			scope:   Scope{Tag: Tag{"team", "shop"}},
			outcome: Ignored, quiet: true, harm: "somebody else's group is changed",
		},
		"a failed deployment left its copy, suspended": {
			vary:    []func(*Observed){failedDeployment(&Group{Name: "CodeDeploy_web_d-3", Suspended: trio})},
			outcome: Planned, again: true,
			changes: []string{"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of CodeDeploy_web_d-3"},
			harm:    "the processes stay suspended for good",
		},
		"a failed deployment left its copy": {
			vary:    []func(*Observed){failedDeployment(&Group{Name: "CodeDeploy_web_d-3"})},
			outcome: Unchanged,
			harm:    "nobody learns of a group that costs money",
		},
		"an Auto Scaling group that was named by hand and not deployed to": {
			vary: []func(*Observed){func(o *Observed) {
				o.Success = &Deployment{ID: "d-1", Over: true, Succeeded: true, Replacement: []string{blue}}
			}},
			outcome: Waiting, reason: "no deployment to " + green,
			harm: "a group that nothing was deployed to takes traffic",
		},
		"named by hand, and only a launching instance was deployed to": {
			vary: []func(*Observed){func(o *Observed) {
				o.Success = &Deployment{ID: "d-3", Over: true, Succeeded: true, Scaling: true}
				o.Group.ELBChecked = false
				o.Targets[webARN] = TargetGroup{ARN: webARN, Kind: kindInstance, Health: map[string]string{"i-blue": healthy}}
			}},
			outcome: Waiting, reason: "no deployment to " + green,
			harm: "a group that nothing was deployed to takes traffic",
		},
		"released, and an instance has launched since": {
			vary: []func(*Observed){func(o *Observed) {
				o.Success = &Deployment{ID: "d-3", Over: true, Succeeded: true, Scaling: true}
			}},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "a scale-out right after the release keeps the group detached",
		},
		"a target group that the deployment group names, taken off a group that was complete": {
			vary:    []func(*Observed){baseline(green, web), func(o *Observed) { o.Group.Hooks = []Hook{drain} }},
			outcome: Waiting, reason: "somebody has detached target group web",
			harm: "a person's decision is undone",
		},
		"and an operator wants it back": {
			vary:    []func(*Observed){baseline(green, web), func(o *Observed) { o.Group.Hooks = []Hook{drain}; o.Hint.Insist = true }},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "an order is not carried out",
		},
		"a target group that the deployment group names since the group was complete": {
			vary:    []func(*Observed){baseline(green, web), state(web, "InService"), also("admin", TargetGroup{ARN: adminARN, Kind: kindInstance, Health: map[string]string{"i-1": healthy, "i-2": healthy}}), func(o *Observed) { o.Group.Hooks = []Hook{drain} }},
			outcome: Planned, changes: []string{"attach target group admin to " + green}, again: true,
			harm: "what is new in the deployment group is taken for detached",
		},
		"one target group of two has unhealthy instances": {
			vary:    []func(*Observed){also("admin", TargetGroup{ARN: adminARN, Kind: kindInstance, Health: map[string]string{"i-1": "unhealthy", "i-2": "unhealthy"}})},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "one broken health check keeps everything detached",
		},
		"nobody registered yet where CodeDeploy moves traffic": {
			vary: []func(*Observed){func(o *Observed) {
				o.Targets[webARN] = TargetGroup{ARN: webARN, Kind: kindInstance, Health: map[string]string{}}
			}},
			outcome: Waiting, reason: "0 are healthy in target group web and 0 are not", again: true,
			harm: "attached before the reroute: unvalidated instances take traffic",
		},
		"the time of the last deployment is not known": {
			vary: []func(*Observed){func(o *Observed) {
				o.Success.Ended = time.Time{} // of all three
				o.Group.Instances = append(o.Group.Instances, Instance{"i-3", true})
				o.Targets[webARN].Health["i-3"] = "unhealthy"
			}},
			outcome: Waiting, reason: "2 are healthy", again: true,
			harm: "no time is taken for a long time, and instances are replaced at once",
		},
		"everything suspended by hand after a failed release": {
			vary:    []func(*Observed){failedDeployment(nil), func(o *Observed) { o.Group.Suspended = append([]string{"Launch", "Terminate"}, trio...) }},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true,
			harm: "a person's freeze is lifted",
		},
		"just those three suspended by hand after a failed release": {
			vary:    []func(*Observed){failedDeployment(nil), func(o *Observed) { o.Group.Suspended = trio }},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true,
			harm: "a person's freeze is lifted",
		},
		"more than those three suspended on a new group": {
			vary:    []func(*Observed){func(o *Observed) { o.Group.Suspended = append([]string{"Launch"}, trio...) }},
			outcome: Waiting, reason: "AddToLoadBalancer", again: true,
			harm: "a person's freeze is lifted",
		},
		"an instance launched while a person had the process suspended": {
			vary: []func(*Observed){state(web, "InService"), baseline(green, web), func(o *Observed) {
				o.Group.Hooks, o.Record.Settle = []Hook{drain}, true
				o.Group.Instances = append(o.Group.Instances, Instance{"i-3", true})
			}},
			outcome: Planned, changes: []string{"register i-3 of " + green + " in target group web"}, again: true,
			harm: "an instance serves nobody",
		},
		"a minority unhealthy for long in a group that scales all the time": {
			vary: []func(*Observed){func(o *Observed) {
				o.Now = noon.Add(time.Hour)
				o.Last = &Deployment{ID: "d-9", Over: true, Succeeded: true, Scaling: true, Ended: o.Now.Add(-time.Minute)}
				o.Group.Instances = append(o.Group.Instances, Instance{"i-3", true})
				o.Targets[webARN].Health["i-3"] = "unhealthy"
			}},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "the group stays detached for as long as it scales",
		},
		"nobody healthy for long in a group that replaces its instances": {
			vary: []func(*Observed){state(web, "Added"), func(o *Observed) {
				o.Now = noon.Add(time.Hour)
				o.Last = &Deployment{ID: "d-9", Over: true, Succeeded: true, Scaling: true, Ended: o.Now.Add(-time.Minute)}
			}},
			outcome: Waiting, reason: "no instance is healthy",
			harm: "nobody learns that instance after instance is replaced",
		},
		"one target group detached by hand, another attached by us": {
			vary: []func(*Observed){baseline(green, web), also("admin", TargetGroup{ARN: adminARN, Kind: kindInstance, Health: map[string]string{"i-1": healthy, "i-2": healthy}}), state(admin, "InService"),
				func(o *Observed) {
					o.Group.Hooks = []Hook{drain}
					o.Record.Pending = []Change{{Do: Attach, Group: green, Sources: []Source{admin}}}
				}},
			outcome: Repaired, reason: "somebody has detached target group web",
			harm: "what a person has detached hides what was repaired",
		},
		"only a target group of addresses": {
			vary:    []func(*Observed){func(o *Observed) { o.Targets = map[string]TargetGroup{webARN: {ARN: webARN, Kind: "ip"}} }},
			outcome: Refused, reason: "web (type ip)",
			harm: "nobody learns that nothing can be attached",
		},
		"a late event of a release before the last": {
			vary: []func(*Observed){func(o *Observed) {
				o.Last = &Deployment{ID: "d-3", Over: true, Replacement: []string{green}}
				o.Success = &Deployment{ID: "d-1", Over: true, Succeeded: true, Replacement: []string{blue}}
			}},
			outcome: Refused, reason: "deployment d-3, which did not succeed",
			harm: "an old event decides, and the replacement group of a failed deployment takes traffic",
		},
		"a rollback to the group failed, and an earlier release to it succeeded": {
			vary: []func(*Observed){func(o *Observed) {
				o.Last = &Deployment{ID: "d-4", Over: true, Undoes: "d-3", Replacement: []string{green}}
			}},
			outcome: Planned, changes: []string{"attach target group web to " + green}, again: true,
			harm: "the group that serves stays detached",
		},
		"a copy left behind that is tagged to be left alone": {
			vary:    []func(*Observed){failedDeployment(&Group{Name: "CodeDeploy_web_d-3", Suspended: trio, Tags: map[string]string{OptOut.Key: OptOut.Value}})},
			outcome: Unchanged,
			harm:    "a person's decision is undone",
		},
		"an extra target group remade for addresses": {
			vary:    []func(*Observed){state(web, "InService"), extra(TargetGroup{ARN: adminARN, Kind: "ip"})},
			outcome: Unchanged,
			harm:    "people are sent to settings that do not name it",
		},
		"a swept group in order is no news": {
			vary:    []func(*Observed){state(web, "InService"), func(o *Observed) { o.Hint = Hint{Sweep: true} }},
			outcome: Unchanged, quiet: true, harm: "a notice for every group at every sweep",
		},
		"a deployment to one launching instance is no news": {
			vary:    []func(*Observed){state(web, "InService"), func(o *Observed) { o.Subject.Scaling = true }},
			outcome: Unchanged, quiet: true, harm: "a notice for every instance that launches",
		},
	} {
		t.Run(story, func(t *testing.T) {
			d := Decide(c.scope, released(c.vary...))
			var changes []string
			for _, change := range d.Changes {
				changes = append(changes, change.String())
			}
			if d.Outcome != c.outcome || !slices.Equal(changes, c.changes) || !strings.Contains(d.Reason, c.reason) || d.Again != c.again || d.Quiet != c.quiet {
				t.Errorf("%s\n got %s, again %t, quiet %t, changes %q, because %q\nwant %s, again %t, quiet %t, changes %q, because …%s…",
					c.harm, d.Outcome, d.Again, d.Quiet, changes, d.Reason, c.outcome, c.again, c.quiet, c.changes, c.reason)
			}
		})
	}
}

func TestPicture(t *testing.T) {
	old := &Baseline{Group: blue, Sources: []Source{web, admin}}
	for story, c := range map[string]struct {
		vary []func(*Observed)
		want *Baseline
		harm string
	}{
		"blue at the start of a deployment": {
			vary: []func(*Observed){state(web, "InService"), state(classic, "InService")},
			want: &Baseline{Group: green, Sources: []Source{classic, web}},
			harm: "what only the Auto Scaling group knows is lost at the release",
		},
		"a copy that is not repaired yet, at the start of the next deployment": {
			vary: []func(*Observed){func(o *Observed) { o.Record.Baseline = old }},
			want: old,
			harm: "the picture of a broken group replaces the good one",
		},
		"a copy that has the deployment group's target group and lost the other": {
			vary: []func(*Observed){func(o *Observed) {
				o.Record.Baseline = old
				o.Targets[adminARN] = TargetGroup{ARN: adminARN, Kind: kindInstance, Health: map[string]string{}}
			}, state(web, "InService")},
			want: old,
			harm: "half a picture replaces the good one",
		},
		"a complete group that a person took a target group from": {
			vary: []func(*Observed){func(o *Observed) { o.Record.Baseline = &Baseline{Group: green, Sources: []Source{web, classic}} }, state(web, "InService")},
			want: &Baseline{Group: green, Sources: []Source{web}},
			harm: "the next release attaches again what a person took away",
		},
		"a source that is going": {
			vary: []func(*Observed){state(web, "InService"), state(classic, "Removing")},
			want: &Baseline{Group: green, Sources: []Source{web}},
			harm: "the next release attaches again what a person is taking away",
		},
		"an extra target group that was deleted meanwhile": {
			vary: []func(*Observed){func(o *Observed) { o.Record.Baseline = old; o.Missing = []string{"admin"} }, state(web, "InService")},
			want: &Baseline{Group: green, Sources: []Source{web}},
			harm: "no picture is ever good again",
		},
		"a hook that could not be put back is kept for the next release": {
			vary: []func(*Observed){baseline(blue, web), state(web, "InService")},
			want: &Baseline{Group: green, Sources: []Source{web}, Lost: []Hook{drain}},
			harm: "one hook keeps the group from ever being complete, or is forgotten",
		},
		"a group with nothing attached is no good picture": {
			want: nil, harm: "an empty picture is kept",
		},
	} {
		t.Run(story, func(t *testing.T) {
			if got := released(c.vary...).picture(); !got.equal(c.want) {
				t.Errorf("%s\n got %+v\nwant %+v", c.harm, got, c.want)
			}
		})
	}
}
