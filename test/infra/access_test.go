package infra

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/repair/setting"
)

// target is what the actions of a role may be allowed on: resources of the
// template by their types, and others by their ARNs.
type target struct {
	types []string
	arns  string // a regular expression; $ARN begins one of this account
	// condition is a key that must narrow the statement, where the ARN does not.
	condition string
	actions   []string
}

// targets are the resource types that actions have, by the Service Authorization
// Reference. The first are those with none.
func targets() []target {
	return []target{{
		arns: `\*`, actions: slices.Concat(setting.Reads(), []string{
			"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLifecycleHooks",
			"autoscaling:DescribeTrafficSources", "autoscaling:DescribeWarmPool", "codedeploy:ListApplications", "codedeploy:ListDeploymentTargets",
			"elasticloadbalancing:DescribeInstanceHealth", "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeTargetGroupAttributes",
			"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth", "ssm:ListCommandInvocations", "ssm:ListCommands",
			"states:SendTaskSuccess",
			// A function in a VPC ("Giving Lambda functions access to resources in an Amazon
			// VPC", AWS Lambda Developer Guide): Lambda makes the interfaces, whose IDs are
			// not known before.
			"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
			"ec2:UnassignPrivateIpAddresses", "ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones", "ec2:DescribeInternetGateways",
			"ec2:DescribeSecurityGroups", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcs", "autoscaling:DescribePolicies", "ecr:GetAuthorizationToken",
			// Agents of Systems Manager on instances.
			"ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint", "ec2messages:GetMessages",
			"ec2messages:SendReply", "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
			// A state machine that logs and is traced ("Logging using CloudWatch Logs" and
			// "Tracing with X-Ray", Step Functions developer guide).
			"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
			"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
			"xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
		}),
	}, {
		arns: `$ARN:autoscaling:<Region>:<AccountId>:autoScalingGroup:\*:autoScalingGroupName/.+`, actions: slices.Concat(without(setting.Writes(), []string{"iam:PassRole"}), []string{
			"autoscaling:CompleteLifecycleAction", "autoscaling:DetachTrafficSources", "autoscaling:EnterStandby", "autoscaling:ExitStandby",
			"autoscaling:RecordLifecycleActionHeartbeat", "autoscaling:SetInstanceHealth", "autoscaling:SetInstanceProtection", "autoscaling:SuspendProcesses",
			"autoscaling:CreateOrUpdateTags",
		}),
	}, {
		arns: `$ARN:autoscaling:<Region>:<AccountId>:autoScalingGroup:\*:autoScalingGroupName/\*`, condition: "aws:ResourceTag/", actions: []string{
			"autoscaling:DeleteAutoScalingGroup", "autoscaling:DeletePolicy", "autoscaling:PutScalingPolicy", "autoscaling:UpdateAutoScalingGroup",
		},
	}, {
		arns: `$ARN:rds:<Region>:<AccountId>:db:\*`, actions: []string{"rds:DescribeDBInstances"},
	}, {
		arns: `$ARN:rds:<Region>:<AccountId>:(db:[^*]+|snapshot:\*)`, actions: []string{"rds:DescribeDBSnapshots"},
	}, {
		arns: `$ARN:rds:<Region>:<AccountId>:db:deployhooks-(proof|fill)-[^*]+`, condition: "StringEquals=aws:RequestTag/deployhooks:restored-for=",
		actions: []string{"rds:AddTagsToResource", "rds:RestoreDBInstanceFromDBSnapshot"},
	}, {
		// What an instance is restored from, and what it gets.
		arns: `$ARN:rds:<Region>:<AccountId>:(snapshot:\*|subgrp:[^*]+|og:default:\*|pg:(default\.)?\*)`, actions: []string{"rds:RestoreDBInstanceFromDBSnapshot"},
	}, {
		arns: `$ARN:rds:<Region>:<AccountId>:db:deployhooks-(proof|fill)-[^*]+`, condition: "StringEquals=aws:ResourceTag/deployhooks:restored-for=",
		actions: []string{"rds:DeleteDBInstance", "rds:ModifyDBInstance"},
	}, {
		arns: `$ARN:rds:<Region>:<AccountId>:db:deployhooks-former-[^*]+`, actions: []string{"rds:DeleteDBInstance", "rds:ModifyDBInstance"},
	}, {
		// The environments that are filled, which give their names away.
		arns: `$ARN:rds:<Region>:<AccountId>:db:(staging|training)`, actions: []string{"rds:ModifyDBInstance"},
	}, {
		// Secrets that RDS makes for the instances that it restores.
		arns: `$ARN:secretsmanager:<Region>:<AccountId>:secret:rds!db-\*`, actions: []string{"secretsmanager:CreateSecret", "secretsmanager:TagResource"},
	}, {
		arns: `$ARN:secretsmanager:<Region>:<AccountId>:secret:rds!db-\*`, condition: "aws:rds:primaryDBInstanceArn", actions: []string{"secretsmanager:GetSecretValue"},
	}, {
		arns: `$ARN:kms:<Region>:<AccountId>:key/\*`, condition: "kms:ViaService", actions: []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
	}, {
		types: []string{"AWS::StepFunctions::StateMachine"}, actions: []string{"states:StartExecution"},
	}, {
		arns: `\*`, condition: "ec2:LaunchTemplate", actions: []string{"ec2:RunInstances"}, // all that a launch makes
	}, {
		arns: `$ARN:ec2:<Region>:<AccountId>:\*/\*`, condition: "ec2:CreateAction=RunInstances", actions: []string{"ec2:CreateTags"},
	}, {
		arns: `$ARN:ssm:<Region>:<AccountId>:parameter/\*`, actions: []string{"ssm:GetParameters"},
	}, {
		types: []string{"AWS::ECR::Repository"}, actions: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
	}, {
		types: []string{"AWS::SecretsManager::SecretTargetAttachment"}, actions: []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"},
	}, {
		arns: `$ARN:codedeploy:<Region>:<AccountId>:deploymentgroup:.+`, actions: []string{
			"codedeploy:BatchGetDeploymentGroups", "codedeploy:BatchGetDeployments", "codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments",
			"codedeploy:CreateDeploymentGroup", "codedeploy:DeleteDeploymentGroup", "codedeploy:ListTagsForResource", "codedeploy:StopDeployment",
			"codedeploy:TagResource", "codedeploy:UntagResource", "codedeploy:UpdateDeploymentGroup",
		},
	}, {
		arns: `$ARN:codedeploy:<Region>:<AccountId>:application:.+`, actions: []string{"codedeploy:ListDeploymentGroups"},
	}, {
		arns: `$ARN:elasticloadbalancing:<Region>:<AccountId>:targetgroup/.+`, actions: []string{"elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"},
	}, {
		arns: `$ARN:elasticloadbalancing:<Region>:<AccountId>:loadbalancer/.+`, actions: []string{"elasticloadbalancing:DeregisterInstancesFromLoadBalancer"},
	}, {
		arns: `$ARN:vpc-lattice:<Region>:<AccountId>:targetgroup/.+`, actions: []string{"vpc-lattice:DeregisterTargets", "vpc-lattice:RegisterTargets"},
	}, {
		types: []string{"AWS::DynamoDB::Table"}, arns: `$ARN:dynamodb:<Region>:<AccountId>:table/[^*]+`,
		actions: []string{"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"},
	}, {
		types: []string{"AWS::SQS::Queue"}, actions: []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"},
	}, {
		types: []string{"AWS::SNS::Topic"}, arns: `$ARN:sns:[^*]+|Fn::ImportValue=[^*]+`, actions: []string{"sns:Publish"},
	}, {
		types: []string{"AWS::Logs::LogGroup"}, actions: []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
	}, {
		types: []string{"AWS::Lambda::Function"}, actions: []string{"lambda:InvokeFunction"},
	}, {
		// The CDK's grants, wildcards included: queues need some of them, the tables'
		// key, which DynamoDB uses on behalf of the caller, the others.
		types: []string{"AWS::KMS::Key"}, actions: []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
	}, {
		types: []string{"AWS::S3::Bucket"}, actions: []string{"s3:ListBucket", "s3:ListBucketVersions"},
	}, {
		// Objects, which have a slash after the bucket.
		arns: `<\w*(Bucket|Revisions)\.Arn>/.+|arn:<Partition>:s3:::[^*]+/[^*]+`, actions: []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"},
	}, {
		arns: `$ARN:secretsmanager:[^:]+:[^:]+:secret:[^*]+/\*`, actions: []string{"secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:TagResource"},
	}, {
		arns: `$ARN:secretsmanager:[^:]+:[^:]+:secret:([^*]+|[^*]+/\*)`, actions: []string{"secretsmanager:GetSecretValue"},
	}, {
		arns: `$ARN:ses:<Region>:<AccountId>:identity/.+`, actions: []string{"ses:CreateEmailIdentity", "ses:DeleteEmailIdentity", "ses:GetEmailIdentity", "ses:TagResource"},
	}, {
		arns: `$ARN:states:<Region>:<AccountId>:stateMachine:[^*]+`, actions: []string{"states:StartExecution"},
	}, {
		arns: `$ARN:states:<Region>:<AccountId>:execution:[^*]+:\*`, actions: []string{"states:DescribeExecution"},
	}, {
		arns: `$ARN:events:<Region>:<AccountId>:event-bus/[^*]+`, actions: []string{"events:PutEvents"},
	}, { // a central bus, of whatever account
		arns: `arn:aws:events:([a-z0-9-]+|<Region>):[0-9]{12}:event-bus/[^*]+`, actions: []string{"events:PutEvents"},
	}, {
		arns: `$ARN:ssm:<Region>:<AccountId>:parameter/[^*]+/\*`, actions: []string{"ssm:PutParameter"},
	}, {
		arns: `$ARN:ssm:<Region>:(<AccountId>)?:document/[^*]+`, actions: []string{"ssm:SendCommand"},
	}, {
		arns: `$ARN:ec2:<Region>:<AccountId>:instance/\*`, condition: "ssm:resourceTag/", actions: []string{"ssm:SendCommand"},
	}, {
		types: []string{"AWS::IAM::Role"}, arns: `$ARN:iam::[^*]+:role/[^*]+`, condition: "iam:PassedToService", actions: []string{"iam:PassRole"},
	}}
}

