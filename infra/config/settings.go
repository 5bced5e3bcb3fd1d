package config

import "slices"

// A Setting is one context key, as documentation shows it.
type Setting struct {
	Key     string // without the prefix
	Default string // empty for none
	Allowed string // in words
	Purpose string
}

// Settings lists every key there is, in the order in which people read them.
func Settings() []Setting {
	var all []Setting
	for _, s := range settings() {
		all = append(all, s.Setting)
	}
	return all
}

// setting is one context key and the code that reads it into a configuration.
type setting struct {
	Setting
	read func(*Hooks, any) error
}

func settings() []setting {
	return slices.Concat(repairScope(), repairBehaviour(), drainScope(), drainBehaviour(), drainCommands(), drainEvents(), operation())
}

// The words for allowed values that several settings share.
const (
	allowedTag  = "key=value, both of letters, digits, spaces and _ . : / + - @, the key at most 128 long and not beginning with aws:, the value at most 256"
	allowedMode = "apply or plan"
	allowedBool = "true or false"
	asList      = ", as a list or separated by commas"
)

func repairScope() []setting {
	return []setting{{
		Setting{
			Key: "repairMode", Default: string(Apply), Allowed: allowedMode,
			Purpose: "with plan, repair reports what it would do, and has no permission to do it",
		},
		func(h *Hooks, v any) (err error) { h.Repair.Mode, err = oneOf(v, Apply, Plan); return },
	}, {
		Setting{
			Key: "repairSweepMinutes", Default: "5", Allowed: "a whole number from 1 to 1440",
			Purpose: "how often repair reconciles everything in scope, whether events came or not",
		},
		func(h *Hooks, v any) (err error) { h.Repair.SweepMinutes, err = between(v, 1, 1440); return },
	}, {
		Setting{
			Key:     "applications",
			Allowed: "CodeDeploy application names of at most 100 characters without * ? or $" + asList + "; a name that holds a comma needs a list",
			Purpose: "the applications whose deployments are repaired; none means all",
		},
		func(h *Hooks, v any) (err error) { h.Repair.Applications, err = list(v, application); return },
	}, {
		Setting{
			Key: "deploymentGroups", Allowed: "a glob pattern with * ? and [a-z], such as *-production",
			Purpose: "the deployment groups that are repaired; none means all",
		},
		func(h *Hooks, v any) (err error) { h.Repair.DeploymentGroups, err = glob(v); return },
	}, {
		Setting{
			Key: "repairTag", Allowed: allowedTag,
			Purpose: "the tag of the Auto Scaling groups that are repaired; none means all; with one, repair may change no other group",
		},
		func(h *Hooks, v any) (err error) { h.Repair.Tag, err = tag(v); return },
	}}
}

func repairBehaviour() []setting {
	return []setting{{
		Setting{
			Key: "attachDuringTerminationWait", Default: "false", Allowed: allowedBool,
			Purpose: "whether repair attaches the green Auto Scaling group while CodeDeploy still waits to terminate the blue one, against AWS's advice, or registers its instances one by one until the deployment has ended",
		},
		func(h *Hooks, v any) (err error) { h.Repair.AttachDuringTerminationWait, err = boolean(v); return },
	}, {
		Setting{
			Key: "instancesWithoutRevision", Default: string(NotifyOfInstances), Allowed: "notify, standby or replace",
			Purpose: "what repair does about instances that CodeDeploy has not deployed to: notify operators; also put them in standby; or also have them replaced",
		},
		func(h *Hooks, v any) (err error) {
			h.Repair.InstancesWithoutRevision, err = oneOf(v, NotifyOfInstances, StandbyInstances, ReplaceInstances)
			return
		},
	}, {
		Setting{
			Key: "blueGroupThatStays", Default: string(NotifyOfBlueGroup), Allowed: "notify or detach",
			Purpose: "what repair does about a blue Auto Scaling group that is kept and still attached, so that its scale-out brings the old version back: notify operators, or also detach it",
		},
		func(h *Hooks, v any) (err error) {
			h.Repair.BlueGroupThatStays, err = oneOf(v, NotifyOfBlueGroup, DetachBlueGroup)
			return
		},
	}, {
		Setting{
			Key: "hookRoleArns", Allowed: "IAM role ARNs" + asList,
			Purpose: "roles of your own lifecycle hooks with a notification target, needed to put a lost one back",
		},
		func(h *Hooks, v any) (err error) { h.Repair.HookRoleARNs, err = list(v, roleARN); return },
	}, {
		Setting{
			Key: "parameterPrefix", Default: "/deployhooks",
			Allowed: "a path of at most 10 levels and 500 characters, of letters, digits and _ . - that begins with /, does not end with / and begins with neither /aws nor /ssm",
			Purpose: "the SSM path of the current Auto Scaling groups' names",
		},
		func(h *Hooks, v any) (err error) { h.Repair.ParameterPrefix, err = parameterPrefix(v); return },
	}, {
		Setting{
			Key: "baselineTable", Allowed: "a table name of 3 to 255 letters, digits and _ . -",
			Purpose: "an existing table of baselines to use, such as the one that outlived an earlier stack (output TableName); none means that the stack makes one",
		},
		func(h *Hooks, v any) (err error) {
			h.Repair.BaselineTable, err = matching(v, tableName, "not a name that DynamoDB takes")
			return
		},
	}}
}

