package infra

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
)

// servicePrefixes are IAM's names of services by the SDK's.
func servicePrefixes() map[string]string {
	return map[string]string{
		"autoscaling": "autoscaling", "codedeploy": "codedeploy", "dynamodb": "dynamodb",
		"elasticloadbalancingv2": "elasticloadbalancing", "eventbridge": "events",
		"sns": "sns", "sqs": "sqs", "ssm": "ssm",
	}
}

// calls lists the IAM actions behind the methods of client interfaces: those of
// the fields of a struct, and those of the notices.
func calls(clients reflect.Type) []string {
	interfaces := []reflect.Type{reflect.TypeFor[notice.Topics](), reflect.TypeFor[notice.Buses]()}
	for field := range clients.Fields() {
		interfaces = append(interfaces, field.Type)
	}
	var actions []string
	for _, client := range interfaces {
		for method := range client.Methods() {
			service := path.Base(method.Type.In(1).Elem().PkgPath())
			actions = append(actions, actionsOf(servicePrefixes()[service], method.Name)...)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// actionsOf are the IAM actions of an operation. All but one used here have one,
// of the operation's name: a transaction has no action of its own, it takes those
// of what it does, which is puts and deletions (DynamoDB developer guide, "IAM
// policies for transactions").
func actionsOf(service, operation string) []string {
	if service == "dynamodb" && operation == "TransactWriteItems" {
		return []string{"dynamodb:DeleteItem", "dynamodb:PutItem"}
	}
	return []string{service + ":" + operation}
}

// platformActions are what Lambda itself needs of the role.
func platformActions() []string {
	return []string{"logs:CreateLogStream", "logs:PutLogEvents", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
}

func allowed(all []statement) []string {
	var actions []string
	for _, s := range all {
		actions = append(actions, s.Actions...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

func without(actions []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return slices.Contains(some, a) })
}

func TestRolesAllowWhatTheFunctionsCallAndNothingElse(t *testing.T) {
	t.Parallel()
	changes := []string{
		"autoscaling:AttachTrafficSources", "autoscaling:PutLifecycleHook", "autoscaling:ResumeProcesses", "elasticloadbalancing:RegisterTargets",
	}
	repairs := append(platformActions(), calls(reflect.TypeFor[repair.Clients]())...)
	drains := append(platformActions(), calls(reflect.TypeFor[drain.Clients]())...)
	tests := map[string]struct {
		template template
		role     string
		want     []string
	}{
		"repair, nothing configured":     {plain, "RepairRole", repairs},
		"repair, roles of hooks to pass": {configured, "RepairRole", append(slices.Clone(repairs), "iam:PassRole")},
		"repair, another architecture":   {intel, "RepairRole", repairs},
		"repair, plan mode, no changes":  {planning, "RepairRole", without(repairs, changes...)},
		"drain, no command to run":       {plain, "DrainRole", without(drains, "ssm:SendCommand")},
		"drain, with a command":          {configured, "DrainRole", drains},
		"drain, plan mode, not there":    {planning, "DrainRole", nil},
	}
	for story, tt := range tests {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			want := slices.Sorted(slices.Values(tt.want))
			if diff := cmp.Diff(want, allowed(tt.template.permissions(tt.role))); diff != "" {
				t.Errorf("a call is denied in production, or more is allowed than is called (-called +allowed):\n%s", diff)
			}
		})
	}
}

// Only these actions have no resource-level permission (AWS service
// authorization reference); every other statement names what it is about.
func TestEveryResourceOnlyWhereAWSKnowsNoNarrower(t *testing.T) {
	t.Parallel()
	unlimited := map[string][]string{
		"RepairRole": {
			"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeTrafficSources",
			"codedeploy:ListApplications",
			"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
		},
		"DrainRole": {
			"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLifecycleHooks",
			"elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
			"ssm:ListCommandInvocations", "ssm:ListCommands",
		},
	}
	for story, template := range map[string]template{"plain": plain, "configured": configured, "planning": planning} {
		found := map[string][]string{}
		for id, policy := range template.of("AWS::IAM::Policy") {
			role, _, _ := strings.Cut(name(id), "DefaultPolicy")
			for _, s := range statements(policy.Properties["PolicyDocument"]) {
				for _, action := range s.Actions {
					if strings.Contains(action, "*") {
						t.Errorf("%s: %s allows %s: actions that nobody has thought of", story, id, action)
					}
				}
				if slices.Contains(s.Resources, "*") {
					found[role] = append(found[role], s.Actions...)
				}
			}
			slices.Sort(found[role])
			if diff := cmp.Diff(unlimited[role], found[role]); diff != "" {
				t.Errorf("%s: a statement of %s reaches further than it must (-want +got):\n%s", story, role, diff)
			}
		}
	}
}

func TestNoRoleHasAManagedPolicy(t *testing.T) {
	t.Parallel()
	for id, role := range configured.of("AWS::IAM::Role") {
		if role.Properties["ManagedPolicyArns"] != nil {
			t.Errorf("%s: AWS may widen %s at any time", id, words(role.Properties["ManagedPolicyArns"]))
		}
	}
}

// statementsOf are the statements of a role by their names.
func (t template) statementsOf(role string) map[string]statement {
	bySID := map[string]statement{}
	for _, s := range t.permissions(role) {
		bySID[s.SID] = s
	}
	return bySID
}

// Whoever may tag a group, or puts words into the configuration, gets no
// further than the documents that are configured, on instances of groups.
func TestCommandsAreLimitedToConfiguredDocuments(t *testing.T) {
	t.Parallel()
	bySID := configured.statementsOf("DrainRole")
	for sid, want := range map[string]statement{
		"RunShutdownCommand": {
			Actions: []string{"ssm:SendCommand"},
			Resources: []string{
				"arn:<Partition>:ssm:<Region>::document/AWS-RunShellScript",
				"arn:<Partition>:ssm:<Region>:<AccountId>:document/stop-app",
			},
		},
		"RunItOnScaledInstances": {
			Actions:   []string{"ssm:SendCommand"},
			Resources: []string{"arn:<Partition>:ec2:<Region>:<AccountId>:instance/*"},
			Condition: "StringLike=ssm:resourceTag/aws:autoscaling:groupName=*",
		},
	} {
		want.SID, want.Effect = sid, "Allow"
		if diff := cmp.Diff(want, bySID[sid]); diff != "" {
			t.Errorf("%s reaches further than the configuration (-want +got):\n%s", sid, diff)
		}
	}
}

func TestScopeLimitsTheRole(t *testing.T) {
	t.Parallel()
	bySID := configured.statementsOf("RepairRole")
	for sid, want := range map[string]statement{
		"RepairAutoScalingGroups": {
			Actions:   []string{"autoscaling:AttachTrafficSources", "autoscaling:PutLifecycleHook", "autoscaling:ResumeProcesses"},
			Resources: []string{"arn:<Partition>:autoscaling:<Region>:<AccountId>:autoScalingGroup:*:autoScalingGroupName/*"},
			Condition: "StringEquals=aws:ResourceTag/hooks=on",
		},
		"ReadDeployments": {
			Actions: []string{"codedeploy:BatchGetDeploymentGroups", "codedeploy:GetDeployment", "codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments"},
			Resources: []string{
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:deploymentgroup:shop/*",
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:deploymentgroup:team/search/*",
			},
		},
		"PassHookRoles": {
			Actions:   []string{"iam:PassRole"},
			Resources: []string{"arn:aws:iam::123456789012:role/queue-hooks"},
			Condition: "StringEquals=iam:PassedToService=autoscaling.amazonaws.com",
		},
		"PublishGroupNames": {
			Actions:   []string{"ssm:PutParameter"},
			Resources: []string{"arn:<Partition>:ssm:<Region>:<AccountId>:parameter/platform/groups/*"},
		},
		"NotifySystems": {
			Actions:   []string{"events:PutEvents"},
			Resources: []string{"arn:<Partition>:events:<Region>:<AccountId>:event-bus/platform"},
		},
	} {
		want.SID, want.Effect = sid, "Allow"
		if diff := cmp.Diff(want, bySID[sid]); diff != "" {
			t.Errorf("%s does not follow the configured scope (-want +got):\n%s", sid, diff)
		}
	}
	if s, there := bySID["RepairAutoScalingGroups"]; !there {
		t.Errorf("statements are %v", slices.Sorted(maps.Keys(bySID)))
	} else if s.Condition == "" {
		t.Error("with a tag configured, the role can still change every group of the account")
	}
}
