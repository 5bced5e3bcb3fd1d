package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// justified are the findings of cdk-nag's AwsSolutions rules that are as they
// should be, each with its reason. They are here and not in the stack, so that
// templates carry no metadata for a tool.
func justified() map[finding]string {
	const repair, drain = "Repair/Role/DefaultPolicy/Resource", "Drain/Role/DefaultPolicy/Resource"
	anyOf := func(policy, service, resource string) finding {
		return finding{"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:" + service + ":<AWS::Region>:<AWS::AccountId>:" + resource + "]", policy}
	}
	all := tenantsJustified(anyOf)
	maps.Copy(all, environmentJustified())
	maps.Copy(all, map[finding]string{
		{"AwsSolutions-IAM5[Resource::*]", repair}:                                "reads that AWS has no narrower resource for; TestStatementsNameResourcesOfTheirActions lists them",
		anyOf(repair, "autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"): "every deployment makes a group of a new name; the tag in scope narrows it",
		anyOf(repair, "codedeploy", "application:*"):                              "all applications are in scope unless some are configured",
		anyOf(repair, "codedeploy", "deploymentgroup:*"):                          "all deployment groups are in scope unless applications are configured",
		anyOf(repair, "elasticloadbalancing", "targetgroup/*"):                    "which target groups there are, the function finds out",
		anyOf(repair, "vpc-lattice", "targetgroup/*"):                             "which target groups there are, the function finds out",
		anyOf(repair, "ssm", "parameter/deployhooks/*"):                           "one parameter per deployment group, below a prefix of its own",

		{"AwsSolutions-IAM5[Resource::*]", drain}:                                "reads that AWS has no narrower resource for; TestStatementsNameResourcesOfTheirActions lists them",
		anyOf(drain, "autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"): "whoever puts a hook on a group wants it drained; every deployment makes a group of a new name",
		anyOf(drain, "codedeploy", "deploymentgroup:*"):                          "a read; which deployment made a group is a tag of the group",
		anyOf(drain, "elasticloadbalancing", "targetgroup/*"):                    "an instance leaves every target group that it is in",
		anyOf(drain, "elasticloadbalancing", "loadbalancer/*"):                   "an instance leaves every Classic Load Balancer that it is in",
		{"AwsSolutions-SQS3", "DeadLetters/Resource"}:                            "it is the dead-letter queue of a rule's target, which the check does not know",
		{"AwsSolutions-SQS3", "Forward/DeadLetters/Resource"}:                    "it is the dead-letter queue of a rule's target, which the check does not know",
		{"AwsSolutions-DDB3", "Drains/Resource"}:                                 "what is in progress now; an old state of it would be wrong",
	})
	return all
}

// tenantsJustified are those of the tenants stack, with the shipped blueprint.
func tenantsJustified(anyOf func(policy, service, resource string) finding) map[finding]string {
	role := func(id string) string { return id + "/Role/DefaultPolicy/Resource" }
	inBucket := func(id, keys string) finding {
		return finding{"AwsSolutions-IAM5[Resource::<Bucket83908E77.Arn>/" + keys + "]", role(id)}
	}
	all := map[finding]string{
		{"AwsSolutions-S1", "Bucket/Resource"}:                                     "who has read an object is CloudTrail's to log, where somebody wants data events; server access logs need another bucket, and come late or not at all",
		inBucket("Storage", "*"):                                                   "every tenant has prefixes of its own; which, its spec says",
		anyOf(role("Database"), "secretsmanager", "secret:deployhooks/*"):          "every tenant has secrets of its own below this prefix",
		anyOf(role("Database"), "ses", "identity/*"):                               "a read; every tenant has a domain of its own",
		anyOf(role("Mail"), "ses", "identity/*"):                                   "every tenant has a domain of its own",
		anyOf(role("Intake"), "states", "execution:deployhookstenants-converge:*"): "every operation is an execution of its own",
		anyOf(role("Intake"), "states", "execution:deployhookstenants-remove:*"):   "every operation is an execution of its own",
	}
	all[finding{"AwsSolutions-IAM5[Resource::*]", role("Intake")}] = "states:SendTaskSuccess, which has no resource-level permissions (service authorization reference)"
	for _, id := range []string{"Intake", "Network", "Database", "Storage", "Mail", "Control"} {
		all[inBucket(id, "blueprints/*")] = "an operation keeps the version of the blueprint that it began with"
	}
	for _, id := range []string{"Converge", "Remove", "Manual"} {
		all[finding{"AwsSolutions-IAM5[Resource::*]", id + "Role/DefaultPolicy/Resource"}] = "log delivery and tracing, which have no resource-level permissions (Step Functions developer guide)"
		all[finding{"AwsSolutions-SF1", id + "/Resource"}] = "the registry has every step and its error; the log has the errors of executions"
	}
	return all
}

