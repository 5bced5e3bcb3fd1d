package region_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	events "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/test/region"
)

// inRegion completes an ARN: service and resource.
func inRegion(service, resource string) string {
	return "arn:aws:" + service + ":" + region.Name + ":" + region.Account + ":" + resource
}

// policy is a document of statements, each given without its Effect Allow.
func policy(statements ...string) []byte {
	for n, s := range statements {
		if !strings.Contains(s, `"Effect"`) {
			statements[n] = `{"Effect":"Allow",` + s[1:]
		}
	}
	return []byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
}

func allow(action, resource string) string {
	return fmt.Sprintf(`{"Action":%q,"Resource":%q}`, action, resource)
}

func allowIf(action, resource, condition string) string {
	return fmt.Sprintf(`{"Action":%q,"Resource":%q,"Condition":%s}`, action, resource, condition)
}

// permitted is a region in which everything that a call below needs exists.
func permitted() *region.Region {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Tags: map[string]string{"Hooks": "on"}})
	if err := second(r.AutoScaling().CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []asg.Tag{{ResourceId: aws.String(group), ResourceType: aws.String("auto-scaling-group"),
		Key: aws.String("Private"), Value: aws.String("yes"), PropagateAtLaunch: aws.Bool(false)}}})); err != nil {
		panic(err)
	}
	r.AddTable("drains", "autoScalingGroup", "drain")
	r.Topic("notices")
	r.Queue("drain").WithoutEvents()
	r.AddBus("platform")
	return r
}

const lattice = "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0"

