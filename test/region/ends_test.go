package region_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/region"
)

// TestHowDeploymentsEnd: the states, events and remains of every end.
func TestHowDeploymentsEnd(t *testing.T) {
	for _, tc := range []struct {
		name      string
		how       region.Deployment
		stopAt    region.Stage
		status    cd.DeploymentStatus
		events    []string
		left      bool // the replacement group, unnamed
		suspended bool // its processes
	}{
		{"well", region.Deployment{}, "", cd.DeploymentStatusSucceeded, []string{"START", "SUCCESS"}, false, false},
		{"well, with processes left suspended", region.Deployment{LeaveSuspended: true}, "", cd.DeploymentStatusSucceeded, []string{"START", "SUCCESS"}, false, true},
		{"failed in the installation", region.Deployment{FailAt: region.StageInstall}, "", cd.DeploymentStatusFailed, []string{"START", "FAILURE"}, true, false},
		{"failed in the reroute", region.Deployment{FailAt: region.StageReroute}, "", cd.DeploymentStatusFailed, []string{"START", "FAILURE"}, true, false},
		{"failed in the reroute, with processes left suspended", region.Deployment{FailAt: region.StageReroute, LeaveSuspended: true}, "", cd.DeploymentStatusFailed, []string{"START", "FAILURE"}, true, true},
		{"died in the reroute without a word", region.Deployment{DieAt: region.StageReroute}, "", cd.DeploymentStatusFailed, []string{"START"}, true, true},
		{"hanging in the installation, stopped", region.Deployment{HangAt: region.StageInstall}, region.StageInstall, cd.DeploymentStatusStopped, []string{"START", "STOP"}, true, false},
		{"hanging in the reroute, stopped", region.Deployment{HangAt: region.StageReroute}, region.StageReroute, cd.DeploymentStatusStopped, []string{"START", "STOP"}, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := shop(r)
			events := deploymentEvents(t, r)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 5 * time.Second})
			id := r.Deploy(svc, tc.how)
			if tc.stopAt != "" {
				r.RunUntil(func() bool { return r.StageOf(id) == tc.stopAt }, time.Hour)
				r.Advance(time.Hour)
				if r.Ended(id) {
					t.Error("a hanging deployment ended by itself")
				}
				r.Stop(id)
			}
			r.Advance(2 * time.Hour)
			if r.Status(id) != tc.status || !slices.Equal(events[id], tc.events) {
				t.Errorf("it ended %s with %v, want %s with %v", r.Status(id), events[id], tc.status, tc.events)
			}
			_, name := r.Groups(id)
			green, there := r.Group(name)
			if !there || (r.GroupOf(svc) != name) != tc.left {
				t.Errorf("the replacement group is there: %t; the deployment group names %s", there, r.GroupOf(svc))
			}
			if (len(green.SuspendedProcesses) == 3) != tc.suspended {
				t.Errorf("suspended are %v", green.SuspendedProcesses)
			}
			if s := users.Total(); s.Failed != 0 || s.Early != 0 {
				t.Errorf("users felt it: %+v", s)
			}
		})
	}
}

func TestReadyWaitsToBeContinued(t *testing.T) {
	for _, tc := range []struct {
		name      string
		continued bool
		events    []string
	}{
		{"continued", true, []string{"START", "READY", "SUCCESS"}},
		{"forgotten", false, []string{"START", "READY", "STOP"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, ReadyWait: 3 * time.Hour})
			events := deploymentEvents(t, r)
			id := r.Deploy(svc, region.Deployment{})
			r.Advance(time.Hour)
			if r.Status(id) != cd.DeploymentStatusReady {
				t.Fatalf("after an hour it is %s", r.Status(id))
			}
			if tc.continued {
				_, err := r.CodeDeploy().ContinueDeployment(ctx, &codedeploy.ContinueDeploymentInput{DeploymentId: &id})
				if err != nil {
					t.Fatal(err)
				}
			}
			r.Advance(3 * time.Hour)
			if !slices.Equal(events[id], tc.events) {
				t.Errorf("events %v, want %v", events[id], tc.events)
			}
		})
	}
}

