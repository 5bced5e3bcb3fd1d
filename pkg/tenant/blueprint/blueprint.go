// Package blueprint is what a tenant of a product consists of, as data: steps, each
// with a kind, parameters and needs; environments; further fields of the spec; files. [Load]
// reads the directory that a platform engineer edits and reports all its faults with
// their lines. The functions get the compiled form ([Blueprint.Encode]), which needs no YAML.
package blueprint

import (
	"encoding/json"

	"deployhooks/pkg/tenant/step"
)

// Blueprint is a compiled blueprint.
type Blueprint struct {
	Name string `json:"name"`
	// Version is a hash of the content, files included: 12 hexadecimal digits. Every operation
	// keeps the version it began with.
	Version string `json:"version"`
	// Spec is the JSON Schema (2020-12) of the spec, the common fields and the blueprint's.
	Spec         json.RawMessage        `json:"spec"`
	Environments map[string]Environment `json:"environments"`
	// Steps are expanded by environment and in an order in which each comes after those it needs.
	Steps []Step            `json:"steps"`
	Files map[string][]byte `json:"files"`
}

// Environment is one that every tenant gets, such as production or staging.
type Environment struct {
	// Host is the tenant's host name in it, with references to the spec.
	Host     string            `json:"host"`
	Settings map[string]string `json:"settings"`
}

// Step is one step of the workflow.
type Step struct {
	// Name is unique. A step of an environment is named <name>-<environment>.
	Name        string   `json:"name"`
	Kind        string   `json:"kind"`
	Environment string   `json:"environment,omitempty"`
	Needs       []string `json:"needs,omitempty"`
	// Parameters are with references in place: ${spec.field}, ${environment.name},
	// ${environment.host}, ${environment.<setting>}, ${steps.<step>.<output>}.
	Parameters json.RawMessage `json:"parameters"`
	Retain     bool            `json:"retain,omitempty"`
	// Policy and Class are the kind's.
	Policy step.Policy `json:"policy"`
	Class  step.Class  `json:"class"`
}
