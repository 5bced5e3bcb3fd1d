package environment

import (
	"os"
	"runtime/debug"
	"testing"

	"deployhooks/test/harness"
)

func TestMain(m *testing.M) {
	harness.FixSeed()
	debug.SetGCPercent(400) // many small regions that soon end
	os.Exit(m.Run())
}
