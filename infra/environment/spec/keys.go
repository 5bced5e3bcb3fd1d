package spec

// A Key is one key of an environment file, as documentation shows it.
type Key struct {
	Path    string // such as network.cidr; <name> stands for any name, [] for each of a list
	Default string // empty for none, "required" if there can be none
	Purpose string
	Allowed string // in words; empty for a section
}

// Keys lists every key there is, in the order in which people read them.
func Keys() []Key { return keys("", fields(&Environment{})) }

func keys(above string, known []field) []Key {
	var all []Key
	for _, f := range known {
		path := join(above, f.key)
		k := Key{path, f.initial, f.purpose, f.allowed}
		if f.below != nil {
			k.Allowed = ""
		}
		if k.Default == "{}" || k.Default == "[]" {
			k.Default = ""
		}
		all = append(all, k)
		switch f.key {
		case "services":
			path += ".<name>"
		case "checks":
			path += "[]"
		}
		all = append(all, keys(path, f.below)...)
	}
	return all
}
