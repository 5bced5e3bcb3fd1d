package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Parameters decodes the parameters of a step into what its kind's
// [Description.Parameters] returns, and validates them. An error is [Refused].
func Parameters[T any](in Input) (T, error) {
	var p T
	d := json.NewDecoder(bytes.NewReader(in.Parameters))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, Refuse(fmt.Errorf("parameters of step %s: %w", in.Step, err), "Correct the step's parameters in the blueprint.")
	}
	if v, ok := any(p).(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return p, Refuse(fmt.Errorf("parameters of step %s: %w", in.Step, err), "Correct the step's parameters in the blueprint, or the spec that they refer to.")
		}
	}
	return p, nil
}

// Refuse is an error that will not pass by itself.
func Refuse(err error, remedy string) error { return &Error{Class: Refused, Err: err, Remedy: remedy} }

// Resource is the ARN in a parameter of a blueprint, for [Description.Permissions]: "*" if
// it is not known at synthesis, because it is missing or refers to something.
func Resource(parameters json.RawMessage, name string) string {
	var values map[string]any
	if json.Unmarshal(parameters, &values) != nil {
		return "*"
	}
	if arn, ok := values[name].(string); ok && arn != "" && !strings.Contains(arn, "${") {
		return arn
	}
	return "*"
}
