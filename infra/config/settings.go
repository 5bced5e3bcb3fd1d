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
	return slices.Concat(scope(), behaviour(), draining(), operation())
}

// scope is what the repair looks after. A drain's scope is the groups that
// somebody has put its hook on, and Spot instances, wherever they are.
func scope() []setting {
	return []setting{{
		Setting{
			Key:     "applications",
			Allowed: "CodeDeploy application names of at most 100 characters without , * ? or $, as a list or separated by commas",
			Purpose: "the applications whose deployments are repaired; none means all",
		},
		func(h *Hooks, v any) (err error) { h.Applications, err = list(v, application); return },
	}, {
		Setting{
			Key:     "deploymentGroups",
			Allowed: "a glob pattern with * ? and [a-z], such as *-production",
			Purpose: "the deployment groups that are repaired; none means all",
		},
		func(h *Hooks, v any) (err error) { h.DeploymentGroups, err = glob(v); return },
	}, {
		Setting{
			Key:     "tag",
			Allowed: "key=value, both of letters, digits, spaces and _ . : / + - @, the key at most 128 long and not beginning with aws:, the value at most 256",
			Purpose: "the tag of the Auto Scaling groups that are repaired; none means all; with one, repair may change no other group",
		},
		func(h *Hooks, v any) (err error) { h.Tag, err = tag(v); return },
	}}
}

// behaviour is what the hooks do.
func behaviour() []setting {
	return []setting{{
		Setting{
			Key:     "mode",
			Default: string(Apply),
			Allowed: "apply or plan",
			Purpose: "with plan, repair says what it would do and may not do it, and drain is not there",
		},
		func(h *Hooks, v any) (err error) { h.Mode, err = oneOf(v, Apply, Plan); return },
	}, {
		Setting{
			Key:     "sweepEveryMinutes",
			Default: "5",
			Allowed: "a whole number from 1 to 1440",
			Purpose: "how often repair looks at everything in scope, whether events came or not; drain sweeps five times as often",
		},
		func(h *Hooks, v any) (err error) { h.SweepEveryMinutes, err = between(v, 1, 1440); return },
	}, {
		Setting{
			Key:     "hookRoleArns",
			Allowed: "IAM role ARNs, as a list or separated by commas",
			Purpose: "roles of your own lifecycle hooks with a notification target, needed to put a lost one back",
		},
		func(h *Hooks, v any) (err error) { h.HookRoleARNs, err = list(v, roleARN); return },
	}, {
		Setting{
			Key:     "parameterPrefix",
			Default: "/deployhooks",
			Allowed: "a path of at most 10 levels of letters, digits and _ . - that begins with /, does not end with / and begins with neither /aws nor /ssm",
			Purpose: "the SSM path of the current Auto Scaling groups' names",
		},
		func(h *Hooks, v any) (err error) { h.ParameterPrefix, err = parameterPrefix(v); return },
	}, {
		Setting{
			Key:     "eventBus",
			Default: "default",
			Allowed: "an event bus name of at most 256 letters, digits and . - _ /",
			Purpose: "the bus that outcomes are put on",
		},
		func(h *Hooks, v any) (err error) { h.EventBus, err = eventBus(v); return },
	}}
}

