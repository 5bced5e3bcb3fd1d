package drain

import (
	"os"
	"runtime/debug"
	"testing"

	"deployhooks/test/harness"
)

func TestMain(m *testing.M) {
	harness.FixSeed()
	debug.SetGCPercent(400) // many small regions that soon end: collecting takes a third of the time
	os.Exit(m.Run())
}
