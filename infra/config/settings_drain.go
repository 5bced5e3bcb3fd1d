package config

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
			Purpose: "the shortest heartbeat timeout of the lifecycle hooks that drain completes; it must be at least twice the sweep interval",
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
			Purpose: "how long an instance waits at most; none means as long as its deregistration delays and the command take, and a quarter of an hour more for a service that does not answer",
		},
		func(h *Hooks, v any) (err error) { h.Drain.DeadlineMinutes, err = between(v, 1, 2880); return },
	}, {
		Setting{
			Key: "drainTargetGroups", Allowed: "target group names or ARNs" + asList,
			Purpose: "target groups that every instance is deregistered from, besides those of its Auto Scaling group",
		},
		func(h *Hooks, v any) (err error) { h.Drain.TargetGroups, err = list(v, targetGroup); return },
	}, {
		Setting{
			Key: "drainFindTargetGroups", Default: "false", Allowed: allowedBool,
			Purpose: "whether drain searches all target groups of the region for the instance, besides those that are named",
		},
		func(h *Hooks, v any) (err error) { h.Drain.FindTargetGroups, err = boolean(v); return },
	}, {
		Setting{
			Key: "networkTargetWaitSeconds", Default: "120", Allowed: "a whole number from 0 to 3600",
			Purpose: "how long an instance waits at least after it was deregistered from a target group of a Network Load Balancer, which may still send it connections",
		},
		func(h *Hooks, v any) (err error) { h.Drain.NetworkTargetWaitSeconds, err = between(v, 0, 3600); return },
	}, {
		Setting{
			Key: "drainReleasesPerSecond", Default: "8", Allowed: "a whole number from 1 to 100",
			Purpose: "how many calls a second drain makes to Auto Scaling, in the account and region",
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
			Purpose: "whether a Spot interruption warning drains the instance",
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
