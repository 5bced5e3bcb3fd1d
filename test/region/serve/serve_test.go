package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// served serves a sample whose time passes only on request.
func served(t *testing.T) *sample {
	t.Helper()
	return servedWith(t, options{perSecond: 10})
}

func servedWith(t *testing.T, o options) *sample {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	s := newSample("http://"+server.Listener.Addr().String(), o)
	server.Config.Handler = s.handler()
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// get asks a control path and decodes the answer.
func (s *sample) get(t *testing.T, method, path string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+controlPath+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s %s answers %s: %v", method, path, body, err)
		}
	}
	return response.StatusCode
}

func (s *sample) config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(s.url),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// TestTheGoSDKDrivesTheRegion: a release loses the attachment, and the SDK's
// own clients, over HTTP, see it and give it back.
func TestTheGoSDKDrivesTheRegion(t *testing.T) {
	t.Parallel()
	s, ctx := served(t), t.Context()
	deployments, groups, balancers := codedeploy.NewFromConfig(s.config()), autoscaling.NewFromConfig(s.config()), elbv2.NewFromConfig(s.config())

	created, err := deployments.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	if status := s.get(t, "POST", "advance?seconds=1800", nil); status != http.StatusOK {
		t.Fatalf("time does not pass: %d", status)
	}
	deployment, err := deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: created.DeploymentId})
	if err != nil || deployment.DeploymentInfo.Status != codedeploytypes.DeploymentStatusSucceeded {
		t.Fatalf("the deployment has not succeeded: %+v, %v", deployment, err)
	}
	green := deployment.DeploymentInfo.TargetInstances.AutoScalingGroups[0]
	sources, err := groups.DescribeTrafficSources(ctx, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: aws.String(green)})
	if err != nil || len(sources.TrafficSources) != 0 {
		t.Fatalf("after a blue/green deployment the copy is attached to nothing; here: %+v, %v", sources, err)
	}
	targets, err := balancers.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := groups.AttachTrafficSources(ctx, &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(green),
		TrafficSources:       []autoscalingtypes.TrafficSourceIdentifier{{Identifier: targets.TargetGroups[0].TargetGroupArn, Type: aws.String("elbv2")}},
	}); err != nil {
		t.Fatal(err)
	}
	s.get(t, "POST", "advance?seconds=300", nil)
	sources, err = groups.DescribeTrafficSources(ctx, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: aws.String(green)})
	if err != nil || len(sources.TrafficSources) != 1 || aws.ToString(sources.TrafficSources[0].State) != "InService" {
		t.Errorf("the attached target group is not in service: %+v, %v", sources, err)
	}
}

func TestTheGoSDKGetsModelledErrors(t *testing.T) {
	t.Parallel()
	s := served(t)
	_, err := elbv2.NewFromConfig(s.config()).DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{
		TargetGroupArn: aws.String("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0123456789abcdef")})
	var gone *elbv2types.TargetGroupNotFoundException
	if !errors.As(err, &gone) {
		t.Errorf("a target group that is gone gives %v", err)
	}
	_, err = codedeploy.NewFromConfig(s.config()).GetDeployment(t.Context(), &codedeploy.GetDeploymentInput{DeploymentId: aws.String("d-NONE00000")})
	var none *codedeploytypes.DeploymentDoesNotExistException
	if !errors.As(err, &none) {
		t.Errorf("a deployment that does not exist gives %v", err)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	s := served(t)

	var before state
	s.get(t, "GET", "state", &before)
	if len(before.AutoScalingGroups) != 1 || len(before.AutoScalingGroups[0].Instances) != 4 || len(before.AutoScalingGroups[0].TrafficSources) != 1 ||
		len(before.TargetGroups) != 2 || len(before.TargetGroups[0].Targets) != 4 || len(before.TargetGroups[1].Targets) != 4 || len(before.Deployments) != 0 {
		t.Errorf("the sample is not as described: %+v", before)
	}

	var deployed struct{ DeploymentID string }
	if status := s.get(t, "POST", "deploy", &deployed); status != http.StatusOK || deployed.DeploymentID == "" {
		t.Fatalf("the deployment does not start: %d %+v", status, deployed)
	}
	var refused struct{ Error string }
	if status := s.get(t, "POST", "deploy", &refused); status != http.StatusConflict || !strings.Contains(refused.Error, "already has an active Deployment") {
		t.Errorf("a second deployment at once is answered %d %q", status, refused.Error)
	}
	var advanced struct{ Now time.Time }
	s.get(t, "POST", "advance?seconds=1800", &advanced)
	if passed := advanced.Now.Sub(before.Now); passed != 30*time.Minute {
		t.Errorf("%s pass instead of half an hour", passed)
	}

	var after state
	s.get(t, "GET", "state", &after)
	if len(after.Deployments) != 1 || after.Deployments[0].Status != "Succeeded" || after.Deployments[0].ID != deployed.DeploymentID {
		t.Errorf("the state does not show the deployment: %+v", after.Deployments)
	}
	if len(after.AutoScalingGroups) != 1 || after.AutoScalingGroups[0].Name == before.AutoScalingGroups[0].Name || len(after.AutoScalingGroups[0].TrafficSources) != 0 {
		t.Errorf("the state does not show the copy without its load balancing: %+v", after.AutoScalingGroups)
	}
	if after.Requests.Total < 30*60*9 {
		t.Errorf("%d requests in half an hour: users are not there", after.Requests.Total)
	}
}

