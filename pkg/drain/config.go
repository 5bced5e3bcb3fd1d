package drain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/glob"
	"deployhooks/pkg/invoke"
)

// Config is the function's configuration, from its environment. The stack in
// infra sets all of it.
type Config struct {
	// QueueURL is the queue that feeds this function.
	QueueURL string `env:"QUEUE_URL,required,notEmpty"`
	// Table is the DynamoDB table of the drains.
	Table string `env:"TABLE,required,notEmpty"`
	// Home says which accounts and regions are in scope.
	Home invoke.Home
	// Mode is [Apply] or [PlanOnly].
	Mode Mode `env:"MODE" envDefault:"apply"`
	// Hooks is a pattern on the names of the terminate hooks whose lifecycle
	// actions this function completes, with * and ? as in a shell. All others are
	// left to their owners.
	Hooks glob.Pattern `env:"HOOKS" envDefault:"deployhooks-*"`
	// Tag restricts the function to Auto Scaling groups with this tag; zero is all.
	Tag Tag `env:"TAG"`
	// Deadline is how long an instance is kept at most; 0 is as long as its
	// deregistration delays and the command take. One shorter than a
	// deregistration delay cuts off requests that could have finished.
	Deadline time.Duration `env:"DEADLINE"`
	// TargetGroups are names or ARNs of target groups that every instance leaves.
	TargetGroups []string `env:"TARGET_GROUPS"`
	// FindTargetGroups has the function search all target groups for the instance.
	FindTargetGroups bool `env:"FIND_TARGET_GROUPS"`
	// Command is shell commands to run on the drained instance, and Document the
	// name of an SSM document to run instead. A group's tag [CommandTag] takes
	// precedence over both.
	Command  string `env:"COMMAND"`
	Document string `env:"DOCUMENT"`
	// TagDocuments are the SSM documents that a group's tag may name;
	// AWS-RunShellScript allows shell commands. None means no command by tag: who
	// may tag a group must not thereby get to run commands on its instances.
	TagDocuments []string `env:"TAG_DOCUMENTS"`
	// CommandTimeout is how long the command may take.
	CommandTimeout time.Duration `env:"COMMAND_TIMEOUT" envDefault:"5m"`
	// OnSpotInterruption is [Respond] or [Off], and OnStateChange too.
	OnSpotInterruption Response `env:"ON_SPOT_INTERRUPTION" envDefault:"drain"`
	OnStateChange      Response `env:"ON_STATE_CHANGE" envDefault:"off"`
	// OnRebalance and OnMaintenance are [Respond] or [Notify].
	OnRebalance   Response `env:"ON_REBALANCE" envDefault:"notify"`
	OnMaintenance Response `env:"ON_MAINTENANCE" envDefault:"notify"`
	// NetworkTargetWait is how long an instance stays at least after its
	// deregistration from a Network Load Balancer, which may still send it
	// connections ("Edit target group attributes for your Network Load Balancer").
	NetworkTargetWait time.Duration `env:"NETWORK_TARGET_WAIT" envDefault:"2m"`
	// ReleasesPerSecond is how many calls a second the function makes to Auto
	// Scaling in the account and region; 0 is [defaultReleases].
	ReleasesPerSecond int `env:"RELEASES_PER_SECOND" envDefault:"8"`
	// SweepInterval is how often the schedule has the function sweep.
	SweepInterval time.Duration `env:"SWEEP_INTERVAL" envDefault:"1m"`
}

// Mode says whether the function acts.
type Mode string

// The modes. In [PlanOnly] the function reports what it would do, and completes
// lifecycle actions at once, so that no instance waits for its hook's timeout.
const (
	Apply    Mode = "apply"
	PlanOnly Mode = "plan"
)

// UnmarshalText reads a mode from the environment.
func (m *Mode) UnmarshalText(text []byte) error { return oneOf(m, text, Apply, PlanOnly) }

// Response is what to do at an event that is not a lifecycle action.
type Response string

// The responses.
const (
	Respond Response = "drain"
	Notify  Response = "notify"
	Off     Response = "off"
)

// UnmarshalText reads a response from the environment.
func (r *Response) UnmarshalText(text []byte) error { return oneOf(r, text, Respond, Notify, Off) }

func oneOf[T ~string](value *T, text []byte, allowed ...T) error {
	if !slices.Contains(allowed, T(text)) {
		return fmt.Errorf("%q is not one of %q", text, allowed)
	}
	*value = T(text)
	return nil
}

// Tag is a tag of an Auto Scaling group.
type Tag struct{ Key, Value string }