// calls are simulated calls by a name, made as whoever has the region.
var calls = map[string]func(*region.Principal) error{
	"describe": func(p *region.Principal) error { return describeGroups(p.Region) },
	"resume": func(p *region.Principal) error {
		return second(p.AutoScaling().ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String(group)}))
	},
	"resume a group that does not exist": func(p *region.Principal) error {
		return second(p.AutoScaling().ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("none")}))
	},
	"tag": func(p *region.Principal) error {
		return second(p.AutoScaling().CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []asg.Tag{
			{ResourceId: aws.String(group), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("Team"), Value: aws.String("blue")},
		}}))
	},
	"terminate": func(p *region.Principal) error {
		return second(p.AutoScaling().TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
			InstanceId: aws.String(p.InService(group)[0]), ShouldDecrementDesiredCapacity: aws.Bool(false)}))
	},
	"health of an instance that is gone": func(p *region.Principal) error {
		return second(p.AutoScaling().SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{InstanceId: aws.String("i-0123456789abcdef0"), HealthStatus: aws.String("Unhealthy")}))
	},
	"no events": func(p *region.Principal) error {
		return second(p.EventBridge().PutEvents(ctx, &eventbridge.PutEventsInput{}))
	},
	"attach lattice": func(p *region.Principal) error {
		return second(p.AutoScaling().AttachTrafficSources(ctx, &autoscaling.AttachTrafficSourcesInput{AutoScalingGroupName: aws.String(group),
			TrafficSources: []asg.TrafficSourceIdentifier{{Identifier: aws.String(lattice), Type: aws.String("vpc-lattice")}}}))
	},
	"detach lattice": func(p *region.Principal) error {
		return second(p.AutoScaling().DetachTrafficSources(ctx, &autoscaling.DetachTrafficSourcesInput{AutoScalingGroupName: aws.String(group),
			TrafficSources: []asg.TrafficSourceIdentifier{{Identifier: aws.String(lattice), Type: aws.String("vpc-lattice")}}}))
	},
	"change the service role": func(p *region.Principal) error {
		return second(p.CodeDeploy().UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{ApplicationName: aws.String("shop"), CurrentDeploymentGroupName: aws.String("web"),
			ServiceRoleArn: aws.String("arn:aws:iam::123456789012:role/hooks")}))
	},
	"tag the deployment group": func(p *region.Principal) error {
		return second(p.CodeDeploy().TagResource(ctx, &codedeploy.TagResourceInput{
			ResourceArn: aws.String("arn:aws:codedeploy:" + region.Name + ":" + region.Account + ":deploymentgroup:shop/web"), Tags: []cd.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	},
	"launch another template": func(p *region.Principal) error {
		return second(p.AutoScaling().UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(group),
			LaunchTemplate: &asg.LaunchTemplateSpecification{LaunchTemplateId: aws.String("lt-1"), Version: aws.String("1")}}))
	},
	"put a hook with a role": func(p *region.Principal) error {
		return second(p.AutoScaling().PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String("h"),
			LifecycleTransition: aws.String(terminating), RoleARN: aws.String("arn:aws:iam::123456789012:role/hooks"), NotificationTargetARN: aws.String(p.Queue("drain").ARN())}))
	},
	"target health": func(p *region.Principal) error {
		return second(p.ELBV2().DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(p.TargetGroupARN("web"))}))
	},
	"register": func(p *region.Principal) error {
		return second(p.ELBV2().RegisterTargets(ctx, &elasticloadbalancingv2.RegisterTargetsInput{TargetGroupArn: aws.String(p.TargetGroupARN("web")),
			Targets: []elb.TargetDescription{{Id: aws.String(p.InService(group)[0])}}}))
	},
	"list applications": func(p *region.Principal) error {
		return second(p.CodeDeploy().ListApplications(ctx, nil))
	},
	"list groups": func(p *region.Principal) error {
		return second(p.CodeDeploy().ListDeploymentGroups(ctx, &codedeploy.ListDeploymentGroupsInput{ApplicationName: aws.String("shop")}))
	},
	"deploy": func(p *region.Principal) error {
		out, err := p.CodeDeploy().CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")})
		if err != nil {
			return err
		}
		return second(p.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: out.DeploymentId}))
	},
	"read a deployment that does not exist": func(p *region.Principal) error {
		return second(p.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: aws.String("d-NONE00000")}))
	},
	"command": func(p *region.Principal) error {
		in := shell("true")
		in.InstanceIds = p.InService(group)
		return second(p.SSM().SendCommand(ctx, in))
	},
	"list commands": func(p *region.Principal) error { return second(p.SSM().ListCommands(ctx, &ssm.ListCommandsInput{})) },
	"put a parameter": func(p *region.Principal) error {
		return putParameter(p.Region, "/deployhooks/shop/web", "green", true)
	},
	"publish": func(p *region.Principal) error {
		return second(p.SNS().Publish(ctx, &sns.PublishInput{TopicArn: aws.String(p.Topic("notices").ARN()), Message: aws.String("m")}))
	},
	"send": func(p *region.Principal) error {
		return second(p.SQS().SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(p.Queue("drain").URL()), MessageBody: aws.String("{}")}))
	},
	"put events": func(p *region.Principal) error {
		return second(p.EventBridge().PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []events.PutEventsRequestEntry{{
			EventBusName: aws.String("platform"), Source: aws.String("deployhooks.drain"), DetailType: aws.String("Drain"), Detail: aws.String("{}")}}}))
	},
	"transact": func(p *region.Principal) error {
		return second(p.DynamoDB().TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []ddb.TransactWriteItem{
			claim("a"), {Delete: &ddb.Delete{TableName: aws.String("drains"), Key: drainKey("b")}}}}))
	},
	"scan": func(p *region.Principal) error {
		return second(p.DynamoDB().Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("drains")}))
	},
}

