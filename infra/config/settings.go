package config

import "slices"

// A Setting is one context key, as documentation shows it.
type Setting struct {
	Key     string // without the prefix
	Default string // empty for none
	Purpose string
	Allowed string // in words
}

// Settings lists every key there is, in the order in which people read them.
func Settings() []Setting {
	var all []Setting
	for _, s := range settings(&Hooks{}) {
		all = append(all, Setting{s.key, s.initial, s.purpose, s.allowed})
	}
	return all
}

// setting is one context key with what it holds and where that is read into.
type setting struct {
	key, initial string // initial is the default, empty for none
	purpose      string
	value
}

func settings(h *Hooks) []setting {
	d := &h.Drain
	return slices.Concat(repairSettings(&h.Repair), drainScope(d), drainBehaviour(d), drainCommands(d), drainEvents(d), tenantSettings(&h.Tenants), sharedSettings(h))
}

func repairSettings(r *Repair) []setting {
	return []setting{
		{"repairMode", "apply", "with plan, repair reports what it would do, and has no permission to do it", oneOf(&r.Mode, Apply, Plan)},
		{"repairSweepMinutes", "5", "how often repair reconciles everything in scope, whether events came or not", between(&r.SweepMinutes, 1, 1440)},
		{"applications", "", "the applications whose deployments are repaired; none means all",
			list(&r.Applications, "CodeDeploy application names of at most 100 characters without * ? or $", application).and("; a name that holds a comma needs a list")},
		{"deploymentGroups", "", "the deployment groups that are repaired; none means all", glob(&r.DeploymentGroups, ", such as *-production")},
		{"repairTag", "", "the tag of the Auto Scaling groups that are repaired; none means all; with one, repair may change no other group", tag(&r.Tag)},
		{"attachDuringTerminationWait", "false", "whether repair attaches the green Auto Scaling group while CodeDeploy still waits to terminate the blue one, against AWS's advice; " +
			"with false, it registers the instances one by one until the deployment has ended", boolean(&r.AttachDuringTerminationWait)},
		{"instancesWithoutRevision", "notify", "what repair does about instances that CodeDeploy has not deployed to: notify operators; also put them on standby; or also have them replaced",
			oneOf(&r.InstancesWithoutRevision, NotifyOfInstances, StandbyInstances, ReplaceInstances)},
		{"blueGroupThatStays", "notify", "what repair does about a blue Auto Scaling group that stays and is still attached, so that its scale-out puts the old version back in front of users: " +
			"notify operators, or also detach it", oneOf(&r.BlueGroupThatStays, NotifyOfBlueGroup, DetachBlueGroup)},
		{"hookRoleArns", "", "roles of your own lifecycle hooks with a notification target, needed to put a lost one back", list(&r.HookRoleARNs, "IAM role ARNs", iamRole)},
		{"parameterPrefix", "/deployhooks", "the SSM path of the current Auto Scaling groups' names", text(&r.ParameterPrefix,
			"a path of at most 10 levels and 500 characters, of letters, digits and _ . - that begins with /, does not end with / and begins with neither /aws nor /ssm", parameterPath)},
		{"baselineTable", "", "an existing table of baselines to use, such as the one that outlived an earlier stack (output TableName); none means that the stack makes one",
			text(&r.BaselineTable, "a table name of 3 to 255 letters, digits and _ . -", tableName)},
	}
}

func drainScope(d *Drain) []setting {
	return []setting{
		{"drainMode", "apply", "with plan, drain reports what it would do, has no permission to do it, and completes lifecycle actions at once, so that no instance waits for its hook",
			oneOf(&d.Mode, Apply, Plan)},
		{"drainSweepMinutes", "1", "how often drain reconciles everything in scope, whether events came or not",
			between(&d.SweepMinutes, 1, 60).and(", at most half of drainShortestHookSeconds")},
		{"drainShortestHookSeconds", "300", "the shortest heartbeat timeout of the lifecycle hooks that drain completes; it must be at least twice the sweep interval",
			between(&d.ShortestHookSeconds, 30, 7200)},
		{"drainHooks", "deployhooks-*", "the terminate hooks that drain completes; others are left to their owners", glob(&d.Hooks, " on lifecycle hooks' names")},
		{"drainTag", "", "the tag of the Auto Scaling groups whose instances are drained; none means all", tag(&d.Tag)},
	}
}

func drainBehaviour(d *Drain) []setting {
	return []setting{
		{"drainDeadlineMinutes", "", "how long an instance waits at most; none means as long as its deregistration delays and the command take, and a quarter of an hour more for a service that does not answer",
			between(&d.DeadlineMinutes, 1, 2880).and(", not less than drainCommandTimeoutMinutes where a command runs")},
		{"drainTargetGroups", "", "target groups that every instance is deregistered from, besides those of its Auto Scaling group",
			list(&d.TargetGroups, "target group names or ARNs", targetGroup)},
		{"drainFindTargetGroups", "false", "whether drain searches all target groups of the region for the instance, besides those that are named", boolean(&d.FindTargetGroups)},
		{"networkTargetWaitSeconds", "120", "how long an instance waits at least after it was deregistered from a target group of a Network Load Balancer, which may still send it connections",
			between(&d.NetworkTargetWaitSeconds, 0, 3600)},
		{"drainReleasesPerSecond", "8", "how many calls a second drain makes to Auto Scaling, in the account and region", between(&d.ReleasesPerSecond, 1, 100)},
	}
}

