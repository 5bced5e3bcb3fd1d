package repair

import (
	"testing"
	"time"

	"deployhooks/test/region"
)

// Scenarios that were found at random.

// TestOperatorsKnowOfAQuietWait holds that operators know within ten minutes that
// a group in its termination wait is not attached, although there is nothing to
// register: the next scale-in would cut requests off.
func TestOperatorsKnowOfAQuietWait(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]region.Deployment{
		"flag set":                  {},
		"flag unset":                {WaitFlagUnset: true},
		"named last":                {Named: region.NamedAtEnd},
		"flag unset and named last": {WaitFlagUnset: true, Named: region.NamedAtEnd},
		"named early, one by one":   {Named: region.NamedAtReroute, Spacing: 3 * time.Minute},
	} {
		for _, lost := range []bool{false, true} {
			if lost {
				name += ", START lost"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, lead := range []time.Duration{0, 90 * time.Second, 3 * time.Minute, 4 * time.Minute} { // from a sweep
					f := newFixture(t, setting{service: waiting(time.Hour), rate: 1})
					r := watch(f)
					if lost {
						f.loseEvents("START")
					}
					f.Advance(6*time.Minute + lead)
					f.releaseTo(region.StageWait, how)
					f.Advance(30 * time.Minute)
					r.mustHold(t)
				}
			})
		}
	}
}
