package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Scenario is what happens to a service, played without the hooks and with them.
type Scenario struct {
	Name    string // the key in report.json
	Title   string
	Lead    string // what happens, for a person
	Without Run
	With    Run
}

// Run is one play of a scenario: what an observer wrote down second by second.
type Run struct {
	Requests int
	Failed   int
	// Note says why it came so, for a person.
	Note string
	// Changes are what the hooks say they did.
	Changes []string
	// Calls is how many AWS calls the hooks made.
	Calls   int
	Seconds []Second
	Lanes   []Lane
	Marks   []Mark
}

// Second is what users saw in one second.
type Second struct{ Requests, Failed int }

// Lane is the life of one instance.
type Lane struct {
	Instance string
	Fleet    string // "blue" or "green"
	Spans    []Span
}

// Span is a stretch of an instance's life in one condition, in seconds from
// the beginning; To is not in it.
type Span struct {
	From, To  int
	Condition Condition
}

// Mark is something that happened.
type Mark struct {
	At   int // seconds from the beginning
	Text string
	Ours bool // done by the hooks
}

// Condition is what an instance is to users.
type Condition string

// The conditions, in the order of the legend.
const (
	Starting Condition = "starting"
	Serving  Condition = "serving"
	Idle     Condition = "idle"    // in service, and no load balancer sends it anything
	Draining Condition = "leaving" // finishing its requests, taking no new ones
	Dying    Condition = "dying"   // gone or going, and still sent requests
)

// figures is a run in report.json.
type figures struct {
	Requests int      `json:"requests"`
	Failed   int      `json:"failed"`
	Changes  []string `json:"changes,omitempty"`
}

// write writes report.html and report.json.
func write(folder string, scenarios []Scenario, launches []Launch) error {
	report := map[string]any{"tenant": launches[0].figures()}
	for _, s := range scenarios {
		report[s.Name] = map[string]figures{
			"without": {s.Without.Requests, s.Without.Failed, nil},
			"with":    {s.With.Requests, s.With.Failed, s.With.Changes},
		}
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("report.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "report.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	page, err := render(scenarios, launches)
	if err != nil {
		return fmt.Errorf("report.html: %w", err)
	}
	return os.WriteFile(filepath.Join(folder, "report.html"), page, 0o644)
}