// TestPolicies: a policy that lets a call pass in the region and not in AWS
// means a function that fails in production only.
func TestPolicies(t *testing.T) {
	groups := inRegion("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")
	passRole := "arn:aws:iam::123456789012:role/hooks"
	instances, document := inRegion("ec2", "instance/*"), "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript"
	drains := inRegion("dynamodb", "table/drains")
	for _, tc := range []struct {
		name   string
		call   string
		policy []byte
		code   string // "" where the call is allowed
		says   string
	}{
		{"an action that is not allowed", "describe", policy(allow("autoscaling:Attach*", "*")), "AccessDenied",
			"User: arn:aws:sts::123456789012:assumed-role/drain/drain is not authorized to perform: autoscaling:DescribeAutoScalingGroups because no identity-based policy allows the autoscaling:DescribeAutoScalingGroups action"},
		{"an action in other letters", "describe", policy(allow("AutoScaling:describe*", "*")), "", ""},
		{"an action with one letter open", "describe", policy(allow("autoscaling:DescribeAutoScalingGroup?", "*")), "", ""},
		{"a description limited to groups, which AWS does not know", "describe", policy(allow("autoscaling:*", groups)), "AccessDenied", ""},
		{"a group by its ARN", "resume", policy(allow("autoscaling:ResumeProcesses", groups)), "", ""},
		{"another group", "resume", policy(allow("autoscaling:ResumeProcesses", groups[:len(groups)-1]+"api-*")), "AccessDenied", "on resource: " + inRegion("autoscaling", "autoScalingGroup:")},
		{"a group that does not exist", "resume a group that does not exist", policy(allow("autoscaling:ResumeProcesses", groups)), "ValidationError", "not found"},
		{"a group by an instance", "terminate", policy(allow("autoscaling:TerminateInstanceInAutoScalingGroup", groups[:len(groups)-1]+group)), "", ""},
		{"an instance that is in no group", "health of an instance that is gone", policy(allow("autoscaling:SetInstanceHealth", groups)), "ValidationError", ""},
		{"an empty request", "no events", policy(allow("events:PutEvents", "*")), "ValidationException", ""},
		{"an explicit deny", "resume", policy(allow("*", "*"), `{"Effect":"Deny","Action":"autoscaling:Resume*","Resource":"*"}`), "AccessDenied", "with an explicit deny in an identity-based policy"},
		{"a deny of something else", "resume", policy(allow("*", "*"), `{"Effect":"Deny","Action":"autoscaling:Suspend*","Resource":"*"}`), "", ""},
		{"a tag of the group", "resume", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"aws:ResourceTag/hooks":"on"}}`)), "", ""},
		{"a tag under the service's own key", "resume", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"autoscaling:ResourceTag/Hooks":["off","on"]}}`)), "", ""},
		{"a tag with another value", "resume", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"aws:ResourceTag/Hooks":"ON"}}`)), "AccessDenied", ""},
		{"a tag with a pattern where none is read", "resume", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"aws:ResourceTag/Hooks":"*"}}`)), "AccessDenied", ""},
		{"a tag that is missing", "resume", policy(allowIf("autoscaling:*", groups, `{"StringLike":{"aws:ResourceTag/team":"*"}}`)), "AccessDenied", ""},
		{"a tag that is missing, if it exists", "resume", policy(allowIf("autoscaling:*", groups, `{"StringLikeIfExists":{"aws:ResourceTag/team":"x"}}`)), "", ""},
		{"a tag that must not be there", "resume", policy(allowIf("autoscaling:*", groups, `{"Null":{"aws:ResourceTag/Hooks":"true"}}`)), "AccessDenied", ""},
		{"two conditions, one of them not met", "resume", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"aws:ResourceTag/Hooks":"on"},"StringNotEquals":{"aws:PrincipalAccount":"123456789012"}}`)), "AccessDenied", ""},
		{"a tag that is asked for", "tag", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"aws:RequestTag/Team":"blue"}}`)), "", ""},
		{"a tag that is not asked for", "tag", policy(allowIf("autoscaling:*", groups, `{"StringEquals":{"aws:RequestTag/Team":"red"}}`)), "AccessDenied", ""},
		{"all traffic sources of a kind", "attach lattice", policy(allowIf("autoscaling:*", groups, `{"ForAllValues:StringLike":{"autoscaling:TrafficSourceIdentifiers":"arn:aws:elasticloadbalancing:*"}}`)), "AccessDenied", "autoscaling:AttachTrafficSources"},
		{"VPC Lattice without its own action", "attach lattice", policy(allow("autoscaling:*", groups)), "AccessDenied", "vpc-lattice:RegisterTargets on resource: " + lattice},
		{"VPC Lattice with it", "attach lattice", policy(allow("autoscaling:*", groups), allow("vpc-lattice:RegisterTargets", lattice)), "", ""},
		{"VPC Lattice, detached without it", "detach lattice", policy(allow("autoscaling:*", groups), allow("vpc-lattice:RegisterTargets", lattice)), "AccessDenied", "vpc-lattice:DeregisterTargets"},
		{"a role that may not be passed", "put a hook with a role", policy(allow("autoscaling:*", groups)), "AccessDenied", "iam:PassRole on resource: " + passRole},
		{"a service role that may not be passed", "change the service role", policy(allow("codedeploy:*", "*")), "AccessDeniedException", "iam:PassRole on resource: " + passRole},
		{"a service role that may be passed", "change the service role", policy(allow("codedeploy:*", "*"), allowIf("iam:PassRole", passRole, `{"StringEquals":{"iam:PassedToService":"codedeploy.amazonaws.com"}}`)), "", ""},
		{"a deployment group's tags", "tag the deployment group", policy(allow("codedeploy:TagResource", inRegion("codedeploy", "deploymentgroup:shop/*"))), "", ""},
		{"another application's tags", "tag the deployment group", policy(allow("codedeploy:TagResource", inRegion("codedeploy", "deploymentgroup:pay/*"))), "AccessDeniedException", ""},
		{"a template that may not be used", "launch another template", policy(allow("autoscaling:*", groups)), "AccessDenied", "ec2:RunInstances"},
		{"a template that may be used", "launch another template", policy(allow("autoscaling:*", groups), allowIf("ec2:RunInstances", "*", `{"ArnLike":{"ec2:LaunchTemplate":"arn:aws:ec2:*:*:launch-template/*"}}`)), "", ""},
		{"a key that may be given", "tag", policy(allowIf("autoscaling:*", groups, `{"ForAllValues:StringEquals":{"aws:TagKeys":"Team"}}`)), "", ""},
		{"a key that may not be given", "tag", policy(allowIf("autoscaling:*", groups, `{"ForAllValues:StringEquals":{"aws:TagKeys":"owner"}}`)), "AccessDenied", ""},
		{"a role for another service", "put a hook with a role", policy(allow("autoscaling:*", groups), allowIf("iam:PassRole", passRole, `{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}`)), "AccessDenied", ""},
		{"a role that may be passed", "put a hook with a role", policy(allow("autoscaling:*", groups), allowIf("iam:PassRole", passRole, `{"StringEquals":{"iam:PassedToService":"autoscaling.amazonaws.com"}}`)), "", ""},
		{"target health needs every resource", "target health", policy(allow("elasticloadbalancing:*", inRegion("elasticloadbalancing", "targetgroup/*"))), "AccessDenied", ""},
		{"targets of a target group", "register", policy(allow("elasticloadbalancing:RegisterTargets", inRegion("elasticloadbalancing", "targetgroup/web/*"))), "", ""},
		{"targets of another target group", "register", policy(allow("elasticloadbalancing:RegisterTargets", inRegion("elasticloadbalancing", "targetgroup/api/*"))), "AccessDenied", ""},
		{"applications", "list applications", policy(allow("codedeploy:ListApplications", inRegion("codedeploy", "application:shop"))), "AccessDeniedException", ""},
		{"deployment groups of an application", "list groups", policy(allow("codedeploy:ListDeploymentGroups", inRegion("codedeploy", "application:shop"))), "", ""},
		{"a deployment, by its deployment group", "deploy", policy(allow("codedeploy:*", inRegion("codedeploy", "deploymentgroup:shop/*"))), "", ""},
		{"a deployment of another application", "deploy", policy(allow("codedeploy:CreateDeployment", "*"), allow("codedeploy:Get*", inRegion("codedeploy", "deploymentgroup:api/*"))), "AccessDeniedException",
			"codedeploy:GetDeployment on resource: " + inRegion("codedeploy", "deploymentgroup:shop/web")},
		{"a deployment that does not exist", "read a deployment that does not exist", policy(allow("codedeploy:Get*", inRegion("codedeploy", "deploymentgroup:api/*"))), "DeploymentDoesNotExistException", ""},
		{"a command on instances of groups", "command", policy(allow("ssm:SendCommand", document), allowIf("ssm:SendCommand", instances, `{"StringLike":{"ssm:resourceTag/aws:autoscaling:groupName":"*"}}`)), "", ""},
		{"a command on instances with a tag that is not given to them", "command", policy(allow("ssm:SendCommand", document), allowIf("ssm:SendCommand", instances, `{"StringLike":{"ssm:resourceTag/Private":"*"}}`)), "AccessDeniedException", ""},
		{"a command on instances with a tag of their group", "command", policy(allow("ssm:SendCommand", document), allowIf("ssm:SendCommand", instances, `{"StringLike":{"aws:ResourceTag/Hooks":"on"}}`)), "", ""},
		{"a tag that must be another, and is missing", "resume", policy(allowIf("autoscaling:*", groups, `{"StringNotEquals":{"aws:ResourceTag/team":"x"}}`)), "", ""},
		{"a command on instances of another group", "command", policy(allow("ssm:SendCommand", document), allowIf("ssm:SendCommand", instances, `{"StringLike":{"ssm:resourceTag/aws:autoscaling:groupName":"api-*"}}`)), "AccessDeniedException", "instance/i-"},
		{"a document that is not allowed", "command", policy(allow("ssm:SendCommand", inRegion("ssm", "document/*")), allow("ssm:SendCommand", instances)), "AccessDeniedException", "on resource: " + document},
		{"commands need every resource", "list commands", policy(allow("ssm:ListCommands", instances)), "AccessDeniedException", ""},
		{"a parameter below a path", "put a parameter", policy(allow("ssm:PutParameter", inRegion("ssm", "parameter/deployhooks/*"))), "", ""},
		{"a parameter elsewhere", "put a parameter", policy(allow("ssm:PutParameter", inRegion("ssm", "parameter/other/*"))), "AccessDeniedException", ""},
		{"a topic", "publish", policy(allow("sns:Publish", inRegion("sns", "notices"))), "", ""},
		{"another topic", "publish", policy(allow("sns:Publish", inRegion("sns", "alarms"))), "AuthorizationError", "SNS:Publish on resource: " + inRegion("sns", "notices")},
		{"a queue", "send", policy(allow("sqs:SendMessage", inRegion("sqs", "drain"))), "", ""},
		{"another queue", "send", policy(allow("sqs:SendMessage", inRegion("sqs", "repair"))), "AccessDeniedException", ""},
		{"a bus, from a source", "put events", policy(allowIf("events:PutEvents", inRegion("events", "event-bus/platform"), `{"StringEquals":{"events:source":"deployhooks.drain"}}`)), "", ""},
		{"another bus", "put events", policy(allow("events:PutEvents", inRegion("events", "event-bus/default"))), "AccessDeniedException", ""},
		{"a transaction, by what it does", "transact", policy(allow("dynamodb:PutItem", drains), allow("dynamodb:DeleteItem", drains)), "", ""},
		{"a transaction that may not delete", "transact", policy(allow("dynamodb:PutItem", drains), allow("dynamodb:TransactWriteItems", drains)), "AccessDeniedException", "dynamodb:DeleteItem on resource: " + drains},
		{"a scan of another table", "scan", policy(allow("dynamodb:Scan", inRegion("dynamodb", "table/baselines"))), "AccessDeniedException", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := permitted().Principal("drain", tc.policy)
			err := calls[tc.call](p)
			if code(err) != tc.code || (err == nil) != (tc.code == "") {
				t.Fatalf("%q gives %v, want %q", tc.call, err, tc.code)
			}
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the answer is %v, want in it %s", err, tc.says)
			}
		})
	}
}

