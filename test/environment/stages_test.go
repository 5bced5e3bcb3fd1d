package environment

import (
	"math"
	"testing"
	"time"

	"deployhooks/infra/capacity"
)

// TestAStageCarriesItsLoadWithoutAZone fails each zone under each stage's plan, and holds that
// the instances that the load balancer sends requests to carry the stage's peak, from when
// its health checks notice until the group is whole again.
func TestAStageCarriesItsLoadWithoutAZone(t *testing.T) {
	app := capacity.Typical()
	for _, s := range capacity.Stages() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			plan := s.Region(0, app)
			work := plan.PeakPerSecond * app.CPUSeconds / float64(s.Instance.VCPUs) // in instances at 100 %
			c := production()
			c.instances = plan.Instances
			for _, zone := range c.zones {
				e := start(t, c)
				e.loseZone(zone)
				e.settle()
				fewest := math.MaxInt
				for _, second := range e.users.Seconds() {
					if second.Requests > 0 && second.At.After(e.losses[0].at.Add(e.noticed())) && second.At.Before(e.losses[0].at.Add(zoneBack)) {
						fewest = min(fewest, second.Serving)
					}
				}
				if cpu := work / float64(fewest); cpu > capacity.LossCPU || fewest >= plan.Instances {
					t.Errorf("without %s, %d of %d instances are at %.0f %% with %.0f requests a second", zone, fewest, plan.Instances, 100*cpu, plan.PeakPerSecond)
				}
				for _, text := range append(e.unanswered(), e.faults()...) {
					t.Errorf("without %s: %s", zone, text)
				}
				if back := e.backAfter(plan.Instances); back > 5*time.Minute {
					t.Errorf("without %s it took %s until %d instances served again", zone, back, plan.Instances)
				}
			}
		})
	}
}

// backAfter is how long after the first loss so many instances served again.
func (e *environment) backAfter(instances int) time.Duration {
	down := false
	for _, s := range e.users.Seconds() {
		switch {
		case s.At.Before(e.losses[0].at):
		case s.Requests > 0 && s.Serving < instances:
			down = true
		case s.Requests > 0 && down:
			return s.At.Sub(e.losses[0].at)
		}
	}
	return time.Duration(math.MaxInt64)
}
