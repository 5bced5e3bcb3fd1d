package tenant_test

import (
	"os"
	"testing"

	"deployhooks/test/harness"
)

func TestMain(m *testing.M) {
	harness.FixSeed()
	os.Exit(m.Run())
}
