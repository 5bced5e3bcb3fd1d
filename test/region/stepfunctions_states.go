package region

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The Amazon States Language (https://states-language.net/spec.html, "ASL" below) with
// JSONPath, as far as it is simulated. A field that is not is refused: to ignore it would
// be to lie about what Step Functions would do.

// aslMachine is a state machine, or a branch of one.
type aslMachine struct {
	Comment        string
	StartAt        string
	States         map[string]*aslState
	TimeoutSeconds int
	QueryLanguage  string
	Version        string
}

type aslState struct {
	name    string
	Type    string
	Comment string
	Next    string
	End     bool

	InputPath, OutputPath, ResultPath aslPath
	Parameters, ResultSelector        json.RawMessage
	Result                            json.RawMessage

	Resource           string
	TimeoutSeconds     int
	TimeoutSecondsPath string
	Retry              []aslRetry
	Catch              []aslCatch
	Branches           []*aslMachine

	Seconds                            *int
	Timestamp                          string
	SecondsPath, TimestampPath         string
	Choices                            []aslChoice
	Default                            string
	Error, Cause, ErrorPath, CausePath string
}

type aslRetry struct {
	ErrorEquals     []string
	IntervalSeconds *int
	MaxAttempts     *int
	BackoffRate     *float64
	MaxDelaySeconds int
	JitterStrategy  string
	Comment         string
}

type aslCatch struct {
	ErrorEquals []string
	Next        string
	ResultPath  aslPath
	Comment     string
}

// fieldsOf are the fields of each type of state (ASL, "State Types").
var fieldsOf = map[string]string{
	"Task":     "Next End InputPath OutputPath ResultPath Parameters ResultSelector Resource TimeoutSeconds TimeoutSecondsPath Retry Catch",
	"Parallel": "Next End InputPath OutputPath ResultPath Parameters ResultSelector Branches Retry Catch",
	"Pass":     "Next End InputPath OutputPath ResultPath Parameters Result",
	"Wait":     "Next End InputPath OutputPath Seconds Timestamp SecondsPath TimestampPath",
	"Choice":   "InputPath OutputPath Choices Default",
	"Succeed":  "InputPath OutputPath",
	"Fail":     "Error Cause ErrorPath CausePath",
}

func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// UnmarshalJSON refuses what the state's type does not have.
func (s *aslState) UnmarshalJSON(text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	var kind string
	_ = json.Unmarshal(fields["Type"], &kind)
	known, ok := fieldsOf[kind]
	if !ok {
		return fmt.Errorf("state type %q is not simulated", kind)
	}
	for name := range fields {
		if name != "Type" && name != "Comment" && !slices.Contains(strings.Fields(known), name) {
			return fmt.Errorf("field %s of a %s state is not simulated", name, kind)
		}
	}
	type plain aslState
	return strict(text, (*plain)(s))
}

// parseMachine reads a definition and finds what Step Functions would refuse.
func parseMachine(definition string) (*aslMachine, error) {
	m := &aslMachine{}
	if err := strict([]byte(definition), m); err != nil {
		return nil, err
	}
	if m.QueryLanguage != "" && m.QueryLanguage != "JSONPath" {
		return nil, fmt.Errorf("query language %s is not simulated", m.QueryLanguage)
	}
	return m, m.check(map[string]bool{})
}

const maxStateName = 80 // ASL, "States"

func (m *aslMachine) check(seen map[string]bool) error {
	if m.States[m.StartAt] == nil {
		return fmt.Errorf("MISSING_TRANSITION_TARGET: StartAt %q is no state", m.StartAt)
	}
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		s := m.States[name]
		s.name = name
		switch {
		case len([]rune(name)) > maxStateName:
			return fmt.Errorf("the name of state %q has more than %d characters", name, maxStateName)
		case seen[name]: // "State names MUST be unique within the scope of the whole state machine"
			return fmt.Errorf("DUPLICATE_STATE_NAME: %q", name)
		}
		seen[name] = true
		if err := s.check(m.States); err != nil {
			return fmt.Errorf("state %q: %w", name, err)
		}
		for _, branch := range s.Branches {
			if err := branch.check(seen); err != nil {
				return err
			}
		}
	}
	return m.checkReachable()
}

