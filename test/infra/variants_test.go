package infra

import (
	"os"
	"path/filepath"
)

// variants are the stacks of this project in every configuration under test, by
// name. Tests of what holds in every stack run on them, so that a stack that is
// added here is held to the same. Stacks of users, which are in fleets, are not
// among them.
func variants() map[string]template {
	all := map[string]template{
		"hooks":              plain,
		"hooks-configured":   configured,
		"hooks-planning":     planning,
		"hooks-replacing":    replacing,
		"hooks-x86":          intel,
		"hooks-encrypted":    encrypted,
		"hooks-twice":        twice,
		"tenants":            tenancy,
		"tenants-configured": tenancyNet,
		"central":            central,
	}
	for name, t := range environments {
		all["environment-"+name] = t
	}
	return all
}

// given are the resources of variants that their test makes and hands to a
// construct: it must not change them.
func given(variant, id string) bool {
	switch variant + " " + name(id) {
	case "hooks-twice Chat", "hooks-twice Pager", "hooks-encrypted Key":
		return true
	}
	return false
}

// writeTemplates writes the template of every variant to a folder, for tools that
// read templates.
func writeTemplates(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for variant, t := range variants() {
		if err := os.WriteFile(filepath.Join(folder, variant+".template.json"), t.Whole, 0o644); err != nil {
			return err
		}
	}
	return nil
}
