package deploymentgroup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fleet"
)

var (
	now = time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC)
	web = ID{"shop", "web"}
)

// request is one for the deployment group shop/web with 2 to 4 instances.
func request(kind event.RequestType, change func(*Request)) Request {
	r := Request{
		CustomResource: event.CustomResource{Type: kind, Stack: "stack", LogicalID: "Web", PhysicalID: "shop/web", Time: now},
		Wanted:         Properties{ID: web, AutoScalingGroup: "seed", TargetGroups: []string{"web"}, LaunchTemplate: "lt-1", TemplateVersion: "1", MinSize: 2, MaxSize: 4, TargetCPU: 50},
	}
	if kind == event.Create {
		r.PhysicalID = ""
	}
	change(&r)
	return r
}

// ours is the deployment group as a request has left it, some time ago.
func ours(change func(*Group)) *Group {
	r := request(event.Create, func(r *Request) { r.Time = now.Add(-time.Hour) })
	g := &Group{Settings: settingsOf(r.Wanted.info()), AutoScalingGroups: []string{"blue"}, Tags: r.ownTags()}
	change(g)
	return g
}

// sized is an Auto Scaling group that has what is wanted, and is tagged.
func sized(change func(*AutoScaling)) *AutoScaling {
	a := &AutoScaling{Min: 2, Max: 4, Template: "lt-1", TemplateVersion: "1", TargetCPU: 50, Tags: map[string]string{OwnTag: "shop/web"}}
	change(a)
	return a
}

func same[T any](*T) {}

// copied is an Auto Scaling group that a deployment made.
func copied(deployment, own string) *AutoScaling {
	return sized(func(a *AutoScaling) {
		a.Tags = map[string]string{fleet.ProvisioningTag: deployment}
		if own != "" {
			a.Tags[OwnTag] = own
		}
	})
}

// text is a plan in one line.
func (p Plan) text() string {
	var all []string
	for _, c := range p.Changes {
		s := string(c.Do) + " " + c.To
		if c.AutoScalingGroup != "" {
			s += " with " + c.AutoScalingGroup
		}
		if c.Do == SizeGroup {
			s += fmt.Sprintf(" to %d", c.Max)
		}
		if len(c.Keys) > 0 {
			s += fmt.Sprint(" ", c.Keys)
		}
		all = append(all, s)
	}
	for _, w := range p.Waits {
		all = append(all, "wait: "+w)
	}
	for _, f := range p.Follow {
		all = append(all, "follow "+f)
	}
	if p.Fault != "" {
		all = append(all, "fault: "+p.Fault)
	}
	if p.Superseded {
		all = append(all, "superseded")
	}
	return strings.Join(all, "; ")
}

type groups = map[string]*AutoScaling