// TestTheStateExplainsFailedRequests: which instance, in which group, why, and
// how many; nothing is left over.
func TestTheStateExplainsFailedRequests(t *testing.T) {
	t.Parallel()
	s := served(t)
	victim := s.region.InService("shop-web")[0]
	s.get(t, "POST", "advance?seconds=60", nil)
	s.region.Crash(victim)
	s.get(t, "POST", "advance?seconds=600", nil)
	var after state
	s.get(t, "GET", "state", &after)
	explained := 0
	for _, f := range after.Requests.Failures {
		explained += f.Requests
		if f.Instance != victim || f.AutoScalingGroup != "shop-web" || f.Why == "" || f.Cause == "" || f.TargetGroup == "" {
			t.Errorf("a failure is explained as %+v", f)
		}
	}
	if after.Requests.Failed == 0 || explained != after.Requests.Failed {
		t.Errorf("%d of %d failed requests are explained", explained, after.Requests.Failed)
	}
}

// TestNoDeadInstancesAreKept: a region that is served for days must not drown
// in the instances of its releases.
func TestNoDeadInstancesAreKept(t *testing.T) {
	t.Parallel()
	s := served(t)
	for range 3 {
		s.get(t, "POST", "deploy", nil)
		s.get(t, "POST", "advance?seconds=7200", nil)
	}
	out, err := s.region.EC2().DescribeInstances(t.Context(), nil)
	if err != nil || len(out.Reservations) != 4 || len(s.partner) != 4 {
		t.Errorf("after three releases there are %d instances, and %d are remembered, %v", len(out.Reservations), len(s.partner), err)
	}
}

// TestNoExampleReachesAWS: every AWS CLI command of the guide is for a service
// whose address is exported, and sqs, for which version 1 heeds none, is given it.
func TestNoExampleReachesAWS(t *testing.T) {
	t.Parallel()
	services := map[string]string{"autoscaling": "AUTO_SCALING", "elbv2": "ELASTIC_LOAD_BALANCING_V2", "deploy": "CODEDEPLOY", "ec2": "EC2", "ssm": "SSM", "sqs": "SQS"}
	for _, o := range []options{{perSecond: 1}, {perSecond: 1, hooks: true}} {
		s := newSample("http://127.0.0.1:1", o)
		exported := strings.Join(s.exports(), "\n")
		for _, want := range []string{"AWS_ENDPOINT_URL=", "AWS_ACCESS_KEY_ID=test", "AWS_EC2_METADATA_DISABLED=true"} {
			if !strings.Contains(exported, want) {
				t.Errorf("nothing exports %s: a command may find real credentials, or AWS itself", want)
			}
		}
		for _, trial := range s.trials() {
			for _, command := range strings.Split(trial.command, "aws ")[1:] {
				service, _, _ := strings.Cut(command, " ")
				if !strings.Contains(exported, "AWS_ENDPOINT_URL_"+services[service]+"=http://127.0.0.1:1") || services[service] == "" {
					t.Errorf("%s: nothing exports where %s is", trial.about, service)
				}
				if service == "sqs" && !strings.Contains(command, "--endpoint-url") {
					t.Errorf("%s: version 1 of the AWS CLI sends this to AWS: aws %s", trial.about, command)
				}
			}
		}
	}
}

