package peers

import (
	"time"

	"deployhooks/test/region"
)

// What an instance can answer, and what users ask for, in requests a second.
const (
	capacity = 4
	usual    = 10 // four instances are enough
	surge    = 15 // on top: eight are
)

// Simulation is one run of a scenario: a region with a service and its users, and one
// player.
type Simulation struct {
	*region.Region
	Service region.Service
	// steady are the users that are always there, by target group; surging are
	// those of a busy time.
	steady  map[string]*region.Stream
	surging map[string]*region.Stream
	ended   map[string][]*region.Stream
}

// Scenario is a release and what happens around it.
type Scenario struct {
	// Name is an identifier, the last part of the figure's name.
	Name string
	// About says what happens, for the table's reader.
	About   string
	Options region.Options
	Service func(*region.Service)
	Play    func(*Simulation)
}

// With plays the scenario with a player and counts the requests that were not
// answered: those that failed, and those that more instances than there were
// would have had to answer.
func (s Scenario) With(p Player) int {
	r := region.New(s.Options)
	svc := region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4, Trigger: "triggers"}
	if s.Service != nil {
		s.Service(&svc)
	}
	p.install(r)
	simulation := &Simulation{Region: r, steady: map[string]*region.Stream{}, surging: map[string]*region.Stream{}, ended: map[string][]*region.Stream{}}
	simulation.Service = r.AddService(svc)
	simulation.open()
	simulation.Advance(6 * time.Minute) // a sweep
	s.Play(simulation)
	return simulation.unanswered()
}

// open begins the steady streams.
func (s *Simulation) open() {
	for _, name := range s.Service.TargetGroups {
		s.steady[name] = s.StartTraffic(region.Traffic{TargetGroup: name, PerSecond: usual, Long: 3 * time.Second})
	}
}

// Rest lets a long time pass in which nothing happens, without the requests.
func (s *Simulation) Rest(d time.Duration) {
	for name, stream := range s.steady {
		stream.Stop()
		s.ended[name] = append(s.ended[name], stream)
	}
	s.Advance(d)
	s.open()
}

// Surge has more users come to a group, which grows for them. They come when it
// should have.
func (s *Simulation) Surge(group string) {
	s.Scale(group, 8)
	s.Advance(8 * time.Minute)
	for _, name := range s.Service.TargetGroups {
		s.surging[name] = s.StartTraffic(region.Traffic{TargetGroup: name, PerSecond: surge, Long: 3 * time.Second})
	}
	s.Advance(5 * time.Minute)
}

// Recede has them go again, and the group shrink.
func (s *Simulation) Recede(group string) {
	for name, stream := range s.surging {
		stream.Stop()
		s.ended[name] = append(s.ended[name], stream)
	}
	s.surging = map[string]*region.Stream{}
	s.Advance(time.Minute)
	s.Scale(group, 3)
	s.Advance(10 * time.Minute)
}

// BusyTime is a surge and its end.
func (s *Simulation) BusyTime(group string) {
	s.Surge(group)
	s.Recede(group)
}

// Release runs a deployment to its success and returns its replacement group.
func (s *Simulation) Release(how region.Deployment) (id, green string) {
	id = s.Deploy(s.Service, how)
	s.RunUntil(func() bool { return s.Ended(id) }, 72*time.Hour)
	_, green = s.Groups(id)
	return id, green
}

// ReleaseTo starts a deployment and lets time pass until it is in a stage.
func (s *Simulation) ReleaseTo(stage region.Stage, how region.Deployment) (id, green string) {
	id = s.Deploy(s.Service, how)
	s.RunUntil(func() bool { return s.StageOf(id) == stage || s.Ended(id) }, 72*time.Hour)
	_, green = s.Groups(id)
	return id, green
}

// unanswered counts the requests that failed, or for which there was nobody.
func (s *Simulation) unanswered() (n int) {
	for name, stream := range s.steady {
		all := append(append([]*region.Stream{stream}, s.ended[name]...), streams(s.surging[name])...)
		type second struct{ requests, serving int }
		load := map[time.Time]second{}
		for _, stream := range all {
			for _, tick := range stream.Seconds() {
				n += tick.Failed
				at := tick.At.Truncate(time.Second)
				load[at] = second{load[at].requests + tick.Requests - tick.Failed, max(load[at].serving, tick.Serving)}
			}
		}
		for _, second := range load {
			n += max(0, second.requests-second.serving*capacity)
		}
	}
	return n
}

func streams(s *region.Stream) []*region.Stream {
	if s == nil {
		return nil
	}
	return []*region.Stream{s}
}