// UnmarshalText reads key=value; empty is no tag.
func (t *Tag) UnmarshalText(text []byte) error {
	key, value, ok := strings.Cut(string(text), "=")
	if len(text) > 0 && (!ok || key == "") {
		return fmt.Errorf("tag %q: give key=value", text)
	}
	t.Key, t.Value = key, value
	return nil
}

// Tags on an Auto Scaling group that say what its instances need beside the
// configuration.
const (
	// TargetGroupsTag holds names or ARNs of target groups, separated by spaces.
	TargetGroupsTag = "deployhooks:drain-target-groups"
	// CommandTag holds shell commands, or "document:" and the name of an SSM
	// document.
	CommandTag = "deployhooks:drain-command"
	// DeadlineTag and CommandTimeoutTag hold whole minutes.
	DeadlineTag       = "deployhooks:drain-deadline-minutes"
	CommandTimeoutTag = "deployhooks:drain-command-timeout-minutes"
	// RebalanceTag holds "notify" or "drain".
	RebalanceTag = "deployhooks:on-rebalance"
	// OptOutTag with the value "off" has the group's instances complete without
	// draining.
	OptOutTag = "deployhooks:drain"
)

// Shutdown is the command to run on an instance; the zero one is none.
type Shutdown struct{ Document, Commands string }

// shellDocument runs shell commands (AWS Systems Manager, owned by Amazon).
const shellDocument = "AWS-RunShellScript"

// Settings are the configuration as one Auto Scaling group's tags vary it.
type Settings struct {
	Deadline, CommandTimeout time.Duration
	Shutdown                 Shutdown
	OnRebalance              Response
	// Faults are the tags that cannot be followed, each as a sentence.
	Faults []string
}

// maxMinutes bounds a tag's minutes: an action lasts 48 hours at most
// (PutLifecycleHook, Amazon EC2 Auto Scaling API Reference).
const maxMinutes = 48 * 60

// settings are those of a group with these tags. A value that cannot be read is
// reported and ignored. A command that its tag may not run is reported, and the
// configured one does not run in its place: the group asked for another, and one
// that it did not ask for may do harm.
func (c Config) settings(tags map[string]string) Settings {
	s := Settings{Deadline: c.Deadline, CommandTimeout: c.CommandTimeout, OnRebalance: c.OnRebalance}
	minutes := func(key string, value *time.Duration) {
		if tag, ok := tags[key]; ok {
			n, err := strconv.Atoi(strings.TrimSpace(tag))
			if err != nil || n < 1 || n > maxMinutes {
				s.Faults = append(s.Faults, fmt.Sprintf("tag %s is %q, which is no whole number of minutes from 1 to %d; it is ignored", key, tag, maxMinutes))
				return
			}
			*value = time.Duration(n) * time.Minute
		}
	}
	minutes(DeadlineTag, &s.Deadline)
	minutes(CommandTimeoutTag, &s.CommandTimeout)
	if tag, ok := tags[RebalanceTag]; ok {
		if tag != string(Notify) && tag != string(Respond) {
			s.Faults = append(s.Faults, fmt.Sprintf("tag %s is %q, which is neither %q nor %q; it is ignored", RebalanceTag, tag, Notify, Respond))
		} else {
			s.OnRebalance = Response(tag)
		}
	}
	switch tag := tags[CommandTag]; {
	case tag != "":
		s.Shutdown = Shutdown{shellDocument, tag}
		if name, ok := strings.CutPrefix(tag, "document:"); ok {
			s.Shutdown = Shutdown{Document: name}
		}
		if !slices.Contains(c.TagDocuments, s.Shutdown.Document) {
			s.Faults = append(s.Faults, fmt.Sprintf("tag %s needs the SSM document %q, which the configuration does not allow by tag; no command runs. Add the document to deployhooks:drainTagDocuments, or remove the tag", CommandTag, s.Shutdown.Document))
			s.Shutdown = Shutdown{}
		}
	case c.Document != "":
		s.Shutdown = Shutdown{Document: c.Document}
	case c.Command != "":
		s.Shutdown = Shutdown{shellDocument, c.Command}
	}
	return s
}

// inScope reports whether a group is this function's to drain.
func (c Config) inScope(g *fleet.AutoScalingGroup) bool {
	return g == nil || c.Tag == (Tag{}) || g.HasTag(c.Tag.Key, c.Tag.Value)
}

// optedOut reports whether a group's instances are to go without being drained.
func optedOut(g *fleet.AutoScalingGroup) bool { return g != nil && g.HasTag(OptOutTag, "off") }
