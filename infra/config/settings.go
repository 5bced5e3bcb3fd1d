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
			Purpose: "whether repair attaches the green Auto Scaling group while CodeDeploy still waits to terminate the blue one, against AWS's advice; with false, it registers the instances one by one until the deployment has ended",
		},
		func(h *Hooks, v any) (err error) { h.Repair.AttachDuringTerminationWait, err = boolean(v); return },
	}, {
		Setting{
			Key: "instancesWithoutRevision", Default: string(NotifyOfInstances), Allowed: "notify, standby or replace",
			Purpose: "what repair does about instances that CodeDeploy has not deployed to: notify operators; also put them on standby; or also have them replaced",
		},
		func(h *Hooks, v any) (err error) {
			h.Repair.InstancesWithoutRevision, err = oneOf(v, NotifyOfInstances, StandbyInstances, ReplaceInstances)
			return
		},
	}, {
		Setting{
			Key: "blueGroupThatStays", Default: string(NotifyOfBlueGroup), Allowed: "notify or detach",
			Purpose: "what repair does about a blue Auto Scaling group that stays and is still attached, so that its scale-out puts the old version back in front of users: notify operators, or also detach it",
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

// operation is who is notified, and how both functions run.
func operation() []setting {
	return []setting{{
		Setting{
			Key: "notifyEmails", Allowed: "e-mail addresses" + asList,
			Purpose: "who gets the notifications; each address has to confirm once, by mail",
		},
		func(h *Hooks, v any) (err error) { h.NotifyEmails, err = list(v, email); return },
	}, {
		Setting{
			Key: "alarmTopicArn", Allowed: "the ARN of a standard SNS topic in the stack's region, and in its account if it is encrypted",
			Purpose: "where alarms go, and notifications that require action go as well; none means the notices topic; a topic with a policy or a KMS key of its own must let cloudwatch.amazonaws.com and both functions' roles publish",
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
			Purpose: "whose events are accepted besides those of the stack's own account and region, where a topic or bus forwards them",
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
