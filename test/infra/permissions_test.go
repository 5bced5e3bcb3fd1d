package infra

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// calls lists the IAM actions behind the methods of client interfaces. The
// action of every operation used here has the operation's name.
func calls(interfaces ...reflect.Type) []string {
	var actions []string
	for _, client := range interfaces {
		for method := range client.Methods() {
			service := path.Base(method.Type.In(1).Elem().PkgPath())
			actions = append(actions, servicePrefixes()[service]+":"+method.Name)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// repairCalls are all calls that the repair function can make.
func repairCalls() []string {
	interfaces := []reflect.Type{reflect.TypeFor[notice.Topics](), reflect.TypeFor[notice.Buses]()}
	for field := range reflect.TypeFor[repair.Clients]().Fields() {
		interfaces = append(interfaces, field.Type)
	}
	return calls(interfaces...)
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

func TestRoleAllowsWhatTheFunctionCallsAndNothingElse(t *testing.T) {
	t.Parallel()
	changes := []string{
		"autoscaling:AttachTrafficSources", "autoscaling:PutLifecycleHook", "autoscaling:ResumeProcesses", "elasticloadbalancing:RegisterTargets",
	}
	everyCall := append(platformActions(), repairCalls()...)
	tests := map[string]struct {
		template template
		want     []string
	}{
		"nothing configured":     {plain, everyCall},
		"roles of hooks to pass": {configured, append(slices.Clone(everyCall), "iam:PassRole")},
		"another architecture":   {intel, everyCall},
		"plan mode, no changes":  {planning, slices.DeleteFunc(slices.Clone(everyCall), func(a string) bool { return slices.Contains(changes, a) })},
	}
	for story, tt := range tests {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			want := slices.Sorted(slices.Values(tt.want))
			if diff := cmp.Diff(want, allowed(tt.template.permissions("RepairRole"))); diff != "" {
				t.Errorf("a call is denied in production, or more is allowed than is called (-called +allowed):\n%s", diff)
			}
		})
	}
}

// Only these actions have no resource-level permission (AWS service
// authorization reference); every other statement names what it is about.
func TestEveryResourceOnlyWhereAWSKnowsNoNarrower(t *testing.T) {
	t.Parallel()
	unlimited := []string{
		"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeTrafficSources",
		"codedeploy:ListApplications",
		"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
	}
	for story, template := range map[string]template{"plain": plain, "configured": configured, "planning": planning} {
		var found []string
		for id, policy := range template.of("AWS::IAM::Policy") {
			for _, s := range statements(policy.Properties["PolicyDocument"]) {
				for _, action := range s.Actions {
					if strings.Contains(action, "*") {
						t.Errorf("%s: %s allows %s: actions that nobody has thought of", story, id, action)
					}
				}
				if slices.Contains(s.Resources, "*") {
					found = append(found, s.Actions...)
				}
			}
		}
		slices.Sort(found)
		if diff := cmp.Diff(unlimited, found); diff != "" {
			t.Errorf("%s: a statement reaches further than it must (-want +got):\n%s", story, diff)
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

func TestScopeLimitsTheRole(t *testing.T) {
	t.Parallel()
	bySID := map[string]statement{}
	for _, s := range configured.permissions("RepairRole") {
		bySID[s.SID] = s
	}
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
