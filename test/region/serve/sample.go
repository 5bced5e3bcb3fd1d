package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// topic is where the sample's deployment group announces its deployments.
const topic = "deployments"

// sample is a region with one service in it.
type sample struct {
	url     string // where it is served
	options options
	region  *region.Region
	service region.Service
	users   *region.Stream // nil without traffic

	// passing is held while time passes. With it, time stands still while the
	// function works, however fast it passes otherwise.
	passing sync.Mutex
	tell    func() // says what the hooks have told; nil without them
	log     string // the function's

	mu     sync.Mutex
	events []json.RawMessage
}

func newSample(url string, o options) *sample {
	s := &sample{url: url, options: o}
	var settings region.Options
	if o.hooks { // the built function looks at the real clock
		settings.Start = time.Now().UTC().Truncate(time.Second)
	}
	s.region = region.New(settings)
	s.region.OnEvent(func(payload []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, payload)
	})
	s.service = s.region.AddService(region.Service{
		Application:     "shop",
		DeploymentGroup: "web",
		TargetGroups:    []string{"web"},
		Instances:       4,
		TerminationWait: 5 * time.Minute,
		Trigger:         topic,
	})
	if o.perSecond > 0 {
		s.users = s.region.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: o.perSecond})
	}
	return s
}

// handler serves the APIs of AWS, and the control paths beside them.
func (s *sample) handler() http.Handler {
	h := wire.New(wire.ServicesOf(s.region)...)
	h.Control = s.control()
	return h
}

// tick is how often the region's time is brought up to date.
const tick = 50 * time.Millisecond

// passTime lets the region's time pass with real time, until ctx ends.
func (s *sample) passTime(ctx context.Context, speed float64) {
	if speed == 0 {
		return
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.advance(time.Duration(float64(now.Sub(last)) * speed))
			last = now
		}
	}
}

// advance lets time pass. It also drops the region's record of calls, which
// only tests read and which a server that runs for days would drown in.
func (s *sample) advance(d time.Duration) {
	s.passing.Lock()
	defer s.passing.Unlock()
	s.region.Advance(d)
	s.region.ForgetCalls()
	if s.tell != nil {
		s.tell()
	}
}

// eventsAfter are the events but the first n.
func (s *sample) eventsAfter(n int) []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events[min(max(n, 0), len(s.events)):])
}
