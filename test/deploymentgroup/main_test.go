package deploymentgroup

import (
	"os"
	"testing"

	"deployhooks/test/harness"
)

func TestMain(m *testing.M) {
	harness.FixSeed()
	os.Exit(m.Run())
}
