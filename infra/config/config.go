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

// EnvironmentKey is the setting that says which environment is deployed, without the prefix.
const EnvironmentKey = "environment"

// Hooks is the configuration of both stacks. [Parse] returns only valid ones,
// with defaults where nothing was given. [Settings] says what each setting does and
// what it may be; here is how it is held.
type Hooks struct {
	// Environment is the name of an environment file, or its path; empty for none.
	Environment      string
	Repair           Repair
	Drain            Drain
	Tenants          Tenants
	NotifyEmails     []string
	AlarmTopicARN    string   // empty means the notices topic
	EventBus         string   // a name
	CentralEventBus  string   // an ARN; empty for none
	AssetBucket      string   // begins buckets' names; empty for those of the CDK's bootstrap
	Central          []string // IDs of accounts and organizations; with any, the stack is the central one
	AcceptEventsFrom []string // <account>/<region> pairs, besides the stack's own
	LogLevel         string   // DEBUG, INFO, WARN or ERROR
	LogRetentionDays int
	Architecture     Architecture
}

// Repair is the configuration of the repair function.
type Repair struct {
	Mode                        Mode
	SweepMinutes                int      // 1 to 1440
	Applications                []string // empty means all
	DeploymentGroups            string   // a glob pattern ([path.Match]) on names; empty means all
	Tag                         Tag      // without a key, all Auto Scaling groups are in scope
	AttachDuringTerminationWait bool
	InstancesWithoutRevision    InstancesWithoutRevision
	BlueGroupThatStays          BlueGroupThatStays
	HookRoleARNs                []string
	ParameterPrefix             string // a path without a slash at its end
	BaselineTable               string // a name; empty means that the stack makes one
}

// Drain is the configuration of the drain function.
type Drain struct {
	Mode                              Mode
	SweepMinutes                      int      // 1 to 60
	ShortestHookSeconds               int      // 30 to 7200
	Hooks                             string   // a glob pattern ([path.Match]) on names
	Tag                               Tag      // without a key, all Auto Scaling groups are in scope
	DeadlineMinutes                   int      // 1 to 2880; 0 is as long as the delays and the command need
	TargetGroups                      []string // names or ARNs
	FindTargetGroups                  bool
	NetworkTargetWaitSeconds          int // 0 to 3600
	Command                           string
	Document                          string   // a name or ARN; not with a Command
	TagDocuments                      []string // names or ARNs
	CommandTimeoutMinutes             int      // 1 to 120
	OnSpotInterruption, OnStateChange Response // DrainInstance or Off
	OnRebalance, OnMaintenance        Response // Notify or DrainInstance
	ReleasesPerSecond                 int      // 1 to 100
}

// Tenants is the configuration of the tenants stack, which is there with a blueprint
// only.
type Tenants struct {
	// Blueprint is a directory, as package tenant/source reads it.
	Blueprint string
	// RemovalDelayHours is how long a removal can be cancelled, 0 to 2160.
	RemovalDelayHours int
	// DatabaseSubnets and DatabaseSecurityGroups are the network of the worker of class
	// database: IDs, both or none.
	DatabaseSubnets, DatabaseSecurityGroups []string
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