func TestEventsSoFar(t *testing.T) {
	t.Parallel()
	s := served(t)
	s.get(t, "POST", "deploy", nil)
	s.get(t, "POST", "advance?seconds=1800", nil)

	var all struct {
		Events []struct {
			Source string
			Detail struct{ State string }
		}
		Next int
	}
	s.get(t, "GET", "events", &all)
	var states []string
	for _, e := range all.Events {
		if e.Source == "aws.codedeploy" {
			states = append(states, e.Detail.State)
		}
	}
	if got := strings.Join(states, " "); got != "START READY SUCCESS" && got != "START SUCCESS" {
		t.Errorf("the events tell %q: whoever publishes them differs from what is sent by CodeDeploy", got)
	}
	var none struct {
		Events []json.RawMessage
		Next   int
	}
	s.get(t, "GET", "events?after="+jsonNumber(all.Next), &none)
	if none.Events == nil || len(none.Events) != 0 || none.Next != all.Next {
		t.Errorf("after the last event there are %s, next %d: callers would publish twice", none.Events, none.Next)
	}

	var notes struct {
		Notifications []struct{ Subject, Message string }
	}
	s.get(t, "GET", "notifications", &notes)
	if n := len(notes.Notifications); n == 0 {
		t.Fatal("CodeDeploy's trigger has published nothing")
	}
	last := notes.Notifications[len(notes.Notifications)-1]
	if !strings.HasPrefix(last.Subject, "SUCCEEDED: AWS CodeDeploy d-") || !strings.Contains(last.Message, `"status":"SUCCEEDED"`) {
		t.Errorf("the last notification is %q: %s", last.Subject, last.Message)
	}
}

func jsonNumber(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := served(t)
	cases := []struct {
		name, method, path string
		status             int
		want               string
	}{
		{"time backwards", "POST", "advance?seconds=-1", 400, "from 0 to"},
		{"no time", "POST", "advance", 400, "seconds=N"},
		{"words for time", "POST", "advance?seconds=soon", 400, "soon"},
		{"not a number", "POST", "advance?seconds=NaN", 400, "NaN"},
		{"years", "POST", "advance?seconds=1e9", 400, "604800"},
		{"events after a word", "GET", "events?after=x", 400, "after=N"},
		{"notifications after a word", "GET", "notifications?after=-2", 400, "after=N"},
		{"an application that does not exist", "POST", "deploy?application=none", 409, "none/web"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got struct{ Error string }
			if status := s.get(t, c.method, c.path, &got); status != c.status || !strings.Contains(got.Error, c.want) {
				t.Errorf("answers %d %q, want %d and %q", status, got.Error, c.status, c.want)
			}
		})
	}
	for _, path := range []string{"advance", "deploy"} {
		if status := s.get(t, "GET", path, nil); status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s is answered %d: a GET must change nothing", path, status)
		}
	}
}

// TestRun runs the command as `make region` does, but for the port.
func TestRun(t *testing.T) {
	t.Parallel()
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--port", "0", "--speed", "1000", "--traffic", "0"}, in)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it says nothing")
	}
	_, url, ok := strings.Cut(lines.Text(), " is served at ")
	if !ok {
		t.Fatalf("it does not say where it serves: %q", lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s := &sample{url: url}
	var first, later state
	s.get(t, "GET", "state", &first)
	for later = first; later.Now.Equal(first.Now); { // until a tick has passed
		s.get(t, "GET", "state", &later)
	}
	if later.Now.Before(first.Now) {
		t.Errorf("time passes from %s to %s", first.Now, later.Now)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, args  string
		fails, says string
	}{
		{"help", "--help", "", "Serves a simulated AWS region"},
		{"an option that is none", "--prot 1", "flag provided but not defined", "-port"},
		{"a word", "start", `"start" is not understood`, ""},
		{"a port that is none", "--port 99999", "choose another with --port", ""},
		{"time backwards", "--speed -1", "must not be negative", ""},
		{"hooks that are not built", "--port 0 --hooks --build nothing", "make region ARGS=--hooks", ""},
		{"fewer than no users", "--traffic -1", "must not be negative", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			err := run(t.Context(), strings.Fields(c.args), &out)
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("ends with %v, want %q", err, c.fails)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("says %q, want %q in it", out.String(), c.says)
			}
		})
	}
}

func TestTheGuideIsTrue(t *testing.T) {
	t.Parallel()
	cases := map[string]options{
		"passes only on request":               {speed: 0, perSecond: 1},
		"as real time does":                    {speed: 1, perSecond: 1},
		"60 times as fast as real time":        {speed: 60, perSecond: 1},
		"Nobody uses it":                       {speed: 60},
		"with --hooks the built\nfunctions do": {speed: 60},
		"complete-lifecycle-action":            {speed: 60},
		"AttachTrafficSources":                 {speed: 60},
		"export AWS_ENDPOINT_URL=http://":      {speed: 60},
		"Its users send 25 requests a second.": {perSecond: 25},
		"The built functions repair and drain": {hooks: true},
		"build/drain/log":                      {hooks: true, build: "build"},
	}
	for want, o := range cases {
		if guide := newSample("http://127.0.0.1:1", o).guide(); !strings.Contains(guide, want) {
			t.Errorf("with %+v the guide lacks %q:\n%s", o, want, guide)
		}
	}
}