// takes reports whether a resource in a policy of a template is one of the target's.
func (tt target) takes(in template, resource string) bool {
	if tt.arns != "" && regexp.MustCompile(`^(`+strings.ReplaceAll(tt.arns, "$ARN", "arn:(<Partition>|aws)")+`)$`).MatchString(resource) {
		return true
	}
	reference, index, _ := strings.Cut(resource, ">/index/")
	reference = strings.TrimSuffix(strings.Trim(reference, "<>"), ".Arn")
	if strings.ContainsAny(reference, "<>:*") || strings.Contains(index, "*") {
		return false
	}
	for _, kind := range tt.types {
		for id := range in.of(kind) {
			if name(id) == reference {
				return true
			}
		}
	}
	return false
}

// Every action of every role of every variant is allowed on resources that it has,
// no wider than must be, and under the condition that narrows it.
func TestStatementsNameResourcesOfTheirActions(t *testing.T) {
	t.Parallel()
	of := map[string][]target{}
	for _, target := range targets() {
		for _, action := range target.actions {
			of[action] = append(of[action], target)
		}
	}
	used := map[string]bool{}
	for variant, template := range variants() {
		for id, policy := range template.of("AWS::IAM::Policy") {
			for _, s := range statements(policy.Properties["PolicyDocument"]) {
				if s.Effect != "Allow" || len(s.Resources) == 0 || len(s.Actions) == 0 {
					t.Errorf("%s: %s: this test does not know the statement %v", variant, id, s)
				}
				for _, action := range s.Actions {
					used[action] = true
					if of[action] == nil {
						t.Errorf("%s: %s allows %s: say in targets() which resources it has", variant, id, action)
						continue
					}
					for _, resource := range s.Resources {
						if !slices.ContainsFunc(of[action], func(tt target) bool {
							return tt.takes(template, resource) && strings.Contains(s.Condition, tt.condition)
						}) {
							t.Errorf("%s: %s allows %s on %s if %q: that is denied by AWS, or wider than it must be", variant, id, action, resource, s.Condition)
						}
					}
				}
			}
		}
	}
	for _, action := range slices.Sorted(maps.Keys(of)) {
		if !used[action] {
			t.Errorf("no role has %s any more", action)
		}
	}
}