// TestAnUnlimitedCallerMayDoEverything: making a principal limits nobody else,
// and its calls are recorded with everybody's.
func TestAnUnlimitedCallerMayDoEverything(t *testing.T) {
	r := permitted()
	r.ForgetCalls()
	p := r.Principal("drain", policy(allow("ssm:ListCommands", "*")))
	if err := describeGroups(p.Region); code(err) != "AccessDenied" {
		t.Errorf("a principal's call gives %v", err)
	}
	if err := describeGroups(r); err != nil {
		t.Errorf("without a policy the call gives %v", err)
	}
	if n := len(r.Calls()); n != 2 {
		t.Errorf("%d calls are recorded", n)
	}
}

func TestUnusedPermissions(t *testing.T) {
	r := permitted()
	p := r.Principal("drain",
		policy(`{"Sid":"Read","Action":["autoscaling:Describe*","ssm:ListCommands"],"Resource":"*"}`, `{"Sid":"Notify","Action":"sns:Publish","Resource":"*"}`),
		policy(`{"Sid":"Again","Action":"sns:*","Resource":"*"}`, allow("sqs:SendMessage", "*"), `{"Effect":"Deny","Sid":"Never","Action":"ssm:*","Resource":"*"}`))
	for _, call := range []string{"describe", "publish", "send", "list commands"} {
		if err := calls[call](p); (err != nil) != (call == "list commands") {
			t.Fatal(err)
		}
	}
	want := []string{"Read: ssm:ListCommands", "Notify: sns:Publish", "Again: sns:*"}
	if got := p.Unused(); !slices.Equal(got, want) {
		t.Errorf("unused are %q, want %q: a statement that nothing needs would stay in the role", got, want)
	}
	if err := p.Authorize("logs:PutLogEvents", inRegion("logs", "log-group:/aws/lambda/drain:log-stream:a"), nil); code(err) != "AccessDeniedException" {
		t.Errorf("an action of another service gives %v", err)
	}
}