func drainScope() []setting {
	return []setting{{
		Setting{
			Key: "drainMode", Default: string(Apply), Allowed: allowedMode,
			Purpose: "with plan, drain reports what it would do, has no permission to do it, and completes lifecycle actions at once, so that no instance waits for its hook",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Mode, err = oneOf(v, Apply, Plan); return },
	}, {
		Setting{
			Key: "drainSweepMinutes", Default: "1", Allowed: "a whole number from 1 to 60, at most half of drainShortestHookSeconds",
			Purpose: "how often drain reconciles everything in scope, whether events came or not",
		},
		func(h *Hooks, v any) (err error) { h.Drain.SweepMinutes, err = between(v, 1, 60); return },
	}, {
		Setting{
			Key: "drainShortestHookSeconds", Default: "300", Allowed: "a whole number from 30 to 7200",
			Purpose: "the shortest heartbeat timeout of the lifecycle hooks that drain completes; a sweep that is too rare for it is refused",
		},
		func(h *Hooks, v any) (err error) { h.Drain.ShortestHookSeconds, err = between(v, 30, 7200); return },
	}, {
		Setting{
			Key: "drainHooks", Default: "deployhooks-*", Allowed: "a glob pattern with * ? and [a-z] on lifecycle hooks' names",
			Purpose: "the terminate hooks that drain completes; others are left to their owners",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Hooks, err = glob(v); return },
	}, {
		Setting{
			Key: "drainTag", Allowed: allowedTag,
			Purpose: "the tag of the Auto Scaling groups whose instances are drained; none means all",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Tag, err = tag(v); return },
	}}
}

func drainBehaviour() []setting {
	return []setting{{
		Setting{
			Key: "drainDeadlineMinutes", Allowed: "a whole number from 1 to 2880, not less than drainCommandTimeoutMinutes where a command runs",
			Purpose: "how long an instance waits at most; none means as long as its deregistration delays and the command need, and a quarter of an hour if a service does not answer",
		},
		func(h *Hooks, v any) (err error) { h.Drain.DeadlineMinutes, err = between(v, 1, 2880); return },
	}, {
		Setting{
			Key: "drainTargetGroups", Allowed: "target group names or ARNs" + asList,
			Purpose: "target groups that every instance leaves beside those of its Auto Scaling group",
		},
		func(h *Hooks, v any) (err error) { h.Drain.TargetGroups, err = list(v, targetGroup); return },
	}, {
		Setting{
			Key: "drainFindTargetGroups", Default: "false", Allowed: allowedBool,
			Purpose: "whether drain searches all target groups of the region for the instance, beside those that are named",
		},
		func(h *Hooks, v any) (err error) { h.Drain.FindTargetGroups, err = boolean(v); return },
	}, {
		Setting{
			Key: "networkTargetWaitSeconds", Default: "120", Allowed: "a whole number from 0 to 3600",
			Purpose: "how long an instance waits at least after it left a target group of a Network Load Balancer, which may still send it connections",
		},
		func(h *Hooks, v any) (err error) { h.Drain.NetworkTargetWaitSeconds, err = between(v, 0, 3600); return },
	}, {
		Setting{
			Key: "drainReleasesPerSecond", Default: "8", Allowed: "a whole number from 1 to 100",
			Purpose: "how many calls of Auto Scaling drain makes a second, in the account and region",
		},
		func(h *Hooks, v any) (err error) { h.Drain.ReleasesPerSecond, err = between(v, 1, 100); return },
	}}
}

func drainCommands() []setting {
	return []setting{{
		Setting{
			Key: "drainCommand", Allowed: "shell commands, 1000 bytes at most",
			Purpose: "what every drained instance runs, as root, before it terminates",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Command, err = shellCommands(v); return },
	}, {
		Setting{
			Key: "drainDocument", Allowed: "the name or the ARN of an SSM document that runs commands",
			Purpose: "the same as a document of your own, instead of drainCommand",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Document, err = document(v); return },
	}, {
		Setting{
			Key: "drainTagDocuments", Allowed: "names or ARNs of SSM documents" + asList,
			Purpose: "the SSM documents that an Auto Scaling group's tag deployhooks:drain-command may choose, AWS-RunShellScript for shell commands; none means no command by tag, because with AWS-RunShellScript, whoever may tag a group is root on its instances",
		},
		func(h *Hooks, v any) (err error) { h.Drain.TagDocuments, err = list(v, documentName); return },
	}, {
		Setting{
			Key: "drainCommandTimeoutMinutes", Default: "5", Allowed: "a whole number from 1 to 120",
			Purpose: "how long the command may take before the instance terminates without it",
		},
		func(h *Hooks, v any) (err error) { h.Drain.CommandTimeoutMinutes, err = between(v, 1, 120); return },
	}}
}

