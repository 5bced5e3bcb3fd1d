package workflow

import "encoding/json"

// machine and the types of its fields are the Amazon States Language, as far as the
// definitions use it.
type machine struct {
	Comment string `json:",omitempty"`
	StartAt string
	States  map[string]state
}

type state struct {
	Type               string
	Comment            string            `json:",omitempty"`
	Resource           string            `json:",omitempty"`
	InputPath          string            `json:",omitempty"`
	Parameters         *parameters       `json:",omitempty"`
	ResultSelector     map[string]string `json:",omitempty"`
	ResultPath         json.RawMessage   `json:",omitempty"` // null discards the result
	TimeoutSeconds     int               `json:",omitempty"`
	TimeoutSecondsPath string            `json:",omitempty"`
	TimestampPath      string            `json:",omitempty"`
	Branches           []*machine        `json:",omitempty"`
	Choices            []choice          `json:",omitempty"`
	Default            string            `json:",omitempty"`
	Retry              []retry           `json:",omitempty"`
	Catch              []catch           `json:",omitempty"`
	Error              string            `json:",omitempty"`
	Cause              string            `json:",omitempty"`
	Next               string            `json:",omitempty"`
	End                bool              `json:",omitempty"`
}

type parameters struct {
	FunctionName string
	Payload      map[string]string
}

type choice struct {
	Variable     string
	StringEquals string
	Next         string
}

type retry struct {
	ErrorEquals     []string
	IntervalSeconds int     `json:",omitempty"`
	BackoffRate     float64 `json:",omitempty"`
	MaxAttempts     *int
	MaxDelaySeconds int    `json:",omitempty"`
	JitterStrategy  string `json:",omitempty"`
}

type catch struct {
	ErrorEquals []string
	ResultPath  json.RawMessage
	Next        string
}

func newMachine(comment string) *machine {
	return &machine{Comment: comment, States: map[string]state{}}
}

// to is the state with what follows it; the last one of a branch ends it.
func (s state) to(next string) state {
	s.Next, s.End = next, next == ""
	return s
}
