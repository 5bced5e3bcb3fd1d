package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// top is the root of the module, seen from here.
var top = filepath.Join("..", "..", "..")

// awsCLI returns a directory with the AWS CLI, which testdata/aws.py has started
// once for all commands. It is the one that python3 has, on the path or where the
// end-to-end tests install theirs.
func awsCLI(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, python := range []string{filepath.Join(top, "build", "e2e", "venv", "bin", "python3"), "python3"} {
		// Version managers put programs on the path that look for the real one each time.
		real, err := exec.CommandContext(t.Context(), python, "-c", "import awscli, sys; print(sys.executable)").Output()
		if err == nil {
			serveCLI(t, strings.TrimSpace(string(real)), bin)
			return bin
		}
	}
	// Version 2 brings its own Python.
	path, err := exec.LookPath("aws")
	if err != nil || exec.CommandContext(t.Context(), path, "--version").Run() != nil {
		t.Skip("the AWS CLI is not installed: neither on the path nor in build/e2e/venv")
	}
	return filepath.Dir(path)
}

// serveCLI starts the AWS CLI until the test ends, and puts a program aws into
// bin that runs its commands.
func serveCLI(t *testing.T, python, bin string) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "aws.py"))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(bin, "socket")
	server := exec.Command(python, script, "serve", socket)
	server.Env, server.Stderr = withoutAWS(t), os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the AWS CLI does not start")
	}
	run := fmt.Sprintf("#!/bin/sh\nexec '%s' -IS '%s' run '%s' \"$@\"\n", python, script, socket)
	if err := os.WriteFile(filepath.Join(bin, "aws"), []byte(run), 0o755); err != nil {
		t.Fatal(err)
	}
}

// withoutAWS is the environment without this machine's settings of AWS.
func withoutAWS(t *testing.T) (env []string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "AWS_") {
			env = append(env, entry)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	return append(env, "NO_PROXY=127.0.0.1", "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1")
}

// shell runs a command as a user would who has copied the guide's exports. No
// other settings of AWS on this machine count.
func (s *sample) shell(t *testing.T, bin, command string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
	cmd.Env = append(withoutAWS(t), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, s.exports()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestTheAWSCLI types what people are told to, and more.
func TestTheAWSCLI(t *testing.T) {
	t.Parallel()
	bin := awsCLI(t)
	for name, test := range map[string]func(*testing.T, string){
		"the guide": testTheGuide, "the guide with the hooks": testTheGuideWithTheHooks,
		"the README": testTheREADME, "every protocol": testEveryProtocol,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, bin) })
	}
}

// testTheGuide types what the guide says, in order, and checks what a person
// would see.
func testTheGuide(t *testing.T, bin string) {
	s := served(t)
	s.typeTrials(t, bin, [][]string{
		{`"shop-web"`, "4", "targetgroup/web/"},
		{`"State": "healthy"`},
		{"\trunning\t"},
		{`"deploymentId": "d-`, `"now"`},
		{`"TrafficSources": []`},
		{""},
		{`"now"`},
		{"\tTerminating:Wait\n", "\thealthy\n"},
		{"\tInService\n"},
		{"Successful\t"},
		{"Standby\n"},
		{`"failures"`},
	})
	s.advance(5 * time.Minute)
	var after state
	s.get(t, "GET", "state", &after)
	if sources := after.AutoScalingGroups[0].TrafficSources; len(sources) != 1 || sources[0].State != "InService" {
		t.Errorf("what the CLI attached is not in service: %+v", after.AutoScalingGroups[0])
	}
	s.wantReleased(t)
}

// testTheGuideWithTheHooks does the same where the hooks work.
func testTheGuideWithTheHooks(t *testing.T, bin string) {
	s, _ := servedWithHooks(t)
	s.typeTrials(t, bin, [][]string{
		{`"shop-web"`, "4", "targetgroup/web/"},
		{`"State": "healthy"`},
		{"\trunning\t"},
		{`"deploymentId": "d-`, `"now"`},
		{`"State": "InService"`},
		{"repaired: shop/web"},
		{`"now"`},
		{"\tTerminating:Wait\n", "\tdraining\n"},
		{"\tInService\n", "outcome=drained"},
		{"Successful\t"},
		{"Standby\n"},
		{`"failures"`},
	})
	s.wantReleased(t)
}

// typeTrials types the guide's trials, of which each must show what is wanted.
func (s *sample) typeTrials(t *testing.T, bin string, wants [][]string) {
	t.Helper()
	trials := s.trials()
	if len(trials) != len(wants) {
		t.Fatalf("the guide has %d trials, of which %d are known", len(trials), len(wants))
	}
	for i, trial := range trials {
		out, err := s.shell(t, bin, trial.command)
		if err != nil {
			t.Fatalf("%s\n%s: %v\n%s", trial.about, trial.command, err, out)
		}
		for _, want := range wants[i] {
			if !strings.Contains(out, want) {
				t.Errorf("%s\n%s lacks %q:\n%s", trial.about, trial.command, want, out)
			}
		}
	}
}

// wantReleased holds that one lifecycle action was completed, and did not time out.
func (s *sample) wantReleased(t *testing.T) {
	t.Helper()
	actions := s.region.LifecycleActions()
	if len(actions) != 1 || actions[0].Ending != region.Completed {
		t.Errorf("nobody has completed the lifecycle action: %+v", actions)
	}
	if left := s.region.InService(s.region.GroupOf(s.service)); len(left) != 3 {
		t.Errorf("%d instances are in service after the scale-in, not 3", len(left))
	}
}

