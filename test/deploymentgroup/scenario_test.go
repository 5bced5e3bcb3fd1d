// Package deploymentgroup plays the function behind the custom resource for deployment
// groups in the simulated region: CloudFormation requests through the topic, CodeDeploy
// releases in between, and the answers that come back.
package deploymentgroup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/infra/permissions"
	"deployhooks/pkg/deploymentgroup"
	"deployhooks/pkg/invoke"
	"deployhooks/test/harness"
	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// What the stack is and has.
const (
	stack       = "arn:aws:cloudformation:" + region.Name + ":" + region.Account + ":stack/training/8b5e1d20"
	otherStack  = "arn:aws:cloudformation:" + region.Name + ":" + region.Account + ":stack/production/9c6f2e31"
	logicalID   = "ShopDeploymentGroup"
	serviceRole = "arn:aws:iam::" + region.Account + ":role/codedeploy"
	seed        = "shop-seed"
	template    = "lt-0a1b2c3d4e5f60718"
)

// scenario is a region with the function in it, as the stack in infra sets it up, and with
// what the deployment group of the template stands on.
type scenario struct {
	*harness.Harness
	t       testing.TB
	topic   *region.Topic
	role    *region.Principal
	service region.Service
	// answers are the responses that CloudFormation got, by request; sendFails is how often
	// the next ones fail.
	answers   map[string][]invoke.Response
	sendFails []int
	requests  int
	log       *bytes.Buffer
}

// properties of the custom resource, as CloudFormation writes them.
type properties map[string]any

func newScenario(t testing.TB) *scenario {
	t.Helper()
	r := region.New(region.Options{})
	s := &scenario{
		Harness: &harness.Harness{Region: r, Notices: r.Topic("notices"), Queue: r.Queue("deploymentgroup")},
		t:       t, topic: r.Topic("requests"), answers: map[string][]invoke.Response{}, log: &bytes.Buffer{},
		service: region.Service{Application: "shop", DeploymentGroup: "web"},
	}
	s.Queue.Configure(region.QueueSettings{BatchSize: 1, VisibilityTimeout: 2 * time.Minute, MaxReceive: 10}).WithoutEvents()
	s.topic.Subscribe(s.Queue, false)
	_, err := s.CodeDeploy().CreateApplication(t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: aws.String("shop")})
	s.must(err)
	r.AddTargetGroup(region.TargetGroup{Name: "web"})
	s.addGroup(seed, 0)
	s.role = s.Principal("deploymentgroup", s.policy())
	s.Function = s.function()
	s.Queue.Serve(s.Invoke)
	r.ForgetCalls()
	return s
}

func (s *scenario) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// policy is what the construct gives the function's role.
func (s *scenario) policy() []byte {
	statements := permissions.DeploymentGroup(nil, permissions.Location{Partition: "aws", Region: region.Name, Account: region.Account})
	return policies.Document(append(statements,
		permissions.Statement{SID: "Requeue", Actions: []string{"sqs:SendMessage"}, Resources: []string{s.Queue.ARN()}},
		permissions.Statement{SID: "PassServiceRole", Actions: []string{"iam:PassRole"}, Resources: []string{serviceRole},
			Condition: map[string]map[string]string{"StringEquals": {"iam:PassedToService": "codedeploy.amazonaws.com"}}}))
}

func (s *scenario) function() *deploymentgroup.Manager {
	cfg := deploymentgroup.Config{QueueURL: s.Queue.URL(), Home: invoke.Home{Account: region.Account, Region: region.Name}}
	return deploymentgroup.New(cfg, deploymentgroup.Clients{
		Deployments: s.role.CodeDeploy(), Groups: s.role.AutoScaling(), Queue: s.role.SQS(), Web: s,
	}, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), s.Now)
}