// draining is what becomes of instances that go.
func draining() []setting {
	return []setting{{
		Setting{
			Key:     "drainHooks",
			Default: "deployhooks-*",
			Allowed: "a glob pattern with * ? and [a-z] on lifecycle hooks' names",
			Purpose: "the terminate hooks that drain completes; others are left to their owners",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Hooks, err = glob(v); return },
	}, {
		Setting{
			Key:     "drainDeadlineMinutes",
			Allowed: "a whole number from 1 to 2880",
			Purpose: "how long an instance is held at most; none means as long as its deregistration delays and the command ask for, and a quarter of an hour if a service does not answer",
		},
		func(h *Hooks, v any) (err error) { h.Drain.DeadlineMinutes, err = between(v, 1, 2880); return },
	}, {
		Setting{
			Key:     "drainTargetGroups",
			Allowed: "target group names or ARNs, as a list or separated by commas",
			Purpose: "target groups that every instance leaves beside those of its group",
		},
		func(h *Hooks, v any) (err error) { h.Drain.TargetGroups, err = list(v, targetGroup); return },
	}, {
		Setting{
			Key:     "drainCommand",
			Allowed: "shell lines, 1000 bytes at most",
			Purpose: "what every drained instance runs, as root, before it goes",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Command, err = shellLines(v); return },
	}, {
		Setting{
			Key:     "drainDocument",
			Allowed: "the name or the ARN of an SSM document that runs commands",
			Purpose: "the same as a document of your own, instead of drainCommand",
		},
		func(h *Hooks, v any) (err error) { h.Drain.Document, err = document(v); return },
	}, {
		Setting{
			Key:     "drainTagDocuments",
			Allowed: "names or ARNs of SSM documents, as a list or separated by commas",
			Purpose: "the SSM documents that a group may have run by its tag deployhooks:drain-command, AWS-RunShellScript for shell lines; none means no command by tag, because with one, whoever may tag a group is root on its instances",
		},
		func(h *Hooks, v any) (err error) { h.Drain.TagDocuments, err = list(v, documentName); return },
	}, {
		Setting{
			Key:     "drainCommandTimeoutMinutes",
			Default: "5",
			Allowed: "a whole number from 1 to 120",
			Purpose: "how long the command may take before the instance goes without it",
		},
		func(h *Hooks, v any) (err error) { h.Drain.CommandTimeoutMinutes, err = between(v, 1, 120); return },
	}, {
		Setting{
			Key:     "onRebalance",
			Default: string(TellPeople),
			Allowed: "notice or drain",
			Purpose: "what a rebalance recommendation for a Spot instance leads to: a word to people, or a drain while the instance still runs",
		},
		func(h *Hooks, v any) (err error) { h.Drain.OnRebalance, err = oneOf(v, TellPeople, DrainToo); return },
	}, {
		Setting{
			Key:     "onMaintenance",
			Default: string(TellPeople),
			Allowed: "notice or drain",
			Purpose: "what maintenance of an instance that AWS Health announces leads to: a word to people, or also a drain at once, which may be weeks before AWS acts: the instance runs on, without requests, for you to replace",
		},
		func(h *Hooks, v any) (err error) { h.Drain.OnMaintenance, err = oneOf(v, TellPeople, DrainToo); return },
	}}
}

// operation is who hears of it, and how it runs.
func operation() []setting {
	return []setting{{
		Setting{
			Key:     "notifyEmails",
			Allowed: "e-mail addresses, as a list or separated by commas",
			Purpose: "people who get the notices; each confirms once, by mail",
		},
		func(h *Hooks, v any) (err error) { h.NotifyEmails, err = list(v, email); return },
	}, {
		Setting{
			Key:     "alarmTopicArn",
			Allowed: "the ARN of a standard SNS topic",
			Purpose: "where alarms go; none means the notices topic",
		},
		func(h *Hooks, v any) (err error) { h.AlarmTopicARN, err = topicARN(v); return },
	}, {
		Setting{
			Key:     "logLevel",
			Default: "INFO",
			Allowed: "DEBUG, INFO, WARN or ERROR",
			Purpose: "the least severe level that is logged",
		},
		func(h *Hooks, v any) (err error) {
			h.LogLevel, err = oneOf(v, "DEBUG", "INFO", "WARN", "ERROR")
			return
		},
	}, {
		Setting{
			Key:     "logRetentionDays",
			Default: "30",
			Allowed: "a retention of CloudWatch Logs: " + retentionWords() + " days",
			Purpose: "how long logs are kept",
		},
		func(h *Hooks, v any) (err error) { h.LogRetentionDays, err = retention(v); return },
	}, {
		Setting{
			Key:     "architecture",
			Default: string(ARM64),
			Allowed: "arm64 or x86_64",
			Purpose: "what the functions are built for and run on",
		},
		func(h *Hooks, v any) (err error) { h.Architecture, err = oneOf(v, ARM64, X86_64); return },
	}}
}