func drainEvents() []setting {
	return []setting{{
		Setting{
			Key: "onSpotInterruption", Default: string(DrainInstance), Allowed: "drain or off",
			Purpose: "whether an instance is drained at its Spot interruption warning",
		},
		func(h *Hooks, v any) (err error) {
			h.Drain.OnSpotInterruption, err = oneOf(v, DrainInstance, Off)
			return
		},
	}, {
		Setting{
			Key: "onStateChange", Default: string(Off), Allowed: "drain or off",
			Purpose: "whether an instance is drained when EC2 stops or terminates it, for example from the console",
		},
		func(h *Hooks, v any) (err error) { h.Drain.OnStateChange, err = oneOf(v, DrainInstance, Off); return },
	}, {
		Setting{
			Key: "onRebalance", Default: string(Notify), Allowed: "notify or drain",
			Purpose: "what a rebalance recommendation for a Spot instance leads to: a notification, or a drain while the instance still runs",
		},
		func(h *Hooks, v any) (err error) { h.Drain.OnRebalance, err = oneOf(v, Notify, DrainInstance); return },
	}, {
		Setting{
			Key: "onMaintenance", Default: string(Notify), Allowed: "notify or drain",
			Purpose: "what maintenance of an instance that AWS Health announces leads to: a notification, or also a drain at once, which may be weeks before AWS acts: the instance keeps running, without requests, for you to replace",
		},
		func(h *Hooks, v any) (err error) {
			h.Drain.OnMaintenance, err = oneOf(v, Notify, DrainInstance)
			return
		},
	}}
}

// operation is who is notified, and how both functions run.
func operation() []setting {
	return []setting{{
		Setting{
			Key: "notifyEmails", Allowed: "e-mail addresses" + asList,
			Purpose: "who gets the notifications; each address confirms once, by mail",
		},
		func(h *Hooks, v any) (err error) { h.NotifyEmails, err = list(v, email); return },
	}, {
		Setting{
			Key: "alarmTopicArn", Allowed: "the ARN of a standard SNS topic in the stack's region",
			Purpose: "where alarms, and notifications that require action, go as well; none means the notices topic alone; its policy, and its KMS key's if it has one, must let cloudwatch.amazonaws.com and both functions' roles publish",
		},
		func(h *Hooks, v any) (err error) {
			h.AlarmTopicARN, err = matching(v, snsTopic, "not the ARN of a standard SNS topic")
			return
		},
	}, {
		Setting{
			Key: "eventBus", Default: "default", Allowed: "an event bus name of at most 256 letters, digits and . - _",
			Purpose: "the bus that outcomes are put on",
		},
		func(h *Hooks, v any) (err error) {
			h.EventBus, err = matching(v, busName, "not the name of an event bus")
			return
		},
	}, {
		Setting{
			Key: "acceptEventsFrom", Allowed: "pairs <account>/<region>" + asList,
			Purpose: "whose events are accepted beside those of the stack's own account and region, for functions that get the events of others by a topic or a bus",
		},
		func(h *Hooks, v any) (err error) { h.AcceptEventsFrom, err = list(v, eventSource); return },
	}, {
		Setting{
			Key: "logLevel", Default: "INFO", Allowed: "DEBUG, INFO, WARN or ERROR",
			Purpose: "the least severe level that is logged; metrics are written at each",
		},
		func(h *Hooks, v any) (err error) {
			h.LogLevel, err = oneOf(v, "DEBUG", "INFO", "WARN", "ERROR")
			return
		},
	}, {
		Setting{
			Key: "logRetentionDays", Default: "30", Allowed: "a retention of CloudWatch Logs: " + retentionWords() + " days",
			Purpose: "how long logs are kept",
		},
		func(h *Hooks, v any) (err error) { h.LogRetentionDays, err = retention(v); return },
	}, {
		Setting{
			Key: "architecture", Default: string(ARM64), Allowed: "arm64 or x86_64",
			Purpose: "what the functions are built for and run on",
		},
		func(h *Hooks, v any) (err error) { h.Architecture, err = oneOf(v, ARM64, X86_64); return },
	}}
}