// TestPoliciesThatAreNotSimulated: what is read over is an outage, or a hole,
// that no test sees.
func TestPoliciesThatAreNotSimulated(t *testing.T) {
	for name, document := range map[string][]byte{
		"no JSON":                 []byte(`{`),
		"another version":         []byte(`{"Version":"2008-10-17","Statement":[]}`),
		"no effect":               policy(`{"Effect":"","Action":"a:b","Resource":"*"}`),
		"no resource":             policy(`{"Action":"a:b"}`),
		"all actions but":         policy(`{"NotAction":"a:b","Resource":"*"}`),
		"a principal":             policy(`{"Principal":"*","Action":"a:b","Resource":"*"}`),
		"a variable":              policy(allow("a:b", "arn:aws:sns:::${aws:username}")),
		"an operator":             policy(allowIf("a:b", "*", `{"NumericLessThan":{"aws:ResourceTag/a":"1"}}`)),
		"a set operator":          policy(allowIf("a:b", "*", `{"ForSomeValues:StringEquals":{"aws:ResourceTag/a":"1"}}`)),
		"a key":                   policy(allowIf("a:b", "*", `{"StringEquals":{"aws:SourceIp":"1"}}`)),
		"a key without its tag":   policy(allowIf("a:b", "*", `{"StringEquals":{"aws:ResourceTag/":"1"}}`)),
		"a Null of another value": policy(allowIf("a:b", "*", `{"Null":{"aws:ResourceTag/a":"yes"}}`)),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the policy is taken as if it had been understood")
				}
			}()
			region.New(region.Options{}).Principal("drain", document)
		})
	}
}

// TestPollingTakesPermissions: an event source mapping works with the
// function's role; without its permissions the function is never invoked.
func TestPollingTakesPermissions(t *testing.T) {
	for _, tc := range []struct {
		name    string
		actions string
		handed  int
	}{
		{"all three", `["sqs:ReceiveMessage","sqs:DeleteMessage","sqs:GetQueueAttributes"]`, 1},
		{"no deletion", `["sqs:ReceiveMessage","sqs:GetQueueAttributes"]`, 0},
	} {
		r := region.New(region.Options{})
		q := r.Queue("drain")
		p := r.Principal("drain", policy(`{"Action":`+tc.actions+`,"Resource":"`+q.ARN()+`"}`))
		handed := 0
		q.PolledBy(p).Serve(func([]byte) ([]byte, error) { handed++; return nil, nil })
		q.Send("{}")
		r.Advance(time.Minute)
		if handed != tc.handed {
			t.Errorf("%s: %d batches are handed out, want %d", tc.name, handed, tc.handed)
		}
	}
}
