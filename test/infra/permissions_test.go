package infra

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/pkg/repair/setting"
)

// servicePrefixes are IAM's names of services by the SDK's.
func servicePrefixes() map[string]string {
	return map[string]string{
		"autoscaling": "autoscaling", "codedeploy": "codedeploy", "dynamodb": "dynamodb",
		"elasticloadbalancing": "elasticloadbalancing", "elasticloadbalancingv2": "elasticloadbalancing", "eventbridge": "events",
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
	return set(actions)
}

// actionsOf are the IAM actions of an operation. Most have one, of the
// operation's name, and some need others as well.
func actionsOf(service, operation string) []string {
	action := service + ":" + operation
	switch action {
	case "dynamodb:TransactWriteItems":
		// A transaction has no action of its own, it takes those of what it does,
		// which is puts and deletions (DynamoDB developer guide, "IAM policies for
		// transactions").
		return []string{"dynamodb:DeleteItem", "dynamodb:PutItem"}
	case "autoscaling:AttachTrafficSources":
		// For VPC Lattice (EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling API
		// permissions").
		return []string{action, "vpc-lattice:RegisterTargets"}
	case "autoscaling:DetachTrafficSources":
		return []string{action, "vpc-lattice:DeregisterTargets"} // same page
	case "autoscaling:PutLifecycleHook":
		// For a hook with a notification target (same page).
		return []string{action, "iam:PassRole"}
	}
	return []string{action}
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
	return set(actions)
}

func set(actions []string) []string { return slices.Compact(slices.Sorted(slices.Values(actions))) }

func without(actions []string, some ...[]string) []string {
	return slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return slices.Contains(slices.Concat(some...), a) })
}

