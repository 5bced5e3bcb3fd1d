package repair

import (
	"testing"
	"time"

	"deployhooks/test/region"
)

func TestEventsLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.SetDelivery(func(region.Delivery) []time.Duration { return region.Lost() })
	f.release(region.Deployment{})
	f.settle()
	f.mustServe()
}

func TestEventsDuplicatedAndReversed(t *testing.T) {
	t.Parallel()
	svc := shop()
	svc.Trigger = "triggers"
	f := newFixture(t, setting{service: svc})
	f.SetDelivery(func(d region.Delivery) []time.Duration {
		late := region.Duplicated(5)
		if d.State == "START" {
			for i := range late {
				late[i] += 15 * time.Minute // after everything else
			}
		}
		return late
	})
	f.release(region.Deployment{})
	f.settle()
	f.mustServe()
	if n := f.Made("AttachTrafficSources"); n != 1 {
		t.Errorf("attached %d times", n)
	}
	if subjects := f.Subjects(); f.notified("repaired") != 1 || len(subjects) != 1 {
		t.Errorf("one repair is notified as %q", subjects)
	}
}

func TestMalformedMessageIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true})
	f.Queue.Send(`{"detail-type":"CodeDeploy Deployment State-change Notification","source":"aws.codedeploy","detail":{"deploymentId":7}}`)
	f.Queue.Send(`{"action":"unknown"}`)
	f.settle()
	if n := len(f.Queue.DeadLetters()); n != 2 {
		t.Errorf("%d of 2 messages that nobody can understand were kept", n)
	}
}