// environmentJustified are those of the environment production.
func environmentJustified() map[finding]string {
	const (
		service  = "production/Service-web/"
		requests = "production/DeploymentGroups/Requests/Role/DefaultPolicy/Resource"
		backup   = "production/Backups/Backup/Role/DefaultPolicy/Resource"
	)
	everything := func(role string) finding { return finding{"AwsSolutions-IAM5[Resource::*]", role} }
	anyOf := func(role, kind, resource string) finding {
		return finding{"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:" + kind + ":eu-west-1:<AWS::AccountId>:" + resource + "]", role}
	}
	const instances, replacements = service + "Role/DefaultPolicy/Resource", service + "ServiceRole/DefaultPolicy/Resource"
	return map[finding]string{
		{"AwsSolutions-AS3", service + "Seed"}:                                                                                               "every event of the group is in EventBridge, where the hooks take it; a release would copy a notification of this group, or not",
		{"AwsSolutions-EC23", "production/LoadBalancer/SecurityGroup/Resource"}:                                                              "it is the load balancer of a public web application: port 443, and port 80 to send users there",
		{"AwsSolutions-RDS11", "production/Database/Resource"}:                                                                               "the port is open to the security groups of services and of one function only; another number would hide nothing",
		{"AwsSolutions-SMG4", "production/Database/Secret/Resource"}:                                                                         "services have connections and pools of this user; a rotation on a schedule fails those that do not read the secret again, so operators rotate it with a release",
		{"AwsSolutions-S1", "production/AccessLogs/Resource"}:                                                                                "it is the bucket of logs",
		{"AwsSolutions-S1", "production/Revisions/Resource"}:                                                                                 "who has read an object is CloudTrail's to log, where somebody wants data events",
		{"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRole]", service + "ServiceRole/Resource"}: "it follows what CodeDeploy does, which nobody else can know",

		{"AwsSolutions-DDB3", "production/Backups/Records/Resource"}:        "how old the last proof is; the next proof writes it again",
		{"AwsSolutions-SF1", "production/Backups/Machine/Resource"}:         "the function logs every step; the machine's log has the errors of executions",
		everything("production/Backups/MachineRole/DefaultPolicy/Resource"): "log delivery and tracing, which have no resource-level permissions (Step Functions developer guide)",
		everything(backup):                                 "reads of the network that RDS makes as the caller, and interfaces of a function in a VPC; neither has resource-level permissions that would fit",
		anyOf(backup, "kms", "key/*"):                      "which key an instance and its secret have, the snapshot says; through RDS and Secrets Manager only",
		anyOf(backup, "rds", "db:*"):                       "a read; it finds what an earlier run has left behind",
		anyOf(backup, "rds", "og:default:*"):               "the option group of a restored instance, which RDS checks",
		anyOf(backup, "rds", "pg:default.*"):               "the parameter group of a restored instance, which RDS checks",
		anyOf(backup, "rds", "snapshot:*"):                 "which snapshot is the newest is not known before",
		anyOf(backup, "secretsmanager", "secret:rds!db-*"): "RDS makes the name of a secret that it manages",

		everything(instances):             "agents of Systems Manager and the token for ECR, which have no resource-level permissions (service authorization reference)",
		everything(replacements):          "ec2:RunInstances on all that a launch makes, with this launch template only",
		anyOf(replacements, "ec2", "*/*"): "tags of what a launch makes, while it is made only",
		everything(requests):              "reads that AWS has no narrower resource for, and ec2:RunInstances with a launch template of this account only",
		anyOf(requests, "autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"):          "every deployment makes a group of a new name; tags narrow it",
		anyOf(requests, "codedeploy", "deploymentgroup:*"):                                   "the tag of a copy names a deployment; which application it is of is not known before",
		anyOf(requests, "codedeploy", "deploymentgroup:production-*/*"):                      "the deployment groups of the environment, and of services that have left it",
		anyOf(requests, "ec2", "*/*"):                                                        "tags of what a launch makes, while it is made only",
		anyOf(requests, "ssm", "parameter/*"):                                                "which parameter has the image, the launch template says",
		{"AwsSolutions-IAM5[Resource::<Revisions44E8601F.Arn>/production-web/*]", instances}: "revisions of its own service",
	}
}

func TestNagFindsNothingUnjustified(t *testing.T) {
	t.Parallel()
	byText := func(a, b finding) int { return strings.Compare(a.Rule+a.Resource, b.Rule+b.Resource) }
	var want []finding
	for f, why := range justified() {
		if why == "" {
			t.Errorf("%v is accepted without a reason", f)
		}
		want = append(want, f)
	}
	got := slices.Clone(findings)
	slices.SortFunc(want, byText)
	slices.SortFunc(got, byText)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("cdk-nag finds something to fix, or a reason is out of date (-justified +found):\n%s", diff)
	}
}