func drainCommands(d *Drain) []setting {
	return []setting{
		{"drainCommand", "", "what every drained instance runs, as root, before it terminates", text(&d.Command, "shell commands, 1000 bytes at most", shellCommands)},
		{"drainDocument", "", "the same as a document of your own, instead of drainCommand", text(&d.Document, "the name or the ARN of an SSM document that runs commands", ssmDocument)},
		{"drainTagDocuments", "", "the SSM documents that an Auto Scaling group's tag deployhooks:drain-command may choose, AWS-RunShellScript for shell commands; " +
			"none means no command by tag, because with AWS-RunShellScript, whoever may tag a group is root on its instances",
			list(&d.TagDocuments, "names or ARNs of SSM documents", ssmDocument)},
		{"drainCommandTimeoutMinutes", "5", "how long the command may take before the instance terminates without it", between(&d.CommandTimeoutMinutes, 1, 120)},
	}
}

func drainEvents(d *Drain) []setting {
	return []setting{
		{"onSpotInterruption", "drain", "whether a Spot interruption warning drains the instance", oneOf(&d.OnSpotInterruption, DrainInstance, Off)},
		{"onStateChange", "off", "whether an instance is drained when EC2 stops or terminates it, for example from the console", oneOf(&d.OnStateChange, DrainInstance, Off)},
		{"onRebalance", "notify", "what a rebalance recommendation for a Spot instance leads to: a notification, or a drain while the instance still runs",
			oneOf(&d.OnRebalance, Notify, DrainInstance)},
		{"onMaintenance", "notify", "what maintenance of an instance that AWS Health announces leads to: a notification, or also a drain at once, " +
			"which may be weeks before AWS acts: the instance keeps running, without requests, for you to replace", oneOf(&d.OnMaintenance, Notify, DrainInstance)},
	}
}

func tenantSettings(t *Tenants) []setting {
	return []setting{
		{"blueprint", "", "the blueprint that tenants are launched by; none means no tenants stack", text(&t.Blueprint, "a directory with a blueprint.yaml", anything)},
		{"removalDelayHours", "24", "how long the removal of a tenant can be cancelled before it begins", between(&t.RemovalDelayHours, 0, 2160)},
		{"databaseSubnets", "", "the subnets of a VPC that the worker of class database runs in, with databaseSecurityGroups; none means that it reaches databases over the internet; they need a way to Secrets Manager, DynamoDB and S3, and for steps of kind smoke to SES and the tenants' pages: NAT, or VPC endpoints for the AWS services",
			list(&t.DatabaseSubnets, "IDs of subnets", form(`^subnet-[0-9a-f]{8,17}$`, "not the ID of a subnet"))},
		{"databaseSecurityGroups", "", "the worker's security groups, which the databases must admit",
			list(&t.DatabaseSecurityGroups, "IDs of security groups", form(`^sg-[0-9a-f]{8,17}$`, "not the ID of a security group"))},
	}
}

func anything(string) error { return nil }

// sharedSettings say who is notified, and how both functions run.
func sharedSettings(h *Hooks) []setting {
	return []setting{
		{"notifyEmails", "", "who gets the notifications; each address has to confirm once, by mail", list(&h.NotifyEmails, "e-mail addresses", email)},
		{"alarmTopicArn", "", "where alarms go, and notifications that require action go as well; none means the notices topic; " +
			"a topic with a policy or a KMS key of its own must let cloudwatch.amazonaws.com and both functions' roles publish",
			text(&h.AlarmTopicARN, "the ARN of a standard SNS topic in the stack's region, and in its account if it is encrypted", snsTopic)},
		{"eventBus", "default", "the bus that outcomes are put on", text(&h.EventBus, "an event bus name of at most 256 letters, digits and . - _", busName)},
		{"centralEventBus", "", "one more bus that all outcomes are sent to, in any account and region, such as that of the central stack; none means no other",
			text(&h.CentralEventBus, "the ARN of an event bus", busARN)},
		{"assetBucket", "", "deploys without the CDK's bootstrap, as StackSets do: the functions' code is read from the bucket <assetBucket>-<region>, where make publish puts it; none means the bucket of the bootstrap",
			text(&h.AssetBucket, "a prefix of bucket names, 3 to 40 lowercase letters, digits and hyphens", bucketPrefix)},
		{"central", "", "deploys the central stack, which collects the outcomes of many accounts, instead of the others: who may send to it; its only other setting is notifyEmails",
			list(&h.Central, "IDs of accounts or organizations", sender)},
		{"acceptEventsFrom", "", "whose events are accepted besides those of the stack's own account and region, where a topic or bus forwards them",
			list(&h.AcceptEventsFrom, "pairs <account>/<region>", sourceOfEvents)},
		{"logLevel", "INFO", "the least severe level that is logged; metrics are written at each", oneOf(&h.LogLevel, "DEBUG", "INFO", "WARN", "ERROR")},
		{"logRetentionDays", "30", "how long logs are kept", retention(&h.LogRetentionDays)},
		{EnvironmentKey, "", "the environment to deploy, the hooks included; these keys override the hooks section of its file; none means the hooks alone",
			text(&h.Environment, "the name of a file in infra/environment, or a path that ends in .yaml", anything)},
		{"architecture", "arm64", "what the functions are built for and run on", oneOf(&h.Architecture, ARM64, X86_64)},
	}
}