// testTheREADME types every command that the README says to try against the
// region.
func testTheREADME(t *testing.T, bin string) {
	s := served(t)
	readme, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## Try it against the simulated region\n")
	section, _, _ = strings.Cut(section, "\n## ")
	typed := 0
	for i, block := range strings.Split(section, "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "\naws ") { // not in a fence, or for another program
			continue
		}
		typed++
		if out, err := s.shell(t, bin, block); err != nil {
			t.Errorf("who types what the README says gets %v:\n%s\n%s", err, block, out)
		}
	}
	if !found || typed == 0 {
		t.Error("the README has no section with AWS CLI commands for the region")
	}
}

// testEveryProtocol calls one operation of each service, and shows that errors
// arrive by name. The CLI is not built on the Go SDK, so it is a second opinion
// on the wire.
func testEveryProtocol(t *testing.T, bin string) {
	s := served(t)
	s.region.AddTable("baselines", "application", "deploymentGroup")
	queue := s.region.Queue("repair").WithoutEvents()
	item := `'{"application":{"S":"shop"},"deploymentGroup":{"S":"web"},"targets":{"L":[{"S":"a"},{"N":"1.5"},{"BOOL":true},{"NULL":true}]}}'`
	// Version 1 of the CLI calls SQS by an old name unless given the address.
	sqs := "aws sqs send-message --endpoint-url \"$AWS_ENDPOINT_URL_SQS\" --queue-url "
	cases := []struct{ name, command, want string }{
		{"Auto Scaling", "aws autoscaling describe-auto-scaling-groups --max-items 1 --query 'AutoScalingGroups[0].CreatedTime'", "2024-03-0"},
		{"Auto Scaling, a group that is not there", "aws autoscaling resume-processes --auto-scaling-group-name none --scaling-processes AddToLoadBalancer", "(ValidationError)"},
		{"Elastic Load Balancing", "aws elbv2 describe-target-groups --names web --query 'TargetGroups[].Port' --output text", "80"},
		{"Elastic Load Balancing, a target group that is not there", "aws elbv2 describe-target-groups --names none", "(TargetGroupNotFound)"},
		{"EC2", "aws ec2 describe-instances --max-items 1 --query 'Reservations[].Instances[].State' --output text", "16\trunning"},
		{"EC2, an instance that is not there", "aws ec2 describe-instances --instance-ids i-0123456789abcdef0", "(InvalidInstanceID.NotFound)"},
		{"EC2, tags", "aws ec2 describe-instances --filters Name=tag:aws:autoscaling:groupName,Values=shop-web --query 'Reservations[0].Instances[0].Tags[0].Key'", "aws:autoscaling:groupName"},
		{"CodeDeploy", "aws deploy list-deployment-groups --application-name shop --output text", "web"},
		{"CodeDeploy, a deployment that is not there", "aws deploy get-deployment --deployment-id d-NONE00000", "(DeploymentDoesNotExistException)"},
		{"CodeDeploy, a deployment", "aws deploy create-deployment --application-name shop --deployment-group-name web --query \"starts_with(deploymentId, 'd-')\"", "true"},
		// Version 2 prints the date that version 1 leaves as a number.
		{"CodeDeploy, the time of a deployment", "aws deploy get-deployment --deployment-id $(aws deploy list-deployments --query 'deployments[0]' --output text) --query deploymentInfo.createTime | sed s/.2024-03-04T09:00:00+00:00./1709542800/", "1709542800"},
		{"SSM", "aws ssm put-parameter --name /deployhooks/shop/web --value green --type String --overwrite", `"Version": 1`},
		{"SNS", "aws sns publish --topic-arn arn:aws:sns:eu-west-1:123456789012:deployments --message 'a & <b>'", `"MessageId"`},
		{"SNS, a topic that is not there", "aws sns publish --topic-arn arn:aws:sns:eu-west-1:123456789012:none --message a", "(NotFound)"},
		{"SQS", sqs + queue.URL() + " --message-body 'grün & <b>'", `"MD5OfMessageBody"`},
		{"SQS, a queue that is not there", sqs + queue.URL() + "-none --message-body a", "(AWS.SimpleQueueService.NonExistentQueue)"},
		{"EventBridge", `aws events put-events --entries '[{"Source":"deployhooks.repair","DetailType":"Deployment Hook Outcome","Detail":"{}"}]'`, `"FailedEntryCount": 0`},
		{"DynamoDB, a put", "aws dynamodb put-item --table-name baselines --item " + item + " --condition-expression 'attribute_not_exists(#v)' --expression-attribute-names '{\"#v\":\"version\"}'; echo done", "done"},
		{"DynamoDB, a get", `aws dynamodb batch-get-item --request-items '{"baselines":{"Keys":[{"application":{"S":"shop"},"deploymentGroup":{"S":"web"}}]}}'`, `"N": "1.5"`},
		{"DynamoDB, a condition that fails", "aws dynamodb put-item --table-name baselines --item " + item + " --condition-expression 'attribute_not_exists(application)'", "(ConditionalCheckFailedException)"},
		{"an operation that is not served", "aws autoscaling describe-account-limits", "(InvalidAction)"},
		{"a service that is not there, Query", "aws sts get-caller-identity", "(InvalidAction)"},
		{"Classic Load Balancers, which share a name with the others", "aws elb describe-load-balancers", `"LoadBalancerDescriptions"`},
		{"a service that is not there, REST", "aws vpc-lattice list-target-groups", "(UnknownOperationException)"},
		{"another operation that is not served", "aws ssm describe-sessions --state Active", "(UnknownOperationException)"},
	}
	for _, c := range cases {
		out, err := s.shell(t, bin, c.command)
		if fails := strings.HasPrefix(c.want, "("); (err != nil) != fails || !strings.Contains(out, c.want) {
			t.Errorf("%s: %s ends with %v, want %s in:\n%s", c.name, c.command, err, c.want, out)
		}
	}
}