// TestRollback: a new deployment with an ID of its own that gives the traffic
// back to the original group.
func TestRollback(t *testing.T) {
	for _, tc := range []struct {
		name string
		how  region.Deployment
		stop bool
	}{
		{"of a failure in the reroute", region.Deployment{FailAt: region.StageReroute}, false},
		{"of a stop in the reroute", region.Deployment{HangAt: region.StageReroute}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, RollBack: true})
			blue := r.GroupOf(svc)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
			events := deploymentEvents(t, r)
			failed := r.Deploy(svc, tc.how)
			if tc.stop {
				r.Advance(30 * time.Minute)
				r.Stop(failed)
			}
			r.Advance(time.Hour)
			id := r.RollbackOf(failed)
			if id == "" || id == failed || !slices.Equal(events[id], []string{"START", "SUCCESS"}) {
				t.Fatalf("the rollback is %q with events %v", id, events[id])
			}
			out, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &id})
			if err != nil {
				t.Fatal(err)
			}
			info := out.DeploymentInfo
			if info.Creator != cd.DeploymentCreatorCodeDeployRollback || *info.RollbackInfo.RollbackTriggeringDeploymentId != failed || !slices.Equal(info.TargetInstances.AutoScalingGroups, []string{blue}) {
				t.Errorf("the rollback is %+v", info)
			}
			_, green := r.Groups(failed)
			if _, left := r.Group(green); !left || r.GroupOf(svc) != blue || users.Total().Failed != 0 || healthy(r, "web") != 2 {
				t.Errorf("green left: %t, in charge: %s, %d healthy, users %+v", left, r.GroupOf(svc), healthy(r, "web"), users.Total())
			}
		})
	}
}

// TestNothingToRollBack: before the reroute a rollback creates no deployment.
func TestNothingToRollBack(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, RollBack: true})
	id := r.RunDeployment(svc, region.Deployment{FailAt: region.StageInstall})
	r.Advance(time.Hour)
	out, err := r.CodeDeploy().ListDeployments(ctx, &codedeploy.ListDeploymentsInput{})
	if err != nil || !slices.Equal(out.Deployments, []string{id}) || r.RollbackOf(id) != "" {
		t.Errorf("after a failure in the installation there are %v, %v", out.Deployments, err)
	}
}

// TestRollbackThatFails: one of the original instances never becomes healthy.
func TestRollbackThatFails(t *testing.T) {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, RollBack: true, HealthCheck: "EC2"})
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	r.Crash(r.InService(r.GroupOf(svc))[0])
	r.Advance(time.Minute)
	before := users.Total().Failed
	failed := r.RunDeployment(svc, region.Deployment{FailAt: region.StageReroute})
	r.Advance(2 * time.Hour)
	if status := r.Status(r.RollbackOf(failed)); status != cd.DeploymentStatusFailed {
		t.Errorf("the rollback is %s", status)
	}
	if total := users.Total(); total.Failed != before || total.Early != 0 || healthy(r, "web") != 1 {
		t.Errorf("the instance that was well does not serve: %d healthy, %+v", healthy(r, "web"), total)
	}
}

// TestThingsThatVanish: groups deleted in the middle end a deployment in
// failure, never in a panic.
func TestThingsThatVanish(t *testing.T) {
	for _, at := range []region.Stage{region.StageProvision, region.StageInstall, region.StageReroute} {
		for name, vanish := range map[string]func(*region.Region, region.Service, string){
			"blue":                 func(r *region.Region, _ region.Service, id string) { b, _ := r.Groups(id); r.DeleteGroup(b) },
			"green":                func(r *region.Region, _ region.Service, id string) { _, g := r.Groups(id); r.DeleteGroup(g) },
			"the target group":     func(r *region.Region, _ region.Service, _ string) { r.DeleteTargetGroup("web") },
			"the deployment group": func(r *region.Region, s region.Service, _ string) { r.DeleteDeploymentGroup(s) },
		} {
			t.Run(name+" in "+string(at), func(t *testing.T) {
				r := region.New(region.Options{})
				svc := shop(r)
				id := r.Deploy(svc, region.Deployment{})
				r.RunUntil(func() bool { return r.StageOf(id) == at }, time.Hour)
				vanish(r, svc, id)
				r.Advance(4 * time.Hour)
				if !r.Ended(id) {
					t.Errorf("four hours later it is %s in stage %s", r.Status(id), r.StageOf(id))
				}
			})
		}
	}
}
