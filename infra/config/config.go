// Package config is what an operator sees of the stack: the CDK context keys
// that begin with "deployhooks:", and the names of the stack's outputs.
//
// The infra program calls [Parse] once, before it builds anything, so that a
// mistake costs a second and not a failed deployment. Keys come from cdk.json
// or from the command line (cdk deploy -c deployhooks:mode=plan); the command
// line has only strings, so every key may be given as one. The package knows
// nothing of the CDK, so that whatever only wants these names need not start it.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Prefix is what every context key of this project begins with.
const Prefix = "deployhooks:"

// Architecture is the instruction set that the functions are built for, in
// Lambda's words.
type Architecture string

// The architectures of Lambda.
const (
	ARM64  Architecture = "arm64"
	X86_64 Architecture = "x86_64"
)

// Mode says whether the hooks change anything.
type Mode string

// The modes. In [Plan] the hooks say what they would do, and their role may
// not do it.
const (
	Apply Mode = "apply"
	Plan  Mode = "plan"
)

// Hooks is the configuration of the hooks stack. [Parse] returns only valid
// ones, with defaults where nothing was given.
type Hooks struct {
	// Architecture of the functions; arm64 costs a fifth less.
	Architecture Architecture
	// SweepEveryMinutes is how long a lost event may go unnoticed, 1 to 1440.
	SweepEveryMinutes int
	// Applications are the CodeDeploy applications in scope; empty means all.
	Applications []string
	// DeploymentGroups is a glob pattern ([path.Match]) on the names of the
	// deployment groups in scope; empty means all.
	DeploymentGroups string
	// Tag is the tag that an Auto Scaling group must carry to be in scope;
	// without a key, all are.
	Tag Tag
	// Mode is [Apply] or [Plan].
	Mode Mode
	// NotifyEmails are subscribed to the notices topic.
	NotifyEmails []string
	// LogLevel is the least severe level that is logged.
	LogLevel string
	// LogRetentionDays is how long CloudWatch Logs keeps the functions' logs.
	LogRetentionDays int
	// ParameterPrefix is the path that the names of the current Auto Scaling
	// groups are published under, without a slash at its end.
	ParameterPrefix string
	// AlarmTopicARN is the SNS topic that alarms go to; empty means the
	// notices topic.
	AlarmTopicARN string
	// HookRoleARNs are the roles of users' lifecycle hooks with a notification
	// target, which the repair must pass on when it puts such a hook back.
	HookRoleARNs []string
	// EventBus is the name of the bus that outcomes are put on. AWS's own
	// events always come on the default bus.
	EventBus string
	// Drain is what concerns instances that go.
	Drain Drain
}

// Drain is the configuration of the drain function.
type Drain struct {
	// Hooks is a glob pattern on the names of the terminate hooks that the
	// function completes; all others are left to their owners.
	Hooks string
	// DeadlineMinutes is how long an instance is held at most, 1 to 2880; 0 is
	// as long as its deregistration delays and the command ask for.
	DeadlineMinutes int
	// TargetGroups are names or ARNs of target groups that instances leave
	// beside those of their group.
	TargetGroups []string
	// Command are shell lines to run on a drained instance, and Document the
	// name or ARN of an SSM document to run instead; not both.
	Command, Document string
	// TagDocuments are the SSM documents that a group's own tag may have run.
	TagDocuments []string
	// CommandTimeoutMinutes is how long the command may take, 1 to 120.
	CommandTimeoutMinutes int
	// OnRebalance says what a rebalance recommendation leads to.
	OnRebalance Response
	// OnMaintenance says what word of AWS Health on an instance leads to.
	OnMaintenance Response
}

// Response says what a rebalance recommendation leads to.
type Response string

// The responses.
const (
	TellPeople Response = "notice"
	DrainToo   Response = "drain"
)

// Tag is a tag of an Auto Scaling group.
type Tag struct{ Key, Value string }

// String is the form that an operator writes, empty for no tag.
func (t Tag) String() string {
	if t.Key == "" {
		return ""
	}
	return t.Key + "=" + t.Value
}

// Parse reads the configuration from a CDK context, which may hold keys of
// others. The error names every faulty or unknown key at once, with what was
// given and what is allowed. Only a key that is absent or null means the
// default: an empty string is what an unset shell variable leaves, and would
// widen the scope to everything or turn plan into apply.
func Parse(context map[string]any) (Hooks, error) {
	var (
		hooks  Hooks
		faults []error
	)
	for _, s := range settings() {
		key := Prefix + s.Key
		given := context[key]
		if given == nil {
			if s.Default == "" {
				continue
			}
			given = s.Default
		}
		err := errEmpty
		if given != "" {
			err = s.read(&hooks, given)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("context key %s: got %s: %w; allowed: %s", key, quote(given), err, s.Allowed))
		}
	}
	if hooks.Drain.Command != "" && hooks.Drain.Document != "" {
		faults = append(faults, fmt.Errorf("context keys %[1]sdrainCommand and %[1]sdrainDocument: one instance runs one command; give one of them", Prefix))
	}
	faults = append(faults, unknown(context)...)
	if len(faults) > 0 {
		return Hooks{}, errors.Join(faults...)
	}
	return hooks, nil
}

// unknown reports the keys that look like ours and are not, so that a typing
// mistake does not silently leave a default in force: those that begin as ours
// do, and those that are ours without the prefix.
func unknown(context map[string]any) []error {
	var known []string
	for _, s := range settings() {
		known = append(known, Prefix+s.Key)
	}
	var faults []error
	for key, value := range context {
		meant := slices.IndexFunc(known, func(k string) bool {
			return strings.EqualFold(key, k) || strings.EqualFold(key, strings.TrimPrefix(k, Prefix))
		})
		switch {
		case slices.Contains(known, key):
		case meant >= 0:
			faults = append(faults, fmt.Errorf("context key %s: unknown (given %s); write %s", key, quote(value), known[meant]))
		case strings.HasPrefix(strings.ToLower(key), strings.TrimSuffix(Prefix, "s:")):
			faults = append(faults, fmt.Errorf("context key %s: unknown (given %s); known keys: %s", key, quote(value), strings.Join(known, ", ")))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}
