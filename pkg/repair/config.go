package repair

import (
	"fmt"
	"slices"
	"strings"

	"deployhooks/pkg/glob"
)

// Config is the function's configuration, from its environment. The stack in
// infra sets all of it.
type Config struct {
	// QueueURL is the queue that feeds this function.
	QueueURL string `env:"QUEUE_URL,required,notEmpty"`
	// Table is the DynamoDB table of the records.
	Table string `env:"TABLE,required,notEmpty"`
	// ParameterPrefix begins the names of the SSM parameters that hold the
	// current Auto Scaling groups' names.
	ParameterPrefix string `env:"PARAMETER_PREFIX" envDefault:"/deployhooks"`
	// Mode is "apply", or "plan" to only report what would be done.
	Mode Mode `env:"MODE" envDefault:"apply"`
	Scope
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
	switch mode := Mode(text); mode {
	case ModeApply, ModePlan:
		*m = mode
		return nil
	default:
		return fmt.Errorf("mode %q: give %q or %q", text, ModeApply, ModePlan)
	}
}

// Scope says which deployment groups the function looks after. The zero Scope
// is all of them.
type Scope struct {
	// Applications are the names of CodeDeploy applications; none means all.
	Applications []string `env:"APPLICATIONS"`
	// DeploymentGroups is a pattern on the deployment group's name, with * and
	// ? as in a shell; empty means all.
	DeploymentGroups glob.Pattern `env:"DEPLOYMENT_GROUPS"`
	// Tag is a tag, key=value, that the Auto Scaling group must have; empty
	// means that none is needed. CodeDeploy copies tags to the green group.
	Tag Tag `env:"TAG"`
}

// covers tells whether the deployment group is in scope by its names. The tag
// is looked at when the Auto Scaling group is known.
func (s Scope) covers(k Key) bool {
	if len(s.Applications) > 0 && !slices.Contains(s.Applications, k.Application) {
		return false
	}
	return s.DeploymentGroups == "" || s.DeploymentGroups.Match(k.DeploymentGroup)
}

// admits tells whether the group's tags leave it in scope. A group that is gone
// has none to look at.
func (s Scope) admits(g *Group) bool {
	return g == nil || !OptOut.on(g) && (s.Tag == Tag{} || s.Tag.on(g))
}

// Tag is a tag that an Auto Scaling group must have.
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

// OptOut is a tag on an Auto Scaling group that makes the function leave the
// group alone, for example while somebody works on it by hand.
var OptOut = Tag{Key: "deployhooks:repair", Value: "off"}

func (t Tag) on(g *Group) bool {
	value, ok := g.Tags[t.Key]
	return ok && value == t.Value
}
