package drain

import (
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"deployhooks/test/region"
)

// TestNoticeThatSNSNeverTakes has SNS refuse messages for good.
func TestNoticeThatSNSNeverTakes(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{env: command("stop")})
	s.SetFaults(region.On("Publish", 0, region.Fault{Before: &smithy.GenericAPIError{Code: "InvalidParameter", Message: "Invalid parameter: Subject"}}))
	s.scaleIn(3)
	s.untilReleased()
	s.mustComplete(3)
	s.Advance(time.Hour)
	s.ForgetCalls()
	before := s.Invocations
	s.Advance(time.Hour)
	if n := s.Invocations - before; n > 70 {
		t.Errorf("%d invocations in an hour in which nothing happens but the sweep", n)
	}
	if n := len(s.Calls()); n > 400 {
		t.Errorf("%d calls in an hour in which nothing happens", n)
	}
}
