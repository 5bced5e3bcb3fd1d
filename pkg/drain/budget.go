package drain

import (
	"time"
)

// Budget is how many calls a reconcile may make of each API, for everything that
// it reads and changes. All execution environments share it: a reconcile gets what
// has accrued since the one before, whoever did that (clock.go).
type Budget struct {
	AutoScaling int `json:"autoScaling"` // every call
	Balancing   int `json:"balancing"`   // every call, DeregisterTargets included
	Deregister  int `json:"deregister"`  // DeregisterTargets
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

// everything is what a tick wants: it is about all drains.
var everything = Budget{AutoScaling: 1000, Balancing: 1000, Deregister: 1000}

// grant adds what accrues in an interval, and divides it into what is wanted and what
// is left. At least [least] is granted.
func (b Budget) grant(cfg Config, since time.Duration, want Budget) (granted, left Budget) {
	rate := cfg.ReleasesPerSecond
	if rate == 0 {
		rate = defaultReleases
	}
	share := func(had, burst, rate, want, least int) (granted, left int) {
		accrued := int(min(float64(burst), float64(had)+float64(rate)*max(0, since.Seconds())))
		granted = min(accrued, want)
		return max(granted, least), accrued - granted
	}
	granted.AutoScaling, left.AutoScaling = share(b.AutoScaling, releaseBurst*rate, rate, want.AutoScaling, least.AutoScaling)
	granted.Balancing, left.Balancing = share(b.Balancing, balancingBurst, balancingRate, want.Balancing, least.Balancing)
	granted.Deregister, left.Deregister = share(b.Deregister, deregisterBurst, deregisterRate, want.Deregister, least.Deregister)
	return granted, left
}

// take takes a call from a budget if there is one.
func take(n *int) bool {
	if *n < 1 {
		return false
	}
	*n--
	return true
}
