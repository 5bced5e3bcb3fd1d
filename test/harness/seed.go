package harness

import "flag"

// FixSeed has random tests draw from one seed, so that a run repeats, unless the
// flag -rapid.seed names another; 0 draws a new one. `make soak` does. Call it in
// TestMain.
func FixSeed() {
	flag.Parse()
	named := false
	flag.Visit(func(f *flag.Flag) { named = named || f.Name == "rapid.seed" })
	if !named {
		_ = flag.Set("rapid.seed", "1")
	}
}