// Do is the bucket of the response URLs.
func (s *scenario) Do(req *http.Request) (*http.Response, error) {
	status := http.StatusOK
	if len(s.sendFails) > 0 {
		status, s.sendFails = s.sendFails[0], s.sendFails[1:]
	}
	if status == 0 {
		return nil, fmt.Errorf("connection reset")
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var answer invoke.Response
	if err := json.Unmarshal(body, &answer); err != nil {
		s.t.Errorf("the answer %s is no JSON: %v", body, err)
	}
	if status == http.StatusOK || status == http.StatusGatewayTimeout { // which has taken effect
		s.answers[answer.RequestID] = append(s.answers[answer.RequestID], answer)
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

// addGroup adds an Auto Scaling group as CloudFormation or a person makes one.
func (s *scenario) addGroup(name string, size int32, tags ...asg.Tag) {
	s.t.Helper()
	_, err := s.AutoScaling().CreateAutoScalingGroup(s.t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &name, MinSize: &size, MaxSize: &size, VPCZoneIdentifier: aws.String("subnet-0a,subnet-0b"), Tags: tags,
		LaunchTemplate:         &asg.LaunchTemplateSpecification{LaunchTemplateId: aws.String(template), Version: aws.String("1")},
		TargetGroupARNs:        []string{s.TargetGroupARN("web")},
		HealthCheckType:        aws.String("ELB"),
		HealthCheckGracePeriod: aws.Int32(60),
	})
	s.must(err)
}

// wanted are the properties of the template, with changes.
func (s *scenario) wanted(changes properties) properties {
	p := properties{
		"ServiceToken": s.topic.ARN(), "ServiceTimeout": "3600", "ApplicationName": "shop", "DeploymentGroupName": "web", "ServiceRoleArn": serviceRole,
		"AutoScalingGroup": seed, "TargetGroups": []string{s.TargetGroupARN("web")}, "TerminationWaitMinutes": "5", "DeploymentConfig": "CodeDeployDefault.AllAtOnce",
		"Alarms": []string{"shop-5xx"}, "TriggerTopic": "arn:aws:sns:" + region.Name + ":" + region.Account + ":triggers",
		"LaunchTemplateId": template, "LaunchTemplateVersion": "1", "MinSize": "2", "MaxSize": "4", "TargetCPUPercent": "50", "Tags": map[string]string{"team": "shop"},
	}
	maps.Copy(p, changes)
	maps.DeleteFunc(p, func(_ string, value any) bool { return value == nil })
	return p
}

// request publishes a request, and returns its message, so that it can be sent again.
func (s *scenario) request(kind, physicalID string, now, before properties) (id string) {
	s.t.Helper()
	s.requests++
	id = fmt.Sprintf("request-%d", s.requests)
	s.publish(s.message(id, kind, physicalID, now, before))
	return id
}

func (s *scenario) message(id, kind, physicalID string, now, before properties) string {
	m := map[string]any{
		"RequestType": kind, "ResponseURL": "https://responses.example/" + id + "?Signature=secret", "StackId": stack, "RequestId": id,
		"LogicalResourceId": logicalID, "ResourceType": "Custom::BlueGreenDeploymentGroup", "ResourceProperties": now,
	}
	if physicalID != "" {
		m["PhysicalResourceId"] = physicalID
	}
	if before != nil {
		m["OldResourceProperties"] = before
	}
	text, err := json.Marshal(m)
	s.must(err)
	return string(text)
}

func (s *scenario) publish(message string) {
	s.t.Helper()
	_, err := s.SNS().Publish(s.t.Context(), &sns.PublishInput{TopicArn: aws.String(s.topic.ARN()), Message: &message})
	s.must(err)
}

// answer lets time pass until a request has its answer.
func (s *scenario) answer(id string) invoke.Response {
	s.t.Helper()
	if !s.RunUntil(func() bool { return len(s.answers[id]) > 0 }, time.Hour) {
		s.t.Fatalf("%s has no answer within an hour: CloudFormation gives up without a reason\n%s", id, s.log)
	}
	return s.answers[id][0]
}

// succeeds requires the answer SUCCESS, and returns the physical ID.
func (s *scenario) succeeds(id string) string {
	s.t.Helper()
	a := s.answer(id)
	if a.Status != invoke.Success {
		s.t.Fatalf("%s fails: %s", id, a.Reason)
	}
	return a.PhysicalResourceID
}

// created is a scenario in which the deployment group exists, and its instances are in
// service.
func created(t testing.TB) *scenario {
	t.Helper()
	s := newScenario(t)
	if id := s.succeeds(s.request("Create", "", s.wanted(nil), nil)); id != "shop/web" {
		t.Fatalf("the physical ID is %s", id)
	}
	s.Advance(10 * time.Minute)
	return s
}

// released is one after a release, which has deleted the group of the template.
func released(t testing.TB) *scenario {
	t.Helper()
	s := created(t)
	s.release()
	return s
}

func (s *scenario) release() {
	s.t.Helper()
	if id := s.RunDeployment(s.service, region.Deployment{}); !s.Deployed(id) {
		s.t.Fatalf("the release ends as %s", s.Status(id))
	}
	s.Advance(10 * time.Minute)
}

// deploymentGroup is the deployment group, nil for none.
func (s *scenario) deploymentGroup(name string) *cd.DeploymentGroupInfo {
	s.t.Helper()
	out, err := s.CodeDeploy().GetDeploymentGroup(s.t.Context(), &codedeploy.GetDeploymentGroupInput{ApplicationName: aws.String("shop"), DeploymentGroupName: &name})
	if err != nil {
		return nil
	}
	return out.DeploymentGroupInfo
}

// current is the name of the deployment group's Auto Scaling group.
func (s *scenario) current() string {
	s.t.Helper()
	g := s.deploymentGroup("web")
	if g == nil || len(g.AutoScalingGroups) != 1 {
		s.t.Fatalf("the deployment group is %+v: it has no current Auto Scaling group", g)
	}
	return aws.ToString(g.AutoScalingGroups[0].Name)
}

// groups are the names of all Auto Scaling groups.
func (s *scenario) groups() (names []string) {
	s.t.Helper()
	out, err := s.AutoScaling().DescribeAutoScalingGroups(s.t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	s.must(err)
	for _, g := range out.AutoScalingGroups {
		names = append(names, aws.ToString(g.AutoScalingGroupName))
	}
	return names
}

// size is an Auto Scaling group in one line.
func (s *scenario) size(name string) string {
	s.t.Helper()
	g, exists := s.Group(name)
	if !exists {
		return "none"
	}
	out, err := s.AutoScaling().DescribePolicies(s.t.Context(), &autoscaling.DescribePoliciesInput{AutoScalingGroupName: &name})
	s.must(err)
	line := fmt.Sprintf("%d..%d version %s", *g.MinSize, *g.MaxSize, *g.LaunchTemplate.Version)
	for _, p := range out.ScalingPolicies {
		line += fmt.Sprintf(" cpu %v", *p.TargetTrackingConfiguration.TargetValue)
	}
	return line
}
