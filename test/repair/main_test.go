package repair

import (
	"os"
	"runtime/debug"
	"testing"

	"deployhooks/test/harness"
)

func TestMain(m *testing.M) {
	harness.FixSeed()
	debug.SetGCPercent(400) // regions are small and short-lived: collecting them took a sixth of the time
	os.Exit(m.Run())
}
