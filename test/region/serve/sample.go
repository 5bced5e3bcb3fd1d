package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"deployhooks/pkg/drain"
	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// topic is where the sample's deployment group announces its deployments.
const topic = "deployments"

// The target group that other software has registered the service's instances
// in, on a port of its own. Their Auto Scaling group does not know of it; a tag
// on the group says so to the drain function.
const (
	partners     = "partners"
	partnersPort = 8080
)

// sample is a region with one service in it.
type sample struct {
	url     string // where it is served
	options options
	region  *region.Region
	service region.Service
	users   []*region.Stream // none without traffic
	partner map[string]bool  // the instances that were registered in partners

	// passMu is locked while time passes: with it, time stands still while a
	// function works, however fast it passes otherwise.
	passMu sync.Mutex

	mu     sync.Mutex
	events []json.RawMessage
}

func newSample(url string, o options) *sample {
	s := &sample{url: url, options: o, partner: map[string]bool{}}
	var settings region.Options
	if o.hooks { // the built functions read the real clock
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
		Tags:            map[string]string{drain.TargetGroupsTag: partners},
	})
	s.region.AddTargetGroup(region.TargetGroup{Name: partners, Port: partnersPort})
	s.registerPartners()
	if o.perSecond > 0 {
		s.users = []*region.Stream{
			s.region.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: o.perSecond}),
			// As long as the deregistration delay lets requests take, so that a
			// person has the time to see an instance drain.
			s.region.StartTraffic(region.Traffic{TargetGroup: partners, PerSecond: 1, Takes: 290 * time.Second}),
		}
	}
	return s
}

// registerPartners registers each new instance in service with the target group
// partners, once: it is not for that software to take back what others have
// deregistered.
func (s *sample) registerPartners() {
	for _, id := range s.region.InService(s.region.GroupOf(s.service)) {
		if !s.partner[id] {
			s.partner[id] = true
			s.region.Register(partners, id, partnersPort)
		}
	}
	maps.DeleteFunc(s.partner, func(id string, _ bool) bool { return !s.region.Exists(id) })
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

// advance lets time pass. It also has new instances registered, and drops the
// region's record of calls, which only tests read and which a server that runs
// for days would drown in.
func (s *sample) advance(d time.Duration) {
	s.passMu.Lock()
	defer s.passMu.Unlock()
	s.region.Advance(d)
	s.registerPartners()
	s.region.ForgetCalls()
}

// eventsAfter are the events but the first n.
func (s *sample) eventsAfter(n int) []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events[min(max(n, 0), len(s.events)):])
}
