package repair

import (
	"testing"

	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/repair"
	"deployhooks/test/region"
)

func TestOutOfScope(t *testing.T) {
	t.Parallel()
	for scenario, s := range map[string]setting{
		"in place":            {service: region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, InPlace: true}},
		"ECS":                 {service: region.Service{Application: "shop", DeploymentGroup: "web", Platform: codedeploytypes.ComputePlatformEcs}},
		"Lambda":              {service: region.Service{Application: "shop", DeploymentGroup: "web", Platform: codedeploytypes.ComputePlatformLambda}},
		"another application": {config: repair.Config{Scope: repair.Scope{Applications: []string{"bank"}}}},
		"another name":        {config: repair.Config{Scope: repair.Scope{DeploymentGroups: "api-*"}}},
		"another tag":         {config: repair.Config{Scope: repair.Scope{Tag: repair.Tag{Key: "team", Value: "bank"}}}},
		"opted out": {service: region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"},
			Tags: map[string]string{repair.OptOut.Key: repair.OptOut.Value}}},
	} {
		t.Run(scenario, func(t *testing.T) {
			f := newFixture(t, s)
			f.release(region.Deployment{})
			f.settle()
			for _, operation := range []string{"AttachTrafficSources", "RegisterTargets", "ResumeProcesses", "PutLifecycleHook"} {
				if n := f.Made(operation); n > 0 {
					t.Errorf("%s was called %d times", operation, n)
				}
			}
			if subjects := f.Subjects(); len(subjects) > 0 {
				t.Errorf("operators are notified %q", subjects)
			}
			if dead := f.Queue.DeadLetters(); len(dead) > 0 {
				t.Errorf("%d messages were moved to the dead-letter queue", len(dead))
			}
		})
	}
}

func TestSweepLeavesOutWhatTagsLeaveOut(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.Tags = map[string]string{"team": "bank"}
	f := newFixture(t, setting{service: svc, config: repair.Config{Scope: repair.Scope{Tag: repair.Tag{Key: "team", Value: "shop"}}}, noSweep: true})
	var swept sweepResult
	if f.ask(`{"action":"sweep"}`, &swept); swept.InScope != 0 || len(swept.HandedOver) != 0 {
		t.Errorf("the sweep found %+v", swept)
	}
}
