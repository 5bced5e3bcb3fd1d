// Package config is what an operator sees of the hooks stack: the CDK context
// keys that begin with "deployhooks:", what the functions get of them as
// environment variables, and the names of the stack's outputs.
//
// The infra program calls [Parse] once, before it builds anything, so that a
// mistake costs a second and not a failed deployment; the construct
// DeploymentHooks calls [ParseOwn]. The package does not import the CDK, so that
// tests and tools that only want these names need not start it.
package config

// Prefix is what every context key of this project begins with.
const Prefix = "deployhooks:"

// Hooks is the configuration of both functions. [Parse] returns only valid ones,
// with defaults where nothing was given.
type Hooks struct {
	Repair Repair
	Drain  Drain

	// NotifyEmails are subscribed to the notices topic.
	NotifyEmails []string
	// AlarmTopicARN is the SNS topic that alarms and notifications that require
	// action go to; empty means the notices topic.
	AlarmTopicARN string
	// EventBus is the name of the bus that outcomes are put on. AWS's own events
	// always come on the default bus.
	EventBus string
	// AcceptEventsFrom are further <account>/<region> pairs whose events are in
	// scope, besides the stack's own.
	AcceptEventsFrom []string
	// LogLevel is the least severe level that is logged.
	LogLevel string
	// LogRetentionDays is how long CloudWatch Logs keeps the functions' logs.
	LogRetentionDays int
	// Architecture of the functions.
	Architecture Architecture
}

// Repair is the configuration of the repair function.
type Repair struct {
	// Mode is [Apply] or [Plan].
	Mode Mode
	// SweepMinutes is how long a missed event may go unnoticed, 1 to 1440.
	SweepMinutes int
	// Applications are the CodeDeploy applications in scope; empty means all.
	Applications []string
	// DeploymentGroups is a glob pattern ([path.Match]) on the names of the
	// deployment groups in scope; empty means all.
	DeploymentGroups string
	// Tag is the tag that an Auto Scaling group must carry to be in scope;
	// without a key, all are.
	Tag Tag
	// AttachDuringTerminationWait lets the function attach the green Auto Scaling
	// group while CodeDeploy still waits to terminate the blue one.
	AttachDuringTerminationWait bool
	// InstancesWithoutRevision says what becomes of instances that CodeDeploy has
	// not deployed to.
	InstancesWithoutRevision InstancesWithoutRevision
	// BlueGroupThatStays says what becomes of a blue Auto Scaling group that is
	// kept and still attached.
	BlueGroupThatStays BlueGroupThatStays
	// HookRoleARNs are the roles of users' lifecycle hooks with a notification
	// target, which the function passes on when it puts such a hook back.
	HookRoleARNs []string
	// ParameterPrefix is the path that the names of the current Auto Scaling
	// groups are published under, without a slash at its end.
	ParameterPrefix string
	// BaselineTable is the name of an existing table of baselines; empty means
	// that the stack makes one.
	BaselineTable string
}

// Drain is the configuration of the drain function.
type Drain struct {
	// Mode is [Apply] or [Plan].
	Mode Mode
	// SweepMinutes is how long a missed event may go unnoticed, 1 to 60.
	SweepMinutes int
	// ShortestHookSeconds is the shortest heartbeat timeout among the lifecycle
	// hooks that the function completes, 30 to 7200.
	ShortestHookSeconds int
	// Hooks is a glob pattern on the names of the terminate hooks that the
	// function completes; all others are left to their owners.
	Hooks string
	// Tag is the tag that an Auto Scaling group must carry to be in scope;
	// without a key, all are.
	Tag Tag
	// DeadlineMinutes is how long an instance waits at most, 1 to 2880; 0 is as
	// long as its deregistration delays and the command need.
	DeadlineMinutes int
	// TargetGroups are names or ARNs of target groups that instances leave beside
	// those of their Auto Scaling group.
	TargetGroups []string
	// FindTargetGroups has the function search all target groups for the
	// instance.
	FindTargetGroups bool
	// NetworkTargetWaitSeconds is how long an instance waits after it left a
	// target group of a Network Load Balancer, 0 to 3600.
	NetworkTargetWaitSeconds int
	// Command are shell commands to run on a drained instance, and Document the
	// name or ARN of an SSM document to run instead; not both.
	Command, Document string
	// TagDocuments are the SSM documents that a group's own tag may choose.
	TagDocuments []string
	// CommandTimeoutMinutes is how long the command may take, 1 to 120.
	CommandTimeoutMinutes int
	// OnSpotInterruption and OnStateChange are [DrainInstance] or [Off].
	OnSpotInterruption, OnStateChange Response
	// OnRebalance and OnMaintenance are [Notify] or [DrainInstance].
	OnRebalance, OnMaintenance Response
	// ReleasesPerSecond is how many calls of Auto Scaling the function makes a
	// second in the account and region, 1 to 100.
	ReleasesPerSecond int
}

// Architecture is the instruction set that the functions are built for, in
// Lambda's words.
type Architecture string

// The architectures of Lambda.
const (
	ARM64  Architecture = "arm64"
	X86_64 Architecture = "x86_64"
)

// Mode says whether a function changes anything.
type Mode string

// The modes. In [Plan] a function reports what it would do, and its role may not
// do it.
const (
	Apply Mode = "apply"
	Plan  Mode = "plan"
)

// InstancesWithoutRevision says what becomes of instances that got no revision.
type InstancesWithoutRevision string

// What may become of them, besides the notification that there always is.
const (
	NotifyOfInstances InstancesWithoutRevision = "notify"
	StandbyInstances  InstancesWithoutRevision = "standby"
	ReplaceInstances  InstancesWithoutRevision = "replace"
)

// BlueGroupThatStays says what becomes of a blue Auto Scaling group that is kept.
type BlueGroupThatStays string

// What may become of it, besides the notification that there always is.
const (
	NotifyOfBlueGroup BlueGroupThatStays = "notify"
	DetachBlueGroup   BlueGroupThatStays = "detach"
)

// Response says what an event about an instance leads to.
type Response string

// The responses.
const (
	Off           Response = "off"
	Notify        Response = "notify"
	DrainInstance Response = "drain"
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