func TestPlanOfUpdates(t *testing.T) {
	const tag = "tag deployment group shop/web" // with the time of the request
	release := func(rerouted bool) func(*Group) {
		return func(g *Group) {
			g.Releases = []Release{{ID: "d-1", Replacement: []string{"green"}, Rerouted: rerouted}}
		}
	}
	larger := func(r *Request) { r.Wanted.MaxSize = 8 }
	smaller := func(r *Request) { r.Wanted.MinSize, r.Wanted.MaxSize = 1, 2 }
	blue, green := sized(same), sized(same)
	for name, c := range map[string]struct {
		request Request
		seen    Observation
		want    string
	}{
		"nothing differs":            {request(event.Update, same), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}}, tag},
		"the same request once more": {request(event.Update, func(r *Request) { r.Time = now.Add(-time.Hour) }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}}, ""},
		"an older request":           {request(event.Update, func(r *Request) { r.Time = now.Add(-2 * time.Hour) }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}}, "superseded"},
		"a replacement that was rolled back": {request(event.Update, func(r *Request) { r.Time, r.Wanted.ID.Group = now.Add(-2*time.Hour), "site" }),
			Observation{Former: ours(same), AutoScaling: groups{"blue": blue}}, "superseded"},
		"larger": {request(event.Update, larger), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}}, tag + "; size Auto Scaling group blue to 8"},
		"a group without the tag": {request(event.Update, larger), Observation{Group: ours(same), AutoScaling: groups{"blue": sized(func(a *AutoScaling) { a.Tags = nil })}},
			tag + "; tag Auto Scaling group blue; size Auto Scaling group blue to 8"},
		"another CPU target": {request(event.Update, func(r *Request) { r.Wanted.TargetCPU = 60 }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}},
			tag + "; put the scaling policy on Auto Scaling group blue"},
		"no CPU target": {request(event.Update, func(r *Request) { r.Wanted.TargetCPU = 0 }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}},
			tag + "; delete the scaling policy of Auto Scaling group blue"},
		"another wait": {request(event.Update, func(r *Request) { r.Wanted.TerminationWait = 9 }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}},
			tag + "; update deployment group shop/web"},
		"a tag that the template no longer has": {request(event.Update, func(r *Request) { r.Removed = []string{"team", "gone"} }),
			Observation{Group: ours(func(g *Group) { g.Tags["team"] = "x" }), AutoScaling: groups{"blue": blue}}, tag + "; untag deployment group shop/web [team]"},
		"before the reroute": {request(event.Update, larger), Observation{Group: ours(release(false)), AutoScaling: groups{"blue": blue, "green": green}},
			tag + "; size Auto Scaling group blue to 8; follow d-1"},
		"smaller, before the reroute": {request(event.Update, smaller), Observation{Group: ours(release(false)), AutoScaling: groups{"blue": blue, "green": green}},
			tag + "; size Auto Scaling group blue to 4; follow d-1"}, // the copy is to have as many
		"before the reroute, named already": {request(event.Update, larger),
			Observation{Group: ours(func(g *Group) { release(false)(g); g.AutoScalingGroups = []string{"green", "blue"} }), AutoScaling: groups{"blue": blue, "green": green}},
			tag + "; size Auto Scaling group blue to 8; follow d-1"},
		"after the reroute": {request(event.Update, smaller), Observation{Group: ours(release(true)), AutoScaling: groups{"blue": blue, "green": green}},
			tag + "; size Auto Scaling group green to 2; follow d-1"},
		"after the reroute, nothing made": {request(event.Update, larger), Observation{Group: ours(release(true)), AutoScaling: groups{"blue": blue}},
			tag + "; size Auto Scaling group blue to 8; follow d-1"},
		"following one that was deleted": {request(event.Update, func(r *Request) { r.Answered = true }), Observation{AutoScaling: groups{"seed": blue}}, ""},
		"a group that is being deleted": {request(event.Update, larger),
			Observation{Group: ours(same), AutoScaling: groups{"blue": sized(func(a *AutoScaling) { a.Deleting = true }), "seed": sized(same)}},
			tag + "; name the Auto Scaling group of deployment group shop/web with seed; size Auto Scaling group seed to 8"},
		"no group, in a release": {request(event.Update, larger), Observation{Group: ours(release(false)), AutoScaling: groups{}},
			tag + "; wait: deployment d-1 of shop/web is in progress, and no Auto Scaling group of the deployment group exists yet; follow d-1"},
		"no group at all": {request(event.Update, larger), Observation{Group: ours(same), AutoScaling: groups{}},
			`fault: The deployment group shop/web has no Auto Scaling group that exists: ["blue"] are gone, and so is seed of the template. Give AutoScalingGroup the name of one that exists.`},
		"one that somebody deleted": {request(event.Update, larger), Observation{AutoScaling: groups{"seed": sized(same)}},
			"fault: The deployment group shop/web does not exist any more: somebody has deleted it. Remove the resource from the template, deploy, and add it again."},
		"one that somebody deleted, after a release": {request(event.Update, larger), Observation{AutoScaling: groups{"green": copied("d-1", "shop/web"), "other": copied("d-2", "shop/site"), "seed": sized(same),
			"going": func() *AutoScaling { a := copied("d-3", "shop/web"); a.Deleting = true; return a }()}},
			"create deployment group shop/web with green; size Auto Scaling group green to 8"},
		"one that somebody deleted, of several": {request(event.Update, larger), Observation{AutoScaling: groups{"green": copied("d-1", "shop/web"), "failed": copied("d-2", "shop/web")}},
			`fault: The deployment group shop/web does not exist any more: somebody has deleted it. It had one of the Auto Scaling groups ["failed" "green"]: delete those that serve nobody, then deploy again.`},
		"another name": {request(event.Update, func(r *Request) { r.Wanted.ID.Group = "site" }), Observation{Former: ours(same), AutoScaling: groups{"blue": blue, "seed": blue}},
			tag + "; create deployment group shop/site with blue; tag Auto Scaling group blue"},
		"following for a group that was handed over": {request(event.Update, func(r *Request) { larger(r); r.Answered = true }),
			Observation{Group: ours(release(false)), AutoScaling: groups{"blue": copied("d-0", "shop/site")}}, tag + "; follow d-1"},
		"what an update that failed left": {request(event.Update, func(r *Request) { r.Leftover = ID{"shop", "site"} }),
			Observation{Group: ours(same), Leftover: ours(same), AutoScaling: groups{"blue": blue}}, tag + "; delete deployment group shop/site"},
		"somebody's of that name": {request(event.Update, func(r *Request) { r.Leftover = ID{"shop", "site"} }),
			Observation{Group: ours(same), Leftover: ours(func(g *Group) { g.Tags = nil }), AutoScaling: groups{"blue": blue}}, tag},
		"another resource's of the same stack": {request(event.Update, func(r *Request) { r.LogicalID, r.Wanted.Import = "Renamed", true }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}},
			"fault: The deployment group shop/web belongs to the resource Web of the stack stack. Give another DeploymentGroupName, or remove it there first. " +
				"If that stack is gone, delete the deployment group with its Auto Scaling groups; or, to keep them, remove its tag " + stackTag + " and set Import to true."},
		"another launch template, of the same version": {request(event.Update, func(r *Request) { r.Wanted.LaunchTemplate = "lt-2" }), Observation{Group: ours(same), AutoScaling: groups{"blue": blue}},
			tag + "; size Auto Scaling group blue to 4"},
		"imported, and left to somebody": {request(event.Update, func(r *Request) { r.Wanted.Import = true }), Observation{Group: ours(func(g *Group) { g.Tags[importedTag] = "true" }), AutoScaling: groups{"blue": blue}}, tag},
		"to own what was imported": {request(event.Update, same), Observation{Group: ours(func(g *Group) { g.Tags[importedTag] = "true" }), AutoScaling: groups{"blue": blue}},
			tag + "; untag deployment group shop/web [" + importedTag + "]"},
	} {
		if got := NewPlan(c.request, &c.seen).text(); got != c.want {
			t.Errorf("%s: planned is\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestPlanOfDeletions(t *testing.T) {
	made := map[string]Deployment{
		"d-1": {web, []string{"CodeDeploy_web_d-1"}}, "d-2": {ID{"shop", "site"}, []string{"CodeDeploy_site_d-2"}}, "d-3": {ID{"pay", "web"}, []string{"CodeDeploy_web_d-3"}},
	}
	const gone = "delete deployment group shop/web; wait: deployment group shop/web has to be deleted"
	deleted := func(name string) string {
		return "delete Auto Scaling group " + name + "; wait: Auto Scaling group " + name + " has to be deleted, with its instances"
	}
	for name, c := range map[string]struct {
		group  *Group
		groups groups
		want   string
	}{
		"a copy":                      {ours(same), groups{"CodeDeploy_web_d-1": copied("d-1", "shop/web")}, deleted("CodeDeploy_web_d-1")},
		"a copy from before the tag":  {ours(same), groups{"CodeDeploy_web_d-1": copied("d-1", "")}, deleted("CodeDeploy_web_d-1")},
		"a copy that is going":        {ours(same), groups{"CodeDeploy_web_d-1": func() *AutoScaling { a := copied("d-1", ""); a.Deleting = true; return a }()}, "wait: Auto Scaling group CodeDeploy_web_d-1 has to be deleted, with its instances"},
		"no copy":                     {ours(same), groups{}, gone},
		"a copy handed over":          {ours(same), groups{"CodeDeploy_web_d-1": copied("d-1", "shop/site")}, gone},
		"a copy taken over":           {ours(same), groups{"CodeDeploy_site_d-2": copied("d-2", "shop/web")}, deleted("CodeDeploy_site_d-2")},
		"another application's":       {ours(same), groups{"CodeDeploy_web_d-3": copied("d-3", "")}, gone},
		"a clone made by hand":        {ours(same), groups{"CodeDeploy_web_d-1-test": copied("d-1", "shop/web")}, gone},
		"the template's":              {ours(same), groups{"seed": sized(same)}, gone},
		"a forgotten deployment":      {ours(same), groups{"CodeDeploy_web_d-9": copied("d-9", "shop/web")}, deleted("CodeDeploy_web_d-9")},
		"forgotten, of another name":  {ours(same), groups{"CodeDeploy_api_d-9": copied("d-9", "")}, gone},
		"deleted by hand":             {nil, groups{"CodeDeploy_web_d-1": copied("d-1", "shop/web")}, deleted("CodeDeploy_web_d-1")},
		"deleted by hand, never ours": {nil, groups{"CodeDeploy_web_d-1": copied("d-1", "")}, ""},
		"all gone":                    {nil, groups{}, ""},
		"another stack's":             {ours(func(g *Group) { g.Tags[stackTag] = "other" }), groups{"CodeDeploy_web_d-1": copied("d-1", "shop/web")}, ""},
		"another resource's":          {ours(func(g *Group) { g.Tags[resourceTag] = "Renamed" }), groups{"CodeDeploy_web_d-1": copied("d-1", "shop/web")}, ""},
		"imported":                    {ours(func(g *Group) { g.Tags[importedTag] = "true" }), groups{"CodeDeploy_web_d-1": copied("d-1", "shop/web")}, fmt.Sprintf("untag deployment group shop/web [%s %s %s %s]", importedTag, requestTag, resourceTag, stackTag)},
		"in a release":                {ours(func(g *Group) { g.Releases = []Release{{ID: "d-1"}} }), groups{"CodeDeploy_web_d-1": copied("d-1", "")}, "stop deployment d-1; wait: deployment d-1 has to stop"},
		"an older request":            {ours(func(g *Group) { g.Tags[requestTag] = now.Add(time.Second).Format(time.RFC3339Nano) }), groups{}, "superseded"},
	} {
		o := Observation{Group: c.group, AutoScaling: c.groups, Deployments: made}
		if got := NewPlan(request(event.Delete, same), &o).text(); got != c.want {
			t.Errorf("%s: planned is\n%s\nwant\n%s", name, got, c.want)
		}
	}
}