// The roles allow what the functions call and nothing else. What only a setting
// calls is allowed with that setting alone.
func TestRolesAllowWhatTheFunctionsCallAndNothingElse(t *testing.T) {
	t.Parallel()
	everyAction := map[string][]string{}
	for role, clients := range map[string]reflect.Type{"RepairRole": reflect.TypeFor[repair.Clients](), "DrainRole": reflect.TypeFor[drain.Clients]()} {
		everyAction[role] = slices.Concat(platformActions(), calls(clients))
	}
	// Its own test holds that a setting's actions are the calls that it makes.
	for _, action := range slices.Concat(setting.Reads(), setting.Writes()) {
		everyAction["RepairRole"] = append(everyAction["RepairRole"], actionsOf("autoscaling", strings.TrimPrefix(action, "autoscaling:"))...)
	}
	repairs, drains := set(everyAction["RepairRole"]), set(everyAction["DrainRole"])
	standby, replace := []string{"autoscaling:EnterStandby", "autoscaling:ExitStandby"}, []string{"autoscaling:SetInstanceHealth"}
	detach, pass := []string{"autoscaling:DetachTrafficSources", "vpc-lattice:DeregisterTargets"}, []string{"iam:PassRole"}
	changes := slices.Concat(standby, replace, detach, pass, setting.Writes(), []string{
		"autoscaling:SetInstanceProtection", "autoscaling:SuspendProcesses", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets", "vpc-lattice:RegisterTargets",
	})
	command := []string{"ssm:SendCommand"}
	draining := slices.Concat(command, []string{
		"autoscaling:RecordLifecycleActionHeartbeat", "elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterTargets",
	})
	for scenario, tt := range map[string]struct {
		template template
		role     string
		want     []string
	}{
		"repair, nothing configured":        {plain, "RepairRole", without(repairs, standby, replace, detach, pass)},
		"repair, standby, detach and roles": {configured, "RepairRole", without(repairs, replace)},
		"repair, instances replaced":        {replacing, "RepairRole", without(repairs, standby, detach, pass)},
		"repair, another architecture":      {intel, "RepairRole", without(repairs, standby, replace, detach, pass)},
		"repair, plan mode, no changes":     {planning, "RepairRole", without(repairs, changes)},
		"drain, no command to run":          {plain, "DrainRole", without(drains, command)},
		"drain, with a command":             {configured, "DrainRole", drains},
		"drain, with a document":            {replacing, "DrainRole", drains},
		"drain, plan mode, completes only":  {planning, "DrainRole", without(drains, draining)},
	} {
		if diff := cmp.Diff(tt.want, allowed(tt.template.permissions(tt.role))); diff != "" {
			t.Errorf("%s: a call is denied in production, or more is allowed than is called (-called +allowed):\n%s", scenario, diff)
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

// testStatements compares statements of a role, by their names.
func testStatements(t *testing.T, in template, role string, want map[string]statement) {
	t.Helper()
	bySID := in.statementsOf(role)
	for sid, s := range want {
		s.SID, s.Effect = sid, "Allow"
		if diff := cmp.Diff(s, bySID[sid]); diff != "" {
			t.Errorf("%s of %s reaches further than it should, or not far enough (-want +got):\n%s", sid, role, diff)
		}
	}
}

func TestScopeLimitsRepair(t *testing.T) {
	t.Parallel()
	testStatements(t, configured, "RepairRole", map[string]statement{
		"RepairAutoScalingGroups": {
			Actions: set(append(setting.Writes(),
				"autoscaling:DetachTrafficSources", "autoscaling:EnterStandby", "autoscaling:ExitStandby", "autoscaling:SetInstanceProtection", "autoscaling:SuspendProcesses",
			)),
			Resources: []string{"arn:<Partition>:autoscaling:<Region>:<AccountId>:autoScalingGroup:*:autoScalingGroupName/*"},
			Condition: "StringEquals=aws:ResourceTag/hooks=on",
		},
		"ListDeploymentGroups": {
			Actions: []string{"codedeploy:ListDeploymentGroups"},
			Resources: []string{
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:application:shop",
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:application:team/search",
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:application:north, south",
			},
		},
		"ReadDeployments": {
			Actions: []string{
				"codedeploy:BatchGetDeploymentGroups", "codedeploy:BatchGetDeployments", "codedeploy:GetDeployment",
				"codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments",
			},
			Resources: []string{
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:deploymentgroup:shop/*",
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:deploymentgroup:team/search/*",
				"arn:<Partition>:codedeploy:<Region>:<AccountId>:deploymentgroup:north, south/*",
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
		"PublishOutcomes": {
			Actions:   []string{"events:PutEvents"},
			Resources: []string{"arn:<Partition>:events:<Region>:<AccountId>:event-bus/platform"},
		},
	})
}

func TestScopeLimitsDrain(t *testing.T) {
	t.Parallel()
	testStatements(t, configured, "DrainRole", map[string]statement{
		"CompleteLifecycleActions": {
			Actions:   []string{"autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"},
			Resources: []string{"arn:<Partition>:autoscaling:<Region>:<AccountId>:autoScalingGroup:*:autoScalingGroupName/*"},
			Condition: "StringEquals=aws:ResourceTag/drain=on",
		},
	})
}

// What has no scope names the kind of resource all the same: its ARN is the one
// that the service authorization reference has for the action.
func TestStatementsNameTheirKindOfResource(t *testing.T) {
	t.Parallel()
	testStatements(t, plain, "RepairRole", map[string]statement{
		"RegisterInstances": {
			Actions:   []string{"elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"},
			Resources: []string{"arn:<Partition>:elasticloadbalancing:<Region>:<AccountId>:targetgroup/*"},
		},
		"RegisterLatticeTargets": {
			Actions:   []string{"vpc-lattice:RegisterTargets"},
			Resources: []string{"arn:<Partition>:vpc-lattice:<Region>:<AccountId>:targetgroup/*"},
		},
		"KeepBaselines":      {Actions: []string{"dynamodb:BatchGetItem", "dynamodb:PutItem"}, Resources: []string{"<Baselines.Arn>"}},
		"WriteOwnLogs":       {Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resources: []string{"<RepairLogs.Arn>"}},
		"ReadOwnQueue":       {Actions: []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}, Resources: []string{"<RepairQueue.Arn>"}},
		"RequeueOwnMessages": {Actions: []string{"sqs:SendMessage"}, Resources: []string{"<RepairQueue.Arn>"}},
	})
	testStatements(t, plain, "DrainRole", map[string]statement{
		"DeregisterInstances": {
			Actions:   []string{"elasticloadbalancing:DeregisterTargets"},
			Resources: []string{"arn:<Partition>:elasticloadbalancing:<Region>:<AccountId>:targetgroup/*"},
		},
		"DeregisterInstancesOfClassicLoadBalancers": {
			Actions:   []string{"elasticloadbalancing:DeregisterInstancesFromLoadBalancer"},
			Resources: []string{"arn:<Partition>:elasticloadbalancing:<Region>:<AccountId>:loadbalancer/*"},
		},
		"KeepDrains":      {Actions: []string{"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem"}, Resources: []string{"<Drains.Arn>"}},
		"ReadDeployments": {Actions: []string{"codedeploy:GetDeployment"}, Resources: []string{"arn:<Partition>:codedeploy:<Region>:<AccountId>:deploymentgroup:*"}},
	})
}