// A tag that says which Auto Scaling groups are in scope narrows every change of one.
func TestTagsInScopeNarrowEveryChange(t *testing.T) {
	t.Parallel()
	for role, tag := range map[string]string{"RepairRole": "hooks=on", "DrainRole": "drain=on"} {
		for _, s := range configured.permissions(role) {
			changes := slices.ContainsFunc(s.Resources, func(r string) bool { return strings.Contains(r, ":autoScalingGroupName/") })
			if want := "StringEquals=aws:ResourceTag/" + tag; changes && s.Condition != want {
				t.Errorf("%s: %s reaches groups that are not in scope: its condition is %q, want %q", role, s.SID, s.Condition, want)
			}
		}
	}
}

// user is what a service's roles are for, and what narrows their trust.
type user struct {
	types []string
	// source is the kind of resource that the role is assumed for; empty where the
	// service assumes only roles that were passed to it in the role's own account, and
	// names no source (Lambda: "AWS Lambda execution role", AWS Lambda Developer Guide).
	source string
	// condition is the whole one, where AWS makes the source's name.
	condition string
	// managed is the one policy of AWS's own that the role may have.
	managed string
}

func users() map[string]user {
	return map[string]user{
		"lambda.amazonaws.com": {types: []string{"AWS::Lambda::Function"}},
		// "Cross-service confused deputy prevention" (EventBridge User Guide).
		"events.amazonaws.com":    {types: []string{"AWS::Events::Rule"}, condition: "StringEquals=aws:SourceAccount=<AccountId>"},
		"scheduler.amazonaws.com": {types: []string{"AWS::Scheduler::Schedule"}, source: "scheduler:<Region>:<AccountId>:schedule-group/"},
		"codedeploy.amazonaws.com": {
			types: []string{"Custom::BlueGreenDeploymentGroup"}, source: "codedeploy:<Region>:<AccountId>:deploymentgroup:",
			managed: "arn:<Partition>:iam::aws:policy/service-role/AWSCodeDeployRole",
		},
		"ec2.amazonaws.com": {types: []string{"AWS::IAM::InstanceProfile"}},
		"vpc-flow-logs.amazonaws.com": {
			types:     []string{"AWS::EC2::FlowLog"},
			condition: "ArnLike=aws:SourceArn=arn:<Partition>:ec2:<Region>:<AccountId>:vpc-flow-log/* StringEquals=aws:SourceAccount=<AccountId>",
		},
		"states.amazonaws.com": {types: []string{"AWS::StepFunctions::StateMachine"}, source: "states:<Region>:<AccountId>:stateMachine:"},
	}
}

