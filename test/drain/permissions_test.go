package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// role is the function's role, with the policy that infra gives it for a
// configuration: every scenario enforces it, so that a permission that is missing
// fails scenarios.
func (s *scenario) role(environment settings) *region.Principal {
	s.t.Helper()
	cfg, err := config.Parse(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	cfg.Drain.Command, cfg.Drain.Document = environment["COMMAND"], environment["DOCUMENT"]
	if documents := environment["TAG_DOCUMENTS"]; documents != "" {
		cfg.Drain.TagDocuments = strings.Split(documents, ",")
	}
	if environment["MODE"] == "plan" {
		cfg.Drain.Mode = config.Plan
	}
	cfg.Drain.Tag.Key, cfg.Drain.Tag.Value, _ = strings.Cut(environment["TAG"], "=")
	statements := append(permissions.Drain(cfg, permissions.Location{
		Partition: "aws", Region: region.Name, Account: region.Account, Table: tableARN(environment["TABLE"]), NoticeTopic: environment["TOPIC_ARN"],
	}), permissions.Statement{SID: "RequeueOwnMessages", Actions: []string{"sqs:SendMessage"}, Resources: []string{queueARN(environment["QUEUE_URL"])}})
	return s.Principal("drain", policies.Document(statements))
}

func tableARN(name string) string {
	return "arn:aws:dynamodb:" + region.Name + ":" + region.Account + ":table/" + name
}

func queueARN(url string) string {
	return "arn:aws:sqs:" + region.Name + ":" + region.Account + ":" + url[strings.LastIndex(url, "/")+1:]
}

// TestEveryPermissionIsNeeded plays what drain does, and holds that each action of
// each statement is one that a call rested on: what is not needed is not allowed.
func TestEveryPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	var unused []string
	play := func(env settings, happens func(s *scenario)) {
		s := newScenario(t, setup{env: env, heartbeat: 120, mix: []time.Duration{time.Second, 100 * time.Second}})
		role := s.role(s.environment(nil))
		s.Function = s.functionAs(role, nil)
		happens(s)
		s.Advance(30 * time.Minute)
		if left := role.Unused(); unused == nil {
			unused = left
		} else {
			unused = slices.DeleteFunc(unused, func(p string) bool { return !slices.Contains(left, p) && strings.Contains(p, ":") })
		}
	}
	env := command("stop")
	play(env, func(s *scenario) { // a command that may have been sent
		s.SetFaults(region.On("SendCommand", 1, region.Fault{After: region.TimedOut()}))
		s.OnCommand(func(region.CommandRun) region.CommandResult { return region.CommandResult{Failed: 1} })
		s.action("drain", s.InService(s.group)[0])
		s.scaleIn(1)
	})
	play(env, func(s *scenario) { // a copy by CodeDeploy
		svc := s.AddService(region.Service{Application: "pay", DeploymentGroup: "blue", TargetGroups: []string{"pay"}, Instances: 3})
		s.RunDeployment(svc, region.Deployment{})
		s.group = s.GroupOf(svc)
		s.putHook(hook, 300)
		s.Advance(time.Hour)
		s.scaleIn(1)
	})
	play(env, func(s *scenario) { // a Classic Load Balancer
		s.AddClassicLoadBalancer(region.ClassicLoadBalancer{Name: "front"})
		s.group = s.AddService(region.Service{Application: "old", DeploymentGroup: "web", ClassicLoadBalancers: []string{"front"}, Instances: 4, HealthCheck: "EC2"}).Group
		s.putHook(hook, 300)
		s.Advance(time.Minute)
		s.InterruptSpot(s.InService(s.group)[0])
	})
	play(env, func(s *scenario) { // a warm pool, by the sweep
		s.reuse(true)
		s.SetDelivery(lose)
		s.scaleIn(1)
	})
	play(env, func(s *scenario) { // an instance that somebody else has released
		s.Queue.Send(terminateEvent(func(_, detail map[string]any) { detail["EC2InstanceId"] = s.InService(s.group)[0] }))
		s.RecommendRebalance(s.InService(s.group)[1])
	})
	play(settings{"COMMAND": "stop", "TAG": "team=web"}, func(s *scenario) { // an instance of another owner, as turns out when Auto Scaling answers again
		other := s.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Instances: 2, HealthCheck: "EC2"})
		s.SetFaults(func(c region.Call) region.Fault {
			if c.Service == "Auto Scaling" {
				return region.Fault{Before: region.Unavailable()}
			}
			return region.Fault{}
		})
		s.InterruptSpot(s.InService(other.Group)[0])
		s.Advance(25 * time.Second)
		s.SetFaults(nil)
	})
	for _, permission := range unused {
		t.Errorf("no call rests on %s: whoever gets hold of the function's role may do more than drain does", permission)
	}
}
