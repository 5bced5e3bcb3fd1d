package drain

import (
	"time"
)

// Budget is how many calls a reconcile may make of each API, for everything that
// it reads and changes. All execution environments share it: a reconcile gets what
// has accrued since the one before, whoever did that (clock.go).
type Budget struct {
	AutoScaling int // every call
	Balancing   int // every call, DeregisterTargets included
	Deregister  int // DeregisterTargets
}

// The share of AWS's token buckets that drains take: burst, and calls a second. The
// rest is for the account's other callers. Elastic Load Balancing documents 40 and
// 10 over all actions, and 20 and 4 for DeregisterTargets ("API throttling", Elastic
// Load Balancing User Guide); Auto Scaling documents no figures.
const (
	defaultReleases  = 8
	releaseBurst     = 10 // seconds' worth
	balancingBurst   = 30
	balancingRate    = 8
	deregisterBurst  = 15
	deregisterRate   = 3
	describeFraction = 3 // at most two of three balancing calls describe
)

// least is what a reconcile may use that has accrued nothing, so that an
// interrupted Spot instance waits for no tick.
var least = Budget{AutoScaling: 3, Balancing: 6, Deregister: 2}

// grant is the budget that accrues in an interval.
func grant(cfg Config, since time.Duration) Budget {
	rate := cfg.ReleasesPerSecond
	if rate == 0 {
		rate = defaultReleases
	}
	accrued := func(burst, rate, least int) int {
		return max(least, int(min(float64(burst), float64(rate)*since.Seconds())))
	}
	return Budget{
		AutoScaling: accrued(releaseBurst*rate, rate, least.AutoScaling),
		Balancing:   accrued(balancingBurst, balancingRate, least.Balancing),
		Deregister:  accrued(deregisterBurst, deregisterRate, least.Deregister),
	}
}

// take takes a call from a budget if there is one.
func take(n *int) bool {
	if *n < 1 {
		return false
	}
	*n--
	return true
}