// Every role is assumed by one service, for one resource of the template.
func TestRolesAreForOneResourceEach(t *testing.T) {
	t.Parallel()
	for variant, template := range variants() {
		for id, role := range template.of("AWS::IAM::Role") {
			trust := statements(role.Properties["AssumeRolePolicyDocument"])
			if len(trust) != 1 || !slices.Equal(trust[0].Actions, []string{"sts:AssumeRole"}) || trust[0].Effect != "Allow" {
				t.Errorf("%s: %s may be assumed in other ways: %v", variant, id, trust)
				continue
			}
			service := strings.TrimPrefix(trust[0].Principal, "Service=")
			use, known := users()[service]
			if !known {
				t.Errorf("%s: %s may be assumed by %s: say in users() what for", variant, id, trust[0].Principal)
				continue
			}
			want := ""
			if use.source != "" {
				want = "StringEquals=aws:SourceAccount=<AccountId> aws:SourceArn=arn:<Partition>:" + use.source
			}
			if use.condition != "" {
				want = use.condition
			} else if strings.Contains(trust[0].Condition, "*") {
				want = "a condition without *"
			}
			if !strings.HasPrefix(trust[0].Condition, want) || want == "" && trust[0].Condition != "" {
				t.Errorf("%s: %s may be assumed if %q, want %q: another account's resource may act as it", variant, id, trust[0].Condition, want)
			}
			if words(orEmpty(role.Properties["ManagedPolicyArns"])) != use.managed || role.Properties["Policies"] != nil {
				t.Errorf("%s: %s has policies that no test reads", variant, id)
			}
			got := template.usersOf(id)
			other := slices.ContainsFunc(got, func(user string) bool { return !slices.Contains(use.types, template.Resources[user].Type) })
			if len(got) != 1 || other {
				t.Errorf("%s: %s is the role of %v, want one of %v: what one may do, another may", variant, id, got, use.types)
			}
		}
	}
}

