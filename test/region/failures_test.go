package region_test

import (
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestEveryFailedRequestIsExplained: who sees failed requests must see which
// instance failed them, and why; nothing is left over.
func TestEveryFailedRequestIsExplained(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(r *region.Region, instances []string)
		cause string
		why   string
		where bool // at an instance
	}{
		{"a crashed application", func(r *region.Region, i []string) { r.Crash(i[0]) }, "not-answering", "the application has crashed, and the target is still healthy", true},
		{"requests in flight to it", func(r *region.Region, i []string) { r.Crash(i[0]) }, "died-in-flight", "ended while the request was in flight", true},
		{"an instance that EC2 ends", func(r *region.Region, i []string) { r.Terminate(i[0]) }, "not-answering", "the instance is shutting-down", true},
		{"a host that fails", func(r *region.Region, i []string) { r.Kill(i[0]) }, "not-answering", "the instance has failed", true},
		{"a target group that is deleted", func(r *region.Region, _ []string) { r.DeleteTargetGroup("web") }, "no-target", "the target group has been deleted", false},
		{"a scale-in that deregisters too late", func(r *region.Region, _ []string) { r.SetDeregistrationDelay("web", time.Second); r.Scale(group, 3) }, "cut-", "", true},
	} {
		r := region.New(region.Options{})
		shop(r)
		users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 10, Takes: 20 * time.Second})
		r.Advance(time.Minute)
		tc.do(r, r.InService(group))
		r.Advance(10 * time.Minute)
		var explained int
		var found bool
		for _, f := range users.Failures() {
			explained += f.Requests
			if strings.HasPrefix(f.Cause, tc.cause) && strings.Contains(f.Why, tc.why) && (f.Instance != "") == tc.where && f.TargetGroup == "web" && !f.First.After(f.Last) {
				found = true
			}
		}
		if total := users.Total().Failed; total == 0 || explained != total || !found {
			t.Errorf("%s: %d of %d failed requests are explained, as %+v", tc.name, explained, total, users.Failures())
		}
	}
}

// TestFailuresAreForgottenButCounted: a region that runs for days remembers the
// latest causes, and adds up the rest.
func TestFailuresAreForgottenButCounted(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 10})
	for range 110 { // each gives two causes
		r.Crash(r.InService(r.GroupOf(svc))[0])
		r.Advance(10 * time.Minute)
	}
	all := users.Failures()
	var explained int
	for _, f := range all {
		explained += f.Requests
	}
	if total := users.Total().Failed; len(all) != 200 || all[0].Cause != "earlier" || explained != total {
		t.Errorf("%d causes, the first %+v, explain %d of %d failed requests", len(all), all[0], explained, total)
	}
}
