package repair

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/glob"
	"deployhooks/pkg/invoke"
)

// Config is the function's configuration, from its environment. The stack in infra
// sets all of it.
type Config struct {
	// QueueURL is the queue that feeds this function.
	QueueURL string `env:"QUEUE_URL,required,notEmpty"`
	// Table is the DynamoDB table of the records.
	Table string `env:"TABLE,required,notEmpty"`
	// ParameterPrefix begins the names of the SSM parameters that hold the current
	// Auto Scaling groups' names.
	ParameterPrefix string `env:"PARAMETER_PREFIX" envDefault:"/deployhooks"`
	// Mode is "apply", or "plan" to only report what would be done.
	Mode Mode `env:"MODE" envDefault:"apply"`
	invoke.Home
	Scope
	Choices
}

// Choices are what is done where opinions differ.
type Choices struct {
	// AttachDuringTerminationWait attaches the replacement group as soon as the
	// traffic is rerouted, against AWS's advice to attach nothing while a
	// deployment is in progress. Otherwise its instances are registered one by one
	// until the deployment has ended.
	AttachDuringTerminationWait bool `env:"ATTACH_DURING_TERMINATION_WAIT"`
	// InstancesWithoutRevision says what becomes of instances of a released group
	// that CodeDeploy did not deploy to: notify, standby or replace.
	InstancesWithoutRevision WithoutRevision `env:"INSTANCES_WITHOUT_REVISION" envDefault:"notify"`
	// BlueGroupThatStays says what becomes of an earlier group that still has its
	// traffic sources: notify or detach.
	BlueGroupThatStays BlueGroup `env:"BLUE_GROUP_THAT_STAYS" envDefault:"notify"`
}

// Mode says whether plans are applied.
type Mode string

// The modes.
const (
	ModeApply Mode = "apply"
	ModePlan  Mode = "plan"
)

// UnmarshalText reads a mode from the environment.
func (m *Mode) UnmarshalText(text []byte) error {
	return oneOf(m, "mode", text, ModeApply, ModePlan)
}

// WithoutRevision says what becomes of instances without the revision.
type WithoutRevision string

// What becomes of instances without the revision, besides a notification.
const (
	NotifyOnly WithoutRevision = "notify"
	// PutOnStandby puts them on standby until CodeDeploy has deployed to them.
	PutOnStandby WithoutRevision = "standby"
	// Replace has Auto Scaling replace them.
	Replace WithoutRevision = "replace"
)

// UnmarshalText reads the choice from the environment.
func (w *WithoutRevision) UnmarshalText(text []byte) error {
	return oneOf(w, "instances without the revision", text, NotifyOnly, PutOnStandby, Replace)
}

// BlueGroup says what becomes of a blue group that stays.
type BlueGroup string

// What becomes of a blue group that stays attached, besides a notification.
const (
	LeaveAttached BlueGroup = "notify"
	Detach        BlueGroup = "detach"
)

// UnmarshalText reads the choice from the environment.
func (b *BlueGroup) UnmarshalText(text []byte) error {
	return oneOf(b, "blue group that stays", text, LeaveAttached, Detach)
}

func oneOf[T ~string](value *T, what string, text []byte, choices ...T) error {
	if !slices.Contains(choices, T(text)) {
		return fmt.Errorf("%s %q: give one of %q", what, text, choices)
	}
	*value = T(text)
	return nil
}

// Scope says which deployment groups the function manages. The zero Scope is all
// of them.
type Scope struct {
	// Applications are the names of CodeDeploy applications; none means all.
	Applications Names `env:"APPLICATIONS"`
	// DeploymentGroups is a pattern on the deployment group's name, with * and ? as
	// in a shell; empty means all.
	DeploymentGroups glob.Pattern `env:"DEPLOYMENT_GROUPS"`
	// Tag is a tag, key=value, that the Auto Scaling group must have; empty means
	// that none is needed. CodeDeploy copies tags to the green group.
	Tag Tag `env:"TAG"`
}

// Names is a list of names, in the environment as a JSON array: names may hold
// commas.
type Names []string

// UnmarshalText reads names from the environment.
func (n *Names) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = nil
		return nil
	}
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return fmt.Errorf("names %q: give a JSON array of strings: %w", text, err)
	}
	*n = names
	return nil
}

// covers reports whether the deployment group is in scope by its names. The tag is
// checked when the Auto Scaling group is known.
func (s Scope) covers(k Key) bool {
	if len(s.Applications) > 0 && !slices.Contains(s.Applications, k.Application) {
		return false
	}
	return s.DeploymentGroups == "" || s.DeploymentGroups.Match(k.DeploymentGroup)
}

// admits reports whether an Auto Scaling group's tags leave it in scope. A group
// that is gone has none.
func (s Scope) admits(g *fleet.AutoScalingGroup) bool {
	return g == nil || !g.HasTag(OptOut.Key, OptOut.Value) && (s.Tag == Tag{} || g.HasTag(s.Tag.Key, s.Tag.Value))
}

// Tag is a tag of an Auto Scaling group.
type Tag struct{ Key, Value string }

// UnmarshalText reads key=value from the environment.
func (t *Tag) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Tag{}
		return nil
	}
	key, value, ok := strings.Cut(string(text), "=")
	if !ok || key == "" {
		return fmt.Errorf("tag %q: give it as key=value", text)
	}
	*t = Tag{key, value}
	return nil
}

// OptOut is a tag on an Auto Scaling group that takes the group out of scope, for
// example while somebody works on it by hand.
var OptOut = Tag{Key: "deployhooks:repair", Value: "off"}
