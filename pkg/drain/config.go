package drain

import (
	"fmt"
	"strings"
	"time"

	"deployhooks/pkg/glob"
)

// Config is the function's configuration, from its environment. The stack in
// infra sets all of it.
type Config struct {
	// QueueURL is the queue that feeds this function.
	QueueURL string `env:"QUEUE_URL,required,notEmpty"`
	// Table is the DynamoDB table of the drains.
	Table string `env:"TABLE,required,notEmpty"`
	// Hooks is a pattern on the names of the terminate hooks that are this
	// function's to complete, with * and ? as in a shell; all others are left
	// to their owners.
	Hooks glob.Pattern `env:"HOOKS" envDefault:"deployhooks-*"`
	// Deadline is how long an instance is held at most. 0 is as long as its
	// target groups' deregistration delays and the command ask for. What is
	// shorter than a deregistration delay cuts off requests that it would have
	// let finish. Always less than the action may take.
	Deadline time.Duration `env:"DEADLINE"`
	// TargetGroups are names or ARNs of target groups that instances leave
	// beside those of their group.
	TargetGroups []string `env:"TARGET_GROUPS"`
	// Command are shell lines to run on the drained instance, and Document the
	// name of an SSM document to run instead; a group's tag [CommandTag] goes
	// before both.
	Command  string `env:"COMMAND"`
	Document string `env:"DOCUMENT"`
	// CommandTimeout is how long the command may take.
	CommandTimeout time.Duration `env:"COMMAND_TIMEOUT" envDefault:"5m"`
	// OnRebalance says what to do at a rebalance recommendation.
	OnRebalance Response `env:"ON_REBALANCE" envDefault:"notice"`
	// OnMaintenance says what to do when AWS Health announces maintenance of an
	// instance.
	OnMaintenance Response `env:"ON_MAINTENANCE" envDefault:"notice"`
}

// Tags on an Auto Scaling group that say what its instances need beside the
// configuration.
const (
	// TargetGroupsTag holds names or ARNs of target groups, separated by spaces.
	TargetGroupsTag = "deployhooks:drain-target-groups"
	// CommandTag holds shell lines, or "document:" and the name of an SSM
	// document.
	CommandTag = "deployhooks:drain-command"
	// deploymentTag holds the ID of the deployment by which CodeDeploy made the
	// group (observed).
	deploymentTag = "CodeDeployProvisioningDeploymentId"
)

// Response is what to do at a recommendation.
type Response string

// The responses.
const (
	TellPeople Response = "notice"
	DrainToo   Response = "drain"
)

// UnmarshalText reads a response from the environment.
func (r *Response) UnmarshalText(text []byte) error {
	switch response := Response(text); response {
	case TellPeople, DrainToo:
		*r = response
		return nil
	default:
		return fmt.Errorf("response %q: give %q or %q", text, TellPeople, DrainToo)
	}
}

// shutdown is the command to run on an instance of a group; the zero one is
// none.
type shutdown struct{ Document, Lines string }

// shellDocument runs shell lines (AWS Systems Manager, owned by Amazon).
const shellDocument = "AWS-RunShellScript"

// shutdown is the command for a group with these tags.
func (c Config) shutdown(tags map[string]string) shutdown {
	if tag := tags[CommandTag]; tag != "" {
		if name, ok := strings.CutPrefix(tag, "document:"); ok {
			return shutdown{Document: name}
		}
		return shutdown{shellDocument, tag}
	}
	switch {
	case c.Document != "":
		return shutdown{Document: c.Document}
	case c.Command != "":
		return shutdown{shellDocument, c.Command}
	}
	return shutdown{}
}