// usersOf are the resources that have a role, policies apart.
func (t template) usersOf(role string) (ids []string) {
	for id, r := range t.Resources {
		if r.Type != "AWS::IAM::Policy" && id != role && (strings.Contains(words(r.Properties), "<"+name(role)+".Arn>") || words(r.Properties["Roles"]) == "<"+name(role)+">") {
			ids = append(ids, id)
		}
	}
	return ids
}

// State machines invoke the functions that their definitions call, and schedules send
// to the queue that they name.
func TestStateMachinesAndSchedulesReachWhatTheyCall(t *testing.T) {
	t.Parallel()
	for variant, template := range variants() {
		may := func(id, action string) (resources []string) {
			for _, s := range template.permissions(name(id)) {
				if slices.Contains(s.Actions, action) {
					resources = append(resources, s.Resources...)
				}
			}
			return set(resources)
		}
		for id, machine := range template.of("AWS::StepFunctions::StateMachine") {
			var calls []string
			substitutions, _ := machine.Properties["DefinitionSubstitutions"].(map[string]any)
			for _, value := range substitutions {
				if s := words(value); strings.HasSuffix(s, "Function.Arn>") {
					calls = append(calls, s)
				}
			}
			role := strings.Trim(strings.TrimSuffix(words(machine.Properties["RoleArn"]), ".Arn>"), "<")
			if diff := cmp.Diff(set(calls), may(role, "lambda:InvokeFunction")); diff != "" {
				t.Errorf("%s: %s cannot run a step, or may run what it has no step for (-called +allowed):\n%s", variant, id, diff)
			}
		}
		for id, schedule := range template.of("AWS::Scheduler::Schedule") {
			role := strings.Trim(strings.TrimSuffix(words(at(schedule.Properties, "Target", "RoleArn")), ".Arn>"), "<")
			action := "sqs:SendMessage"
			if strings.Contains(words(at(schedule.Properties, "Target", "Arn")), "Machine") {
				action = "states:StartExecution"
			}
			if diff := cmp.Diff([]string{words(at(schedule.Properties, "Target", "Arn"))}, may(role, action)); diff != "" {
				t.Errorf("%s: %s cannot send its message, or others (-target +allowed):\n%s", variant, id, diff)
			}
		}
	}
}

// played are the folders whose scenarios run a function with the policy of its role in
// force, and hold that every permission of it is needed.
func played() map[string]string {
	const steps = "tenant"
	return map[string]string{
		"Repair": "repair", "Drain": "drain", "Intake": "tenant",
		"DeploymentGroupsRequests": "deploymentgroup", "BackupsBackup": "backup",
		"Control": steps, "Database": steps, "Mail": steps, "Network": steps, "Storage": steps,
	}
}

// The region enforces the policy of every function on the calls that it makes, with
// resources and conditions, so that no call is denied in production, and nothing is
// allowed that no scenario needs.
func TestEveryFunctionIsPlayedWithItsPolicy(t *testing.T) {
	t.Parallel()
	folders := played()
	for variant, template := range variants() {
		for id := range template.of("AWS::Lambda::Function") {
			function := strings.TrimSuffix(name(id), "Function")
			found := ""
			for f, folder := range folders {
				if strings.HasSuffix(function, f) {
					found = folder
				}
			}
			files, err := filepath.Glob(filepath.Join("..", found, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			if found == "" || !slices.ContainsFunc(files, func(file string) bool {
				text, err := os.ReadFile(file)
				return err == nil && strings.Contains(string(text), ".Unused()")
			}) {
				t.Errorf("%s: no scenario holds that %s needs its permissions: say in played() where", variant, function)
			}
		}
	}
}
