package region_test

import (
	"slices"
	"testing"
	"time"

	"deployhooks/test/region"
)

// zones are those of an environment of three.
var zones = []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}

// zonal is a region with a service in three zones, and its users.
func zonal(t *testing.T, instances int) (*region.Region, region.Service, *region.Stream) {
	t.Helper()
	r := region.New(region.Options{RebalancesZones: true})
	svc := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: instances, Zones: zones,
	})
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 10})
	r.Advance(time.Minute)
	return r, svc, users
}

// perZone counts a group's instances in service by zone.
func perZone(r *region.Region, group string) map[string]int {
	n := map[string]int{}
	for _, i := range r.InService(group) {
		n[r.ZoneOf(i)]++
	}
	return n
}

func TestInstancesAreSpreadOverZones(t *testing.T) {
	r := region.New(region.Options{}) // which evens nothing out afterwards
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 6, Zones: zones})
	for _, i := range r.InService(svc.Group) {
		if r.ZoneOf(i) == zones[1] {
			r.Kill(i)
		}
	}
	r.Advance(10 * time.Minute)
	for _, zone := range zones {
		if n := perZone(r, svc.Group)[zone]; n != 2 {
			t.Errorf("%d of 6 instances are in %s: its loss costs more than a third", n, zone)
		}
	}
}

// TestAZoneFails: what is in it dies at once, its share of the load balancer's nodes fails
// for as long as the DNS names it, and the group grows elsewhere until it is back.
func TestAZoneFails(t *testing.T) {
	r, svc, users := zonal(t, 3)
	failedAt := r.Now()
	r.FailZone(zones[0])
	r.Advance(10 * time.Minute)
	if n := perZone(r, svc.Group); n[zones[0]] != 0 || len(r.InService(svc.Group)) != 3 {
		t.Errorf("ten minutes after its zone failed the group is at %v, not at three in the others", n)
	}
	causes, inFlight := map[string]int{}, 0
	for _, f := range users.Failures() {
		causes[f.Cause] += f.Requests
		if f.Cause == "dead-node" && f.Instance != "" && r.ZoneOf(f.Instance) != zones[0] {
			inFlight += f.Requests
		}
		if late := f.Last.Sub(failedAt); late > 90*time.Second {
			t.Errorf("%s failed %s after the zone: %+v", f.Cause, late, f)
		}
	}
	if causes["dead-node"] < 250 || causes["not-answering"] == 0 {
		t.Errorf("failures by cause: %v, want a third of 90 s at the load balancer's node, and some until the health checks notice", causes)
	}
	if inFlight == 0 {
		t.Error("what was in flight through the load balancer's node of the zone to instances in others did not fail")
	}
	before := users.Total().Failed
	r.RestoreZone(zones[0])
	r.Advance(15 * time.Minute)
	if n := perZone(r, svc.Group); n[zones[0]] != 1 {
		t.Errorf("the zone is back, and the group is at %v: the next failure costs two of three", n)
	}
	if now := users.Total().Failed; now != before {
		t.Errorf("%d requests failed while the group evened out its zones", now-before)
	}
}

func TestAllZonesFail(t *testing.T) {
	r, svc, _ := zonal(t, 3)
	for _, zone := range zones {
		r.FailZone(zone)
	}
	r.Advance(10 * time.Minute)
	if n := len(r.Running()); n != 0 {
		t.Errorf("%d instances run where every zone has failed", n)
	}
	r.RestoreZone(zones[1])
	r.Advance(10 * time.Minute)
	if n := perZone(r, svc.Group); n[zones[1]] != 3 {
		t.Errorf("a zone is back, and the group is at %v", n)
	}
}

// TestAnInstanceDiesBeforeItsDeployment: CodeDeploy waits for its agent until the launch
// hook times out, and the group launches another one.
func TestAnInstanceDiesBeforeItsDeployment(t *testing.T) {
	r, svc, _ := zonal(t, 3)
	r.RunDeployment(svc, region.Deployment{}) // whose hook deploys to what is launched
	group := r.GroupOf(svc)
	known := r.Running()
	r.Scale(group, 4)
	r.Advance(30 * time.Second)
	for _, i := range r.Running() {
		if !slices.Contains(known, i) {
			r.Kill(i)
		}
	}
	r.Advance(8 * time.Minute)
	if n := len(r.InService(group)); n != 3 {
		t.Errorf("%d instances in service: one that was never deployed to is among them", n)
	}
	r.Advance(10 * time.Minute)
	if n := len(r.InService(group)); n != 4 {
		t.Errorf("%d instances in service after the launch hook has timed out, want 4", n)
	}
}

// TestInstancesOfAReleaseDie: a deployment goes on without those of the replacement group
// that died, however long ago, and fails if it reaches none.
func TestInstancesOfAReleaseDie(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, ReadyWait: 3 * time.Hour})
	install := func() (id string, green []string) {
		id = r.Deploy(svc, region.Deployment{})
		r.RunUntil(func() bool { return r.StageOf(id) == region.StageInstall }, time.Hour)
		_, group := r.Groups(id)
		return id, r.InService(group)
	}
	id, green := install()
	for _, i := range green {
		r.Kill(i)
	}
	r.Advance(time.Minute)
	if !r.Ended(id) || r.Deployed(id) {
		t.Errorf("a deployment that reached no instance is %s", r.Status(id))
	}
	id, green = install()
	r.Kill(green[0])
	r.Advance(2 * time.Hour) // EC2 has forgotten it
	r.Continue(id)
	r.Advance(10 * time.Minute)
	if !r.Deployed(id) {
		t.Errorf("a deployment that lost one of %d instances is %s in stage %s", len(green), r.Status(id), r.StageOf(id))
	}
}

// TestARollbackOfTheFirstRelease: there is no revision to update the original group's
// instances to, and they keep what their image has.
func TestARollbackOfTheFirstRelease(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{
		Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, TerminationWait: time.Hour, RollBack: true,
	})
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	id := r.Deploy(svc, region.Deployment{})
	r.RunUntil(func() bool { return r.StageOf(id) == region.StageWait }, time.Hour)
	r.Advance(5 * time.Minute)
	before := users.Total().Failed
	r.Stop(id)
	r.Advance(5 * time.Second)
	r.Scale(svc.Group, 3) // the third one is launched during the rollback
	r.Advance(10 * time.Minute)
	if failed := users.Total().Failed - before; !r.Deployed(r.RollbackOf(id)) || failed > 0 {
		t.Errorf("the rollback is %s, and %d requests failed: %+v", r.Status(r.RollbackOf(id)), failed, users.Failures())
	}
}
