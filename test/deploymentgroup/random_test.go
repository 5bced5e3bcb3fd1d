package deploymentgroup

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/pkg/invoke"
	"deployhooks/test/region"
)

// TestRandom plays random schedules of template changes, rollbacks, releases and failures,
// as CloudFormation goes through them, and holds:
//   - every request has its answer within the hour, and a rollback always works;
//   - when everything has settled, what serves has what the template says;
//   - the deletion leaves nothing but the group of the template, and no message.
func TestRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newScenario(t)
		c := cloudFormation{scenario: s, rt: rt, properties: s.wanted(nil)}
		c.physical = s.succeeds(s.request("Create", "", c.properties, nil))
		s.Advance(10 * time.Minute)
		for range rapid.IntRange(1, 8).Draw(rt, "happenings") {
			name := rapid.SampledFrom([]string{"update", "update", "rename", "release", "release", "faults", "calm", "duplicates"}).Draw(rt, "happening")
			c.played = append(c.played, name)
			c.happen(name)
			s.Advance(time.Duration(rapid.IntRange(1, 600).Draw(rt, "seconds")) * time.Second)
		}
		s.SetFaults(nil)
		s.SetDelivery(nil)
		if c.deployment != "" && !s.Ended(c.deployment) {
			s.Stop(c.deployment)
		}
		s.Advance(6 * time.Hour)
		c.settled()
		s.succeeds(s.request("Delete", c.physical, c.properties, nil))
		s.Advance(time.Hour)
		for _, name := range s.groups() {
			if name != seed {
				rt.Errorf("%s is left after %v", name, c.played)
			}
		}
		if s.deploymentGroup("web") != nil || s.deploymentGroup("site") != nil || s.Queue.Len() > 0 || len(s.Queue.DeadLetters()) > 0 {
			rt.Errorf("a deployment group, or messages, are left after %v", c.played)
		}
	})
}

// cloudFormation keeps what CloudFormation knows of the resource.
type cloudFormation struct {
	*scenario
	rt         *rapid.T
	physical   string
	properties properties
	deployment string
	played     []string
}

func (c *cloudFormation) happen(name string) {
	switch name {
	case "update", "rename":
		least := rapid.IntRange(1, 3).Draw(c.rt, "min")
		change := properties{"MinSize": strconv.Itoa(least), "MaxSize": strconv.Itoa(least + rapid.IntRange(0, 4).Draw(c.rt, "more")),
			"LaunchTemplateVersion": strconv.Itoa(rapid.IntRange(1, 9).Draw(c.rt, "version")), "TargetCPUPercent": rapid.SampledFrom([]any{nil, "40", "60"}).Draw(c.rt, "cpu")}
		if change["DeploymentGroupName"] = c.properties["DeploymentGroupName"]; name == "rename" {
			change["DeploymentGroupName"] = map[any]string{"web": "site", "site": "web"}[c.properties["DeploymentGroupName"]]
		}
		c.update(c.wanted(change), rapid.Bool().Draw(c.rt, "another resource fails"))
	case "release":
		c.service.DeploymentGroup = c.properties["DeploymentGroupName"].(string)
		stage := rapid.SampledFrom(append([]region.Stage{""}, stages...)).Draw(c.rt, "stage")
		how := region.Deployment{Named: rapid.SampledFrom([]region.Naming{region.NamedWithHook, region.NamedAtReroute, region.NamedAtEnd}).Draw(c.rt, "named"),
			WaitFlagUnset: rapid.Bool().Draw(c.rt, "flag"), SucceedFirst: rapid.Bool().Draw(c.rt, "first")}
		switch rapid.IntRange(0, 3).Draw(c.rt, "how") {
		case 0:
			how.FailAt = stage
		case 1:
			how.HangAt = stage
		}
		// One that is reported as succeeded, and whose blue group is still there, may be named late:
		// what another release would copy then, nobody knows.
		if c.deployment != "" && c.Deployed(c.deployment) {
			blue, _ := c.Groups(c.deployment)
			if _, waits := c.Group(blue); waits {
				return
			}
		}
		if id, err := c.TryDeploy(c.service, how); err == nil {
			c.deployment = id
		}
	case "faults":
		fault := rapid.SampledFrom([]region.Fault{{Before: region.Throttled()}, {Before: region.Unavailable()}, {After: region.TimedOut()}}).Draw(c.rt, "fault")
		some := region.OneIn(rapid.IntRange(2, 10).Draw(c.rt, "one in"), rapid.Uint64().Draw(c.rt, "seed"), fault)
		c.SetFaults(func(call region.Call) region.Fault {
			if call.Service == "SNS" { // CloudFormation's own call
				return region.Fault{}
			}
			return some(call)
		})
	case "calm":
		c.SetFaults(nil)
		c.SetDelivery(nil)
	case "duplicates":
		late := time.Duration(rapid.IntRange(0, 300).Draw(c.rt, "late")) * time.Second
		c.SetDelivery(func(region.Delivery) []time.Duration { return []time.Duration{0, late} })
	}
}

// update is what CloudFormation does to change a resource, and to roll the change back where
// it, or that of another resource, fails.
func (c *cloudFormation) update(next properties, otherFails bool) {
	before, former := c.properties, c.physical
	a := c.answer(c.request("Update", former, next, before))
	if a.Status == invoke.Success && !otherFails {
		c.properties, c.physical = next, a.PhysicalResourceID
		if a.PhysicalResourceID != former {
			c.delete(former, before)
		}
		return
	}
	c.SetFaults(nil) // an outage of an hour may fail a rollback
	back := c.answer(c.request("Update", a.PhysicalResourceID, before, next))
	if back.Status != invoke.Success || back.PhysicalResourceID != former {
		c.rt.Fatalf("the rollback answers %+v after %v", back, c.played)
	}
	if a.PhysicalResourceID != former {
		c.delete(a.PhysicalResourceID, next)
	}
}

func (c *cloudFormation) delete(physical string, p properties) {
	if a := c.answer(c.request("Delete", physical, p, nil)); a.Status != invoke.Success {
		c.rt.Fatalf("the deletion of %s answers %+v after %v", physical, a, c.played)
	}
}

// settled holds that what serves has what the template says.
func (c *cloudFormation) settled() {
	want := fmt.Sprintf("%s..%s version %s", c.properties["MinSize"], c.properties["MaxSize"], c.properties["LaunchTemplateVersion"])
	if cpu := c.properties["TargetCPUPercent"]; cpu != nil {
		want += " cpu " + cpu.(string)
	}
	name := c.properties["DeploymentGroupName"].(string)
	g := c.deploymentGroup(name)
	if g == nil || len(g.AutoScalingGroups) == 0 {
		c.rt.Fatalf("the deployment group %s is %+v after %v", name, g, c.played)
	}
	for _, a := range g.AutoScalingGroups {
		if got := c.size(*a.Name); got != want {
			c.rt.Errorf("%s is %s, want %s, after %v", *a.Name, got, want, c.played)
		}
	}
	for _, other := range []string{"web", "site"} {
		if other != name && c.deploymentGroup(other) != nil {
			c.rt.Errorf("the deployment group %s is left after %v", other, c.played)
		}
	}
}
