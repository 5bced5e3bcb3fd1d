// Package blueprint is what a tenant of a product consists of, as data: steps, each
// with a kind, parameters and needs; environments; further fields of the spec; files.
// Package source compiles the directory that a platform engineer edits; the functions read
// the compiled form, which needs neither YAML nor a schema compiler.
package blueprint

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"

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
	Host string `json:"host"`
	// Settings are what differs between environments; they can refer to the spec.
	Settings map[string]string `json:"settings"`
}

// Step is one step of the workflow.
type Step struct {
	// Name is unique. A step of an environment is named <name>-<environment>.
	Name        string   `json:"name"`
	Kind        string   `json:"kind"`
	Environment string   `json:"environment,omitempty"`
	Needs       []string `json:"needs,omitempty"`
	// Parameters are with references in place, ${spec.<field>} and ${steps.<step>.<output>}; those
	// to the environment and to steps of the same environment have been replaced.
	Parameters json.RawMessage `json:"parameters"`
	// Files are the paths of the files that the parameters name; those of a directory one by one.
	Files  []string `json:"files,omitempty"`
	Retain bool     `json:"retain,omitempty"`
	// Policy and Class are the kind's.
	Policy step.Policy `json:"policy"`
	Class  step.Class  `json:"class"`
}

// The limits of a compiled blueprint, so that a function can hold it in memory several times.
const (
	MaxFile     = 4 << 20  // bytes of one file
	MaxFiles    = 16 << 20 // bytes of all files
	MaxCompiled = 32 << 20 // bytes of what Encode returns: files in Base64, and the rest
)

// Step finds a step by its name.
func (b *Blueprint) Step(name string) (Step, bool) {
	i := slices.IndexFunc(b.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		return Step{}, false
	}
	return b.Steps[i], true
}

// Hash is what [Blueprint.Version] has to be.
func (b *Blueprint) Hash() string {
	unversioned := *b
	unversioned.Version = ""
	text, err := json.Marshal(unversioned)
	if err != nil {
		panic("blueprint: a compiled blueprint cannot be encoded: " + err.Error()) // its raw parts were made by json.Marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Encode returns the compiled form, for [Decode].
func (b *Blueprint) Encode() ([]byte, error) {
	text, err := json.Marshal(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode blueprint %s: %w", b.Name, err)
	case len(text) > MaxCompiled:
		return nil, fmt.Errorf("encode blueprint %s: %d bytes are more than %d: keep large content elsewhere", b.Name, len(text), MaxCompiled)
	}
	return text, nil
}

// Decode reads what [Blueprint.Encode] returned, and refuses what was changed since.
func Decode(text []byte) (*Blueprint, error) {
	if len(text) > MaxCompiled {
		return nil, fmt.Errorf("decode blueprint: %d bytes are more than %d", len(text), MaxCompiled)
	}
	b := new(Blueprint)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // of a newer version than this function
	if err := d.Decode(b); err != nil {
		return nil, fmt.Errorf("decode blueprint: %w", err)
	}
	if hash := b.Hash(); hash != b.Version {
		return nil, fmt.Errorf("decode blueprint %s: it says version %s and has the content of %s: deploy it again", b.Name, b.Version, hash)
	}
	return b, nil
}

// FS returns the files as a file system. It costs a copy of them: keep it as long as the blueprint.
func (b *Blueprint) FS() (fs.FS, error) {
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = f.Write(b.Files[name])
		}
		if err != nil {
			return nil, fmt.Errorf("files of blueprint %s: %s: %w", b.Name, name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("files of blueprint %s: %w", b.Name, err)
	}
	return zip.NewReader(bytes.NewReader(buffer.Bytes()), int64(buffer.Len()))
}
