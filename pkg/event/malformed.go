package event

import (
	"strconv"
	"strings"
)

// MalformedError says that a payload, or one message of it, can never be
// understood: sending it again will not help. It never quotes the payload,
// which may hold secrets; it speaks of fields, types and lengths only.
type MalformedError struct {
	// Faults is all that was found wrong, at least one and at most twelve, in
	// the order in which it was found.
	Faults []Fault
}

// Fault is one thing wrong with a message.
type Fault struct {
	// Path leads to it through the envelopes, for example
	// "Records[2].body.Message.detail.deploymentId". It is empty where the
	// payload as a whole is at fault.
	Path string
	// Reason continues the path to a sentence, for example "is missing".
	Reason string
}

// An error is bounded, because it ends in logs and notifications. The fullest event
// has fewer fields than maxFaults, and the longest path of ours is half of
// maxPath, in characters; requests bring names of their own.
const (
	maxFaults = 12
	maxPath   = 200
)

// Error names every fault.
func (e *MalformedError) Error() string {
	var text strings.Builder
	text.WriteString("malformed event: ")
	for i, fault := range e.Faults {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(fault.String())
	}
	return text.String()
}

func (f Fault) String() string {
	if f.Path == "" {
		return "the payload " + f.Reason
	}
	return f.Path + " " + f.Reason
}

// faults gathers what is wrong while an event is read, so that a reader can go
// on and the error can name everything at once.
type faults []Fault

// add records a fault, unless there are enough already.
func (f *faults) add(at *path, reason string) {
	if len(*f) >= maxFaults {
		return
	}
	*f = append(*f, Fault{Path: cutTo(at.String(), maxPath), Reason: reason})
}

// err returns the faults as an error, or nil if there are none.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &MalformedError{Faults: f}
}

// path is where in a payload something is: one step further than its parent. It is
// turned into text only when something is wrong there, so that a good event pays
// nothing for it. The nil path is the payload itself.
type path struct {
	parent *path
	// field is a name that this package looked for, never one that the payload
	// brought along.
	field string
	// index counts the elements of an array from 0. It is used where field is
	// empty.
	index int
}

// in is the path of a field of the object here.
func (p *path) in(field string) *path { return &path{parent: p, field: field} }

// at is the path of an element of the array here.
func (p *path) at(index int) *path { return &path{parent: p, index: index} }

// String is the path in text, for example "Records[2].body".
func (p *path) String() string {
	switch {
	case p == nil:
		return ""
	case p.field == "":
		return p.parent.String() + "[" + strconv.Itoa(p.index) + "]"
	case p.parent == nil:
		return p.field
	}
	return p.parent.String() + "." + p.field
}