// next are the states to which a state can lead.
func (s *aslState) next() (names []string) {
	for _, name := range []string{s.Next, s.Default} {
		if name != "" {
			names = append(names, name)
		}
	}
	for _, c := range s.Catch {
		names = append(names, c.Next)
	}
	for _, c := range s.Choices {
		names = append(names, c.Next)
	}
	return names
}

// checkReachable: a state that nothing leads to is refused (observed).
func (m *aslMachine) checkReachable() error {
	reached := map[string]bool{m.StartAt: true}
	for queue := []string{m.StartAt}; len(queue) > 0; queue = queue[1:] {
		for _, name := range m.States[queue[0]].next() {
			if !reached[name] {
				reached[name] = true
				queue = append(queue, name)
			}
		}
	}
	for name := range m.States {
		if !reached[name] {
			return fmt.Errorf("MISSING_TRANSITION_TARGET: state %q is not reachable", name)
		}
	}
	return nil
}

func (s *aslState) check(states map[string]*aslState) error {
	for _, name := range s.next() {
		if states[name] == nil {
			return fmt.Errorf("MISSING_TRANSITION_TARGET: %q is no state here", name)
		}
	}
	terminal := s.Type == "Choice" || s.Type == "Succeed" || s.Type == "Fail"
	waits := 0
	for _, set := range []bool{s.Seconds != nil, s.Timestamp != "", s.SecondsPath != "", s.TimestampPath != ""} {
		if set {
			waits++
		}
	}
	switch {
	case !terminal && (s.Next == "") == !s.End:
		return fmt.Errorf("has to have either Next or End")
	case s.Type == "Wait" && waits != 1:
		return fmt.Errorf("has to have one of Seconds, Timestamp, SecondsPath and TimestampPath")
	case s.Type == "Choice" && len(s.Choices) == 0:
		return fmt.Errorf("has no choices")
	case s.Type == "Parallel" && len(s.Branches) == 0:
		return fmt.Errorf("has no branches")
	case s.Type == "Task" && !taskResource.MatchString(s.Resource):
		return fmt.Errorf("resource %q is not simulated", s.Resource)
	case s.TimeoutSeconds != 0 && s.TimeoutSecondsPath != "":
		return fmt.Errorf("has both TimeoutSeconds and TimeoutSecondsPath")
	}
	for i, r := range s.Retry {
		if err := checkErrors(r.ErrorEquals, i == len(s.Retry)-1); err != nil {
			return err
		}
		if r.IntervalSeconds != nil && *r.IntervalSeconds < 1 || r.BackoffRate != nil && *r.BackoffRate < 1 || r.MaxAttempts != nil && *r.MaxAttempts < 0 ||
			r.MaxDelaySeconds < 0 || !slices.Contains([]string{"", "FULL", "NONE"}, r.JitterStrategy) {
			return fmt.Errorf("a value of retrier %d is out of range", i)
		}
	}
	for i, c := range s.Catch {
		if err := checkErrors(c.ErrorEquals, i == len(s.Catch)-1); err != nil {
			return err
		}
	}
	return nil
}

// checkErrors: "The reserved name States.ALL appearing in a Retrier's ErrorEquals field
// is a wildcard … It MUST appear alone in the ErrorEquals array and MUST appear in the last
// Retrier" (ASL, "Retrying after error"; the same of catchers).
func checkErrors(names []string, last bool) error {
	switch {
	case len(names) == 0:
		return fmt.Errorf("ErrorEquals is empty")
	case slices.Contains(names, statesAll) && (len(names) > 1 || !last):
		return fmt.Errorf("%s does not stand alone and last", statesAll)
	}
	return nil
}
