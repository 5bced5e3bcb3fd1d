package peers

import (
	"time"

	"deployhooks/test/region"
)

// Scenarios are all that are played, in the order of the table.
var Scenarios = []Scenario{
	{Name: "release", About: "a release, and a busy time after it", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "ec2HealthCheck", About: "the same with EC2 health checks", Service: func(s *region.Service) { s.HealthCheck = "EC2" }, Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "twoTargetGroups", About: "two target groups", Service: func(s *region.Service) { s.TargetGroups = []string{"web", "admin"} }, Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "terminationWait", About: "a busy time in the termination wait of an hour", Service: terminationWait(time.Hour), Play: duringTheWait(region.Deployment{})},
	{Name: "terminationWaitFlagUnset", About: "the same, and the deployment does not say that it waits", Service: terminationWait(time.Hour), Play: duringTheWait(region.Deployment{WaitFlagUnset: true})},
	{Name: "terminationWaitNamedLast", About: "the same, and the deployment group names green at the end", Service: terminationWait(time.Hour), Play: duringTheWait(region.Deployment{Named: region.NamedAtEnd})},
	{Name: "terminationWaitNamedEarly", About: "the same, and the deployment group names green at the reroute", Service: terminationWait(time.Hour), Play: duringTheWait(region.Deployment{Named: region.NamedAtReroute})},
	{Name: "successBeforeTheWait", About: "the same, and SUCCESS comes before the wait", Service: terminationWait(time.Hour), Play: duringTheWait(region.Deployment{SucceedFirst: true})},
	{Name: "successBeforeTheWaitNamedLast", About: "the same, and the deployment group names green at the end", Service: terminationWait(time.Hour), Play: duringTheWait(region.Deployment{SucceedFirst: true, Named: region.NamedAtEnd})},
	{Name: "twoDaysOfWait", About: "busy times in and after a termination wait of two days", Service: terminationWait(48 * time.Hour), Play: func(s *Simulation) {
		id, green := s.ReleaseTo(region.StageWait, region.Deployment{})
		s.Advance(2 * time.Minute)
		s.Surge(green)
		s.stopSurge()
		s.Rest(47 * time.Hour)
		s.RunUntil(func() bool { return s.Ended(id) }, 2*time.Hour)
		s.Advance(2 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "afterTheWait", About: "a busy time that begins in the termination wait and ends after it", Service: terminationWait(time.Hour), Play: func(s *Simulation) {
		id, green := s.ReleaseTo(region.StageWait, region.Deployment{})
		s.Advance(2 * time.Minute)
		s.Surge(green)
		s.RunUntil(func() bool { return s.Ended(id) }, 2*time.Hour)
		s.Advance(2 * time.Minute)
		s.Recede(green)
	}},
	{Name: "rolledBackOutOfTheWait", About: "a roll-back out of the termination wait, then a busy time", Service: func(s *region.Service) { s.TerminationWait, s.RollBack = time.Hour, true }, Play: func(s *Simulation) {
		id, green := s.ReleaseTo(region.StageWait, region.Deployment{})
		blue, _ := s.Groups(id)
		s.Advance(2 * time.Minute)
		s.Surge(green)
		s.stopSurge()
		s.Stop(id)
		s.Advance(20 * time.Minute)
		s.BusyTime(blue)
	}},
	{Name: "stoppedInTheWait", About: "a release stopped in the termination wait, then a busy time", Service: terminationWait(time.Hour), Play: func(s *Simulation) {
		id, green := s.ReleaseTo(region.StageWait, region.Deployment{})
		s.Advance(2 * time.Minute)
		s.Stop(id)
		s.Advance(12 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "nextReleaseInReady", About: "busy times while the next release waits in READY", Service: func(s *region.Service) { s.ReadyWait = 5 * time.Hour }, Play: func(s *Simulation) {
		first, old := s.ReleaseTo(region.StageReady, region.Deployment{})
		s.Continue(first)
		s.RunUntil(func() bool { return s.Ended(first) }, time.Hour)
		s.Deploy(s.Service, region.Deployment{}) // at once
		s.Advance(12 * time.Minute)
		s.BusyTime(old)
	}},
	{Name: "nextReleaseSoon", About: "the next release a minute after the last, and a busy time in between", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		s.Advance(time.Minute)
		s.Deploy(s.Service, region.Deployment{Installs: 50 * time.Minute})
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "launchesAllTheTime", About: "Auto Scaling deploys to one launch after the other, slowly", Options: region.Options{Timings: region.Timings{Install: 6 * time.Minute}}, Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		for n := range 4 {
			s.Scale(green, 5+n)
			s.Advance(4 * time.Minute)
		}
		s.Advance(8 * time.Minute)
		s.Scale(green, 3)
		s.Advance(10 * time.Minute)
	}},
	{Name: "slowInstall", About: "an installation of forty minutes, with a busy time of the old group", Play: func(s *Simulation) {
		id, _ := s.ReleaseTo(region.StageInstall, region.Deployment{Installs: 40 * time.Minute})
		blue, green := s.Groups(id)
		s.BusyTime(blue)
		s.RunUntil(func() bool { return s.Ended(id) }, 2*time.Hour)
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "oneByOne", About: "a reroute one instance at a time", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{Spacing: 3 * time.Minute})
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "allReplaced", About: "all instances are replaced after the release", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		s.Advance(2 * time.Minute)
		s.Surge(green)
		s.stopSurge()
		for _, i := range s.InService(green)[:4] {
			s.Terminate(i)
			s.Advance(2 * time.Minute)
		}
		s.Advance(5 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "crashes", About: "half of the instances crash as the release ends", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		for _, i := range s.InService(green)[:2] {
			s.Crash(i)
		}
		s.Advance(15 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "allCrash", About: "all instances crash as the release ends", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		for _, i := range s.InService(green) {
			s.Crash(i)
		}
		s.Advance(15 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "withoutRevision", About: "two instances are launched between READY and the reroute", Service: func(s *region.Service) { s.ReadyWait = time.Hour }, Play: func(s *Simulation) {
		id, green := s.ReleaseTo(region.StageReady, region.Deployment{})
		s.Scale(green, 6)
		s.Advance(3 * time.Minute)
		s.Continue(id)
		s.RunUntil(func() bool { return s.Ended(id) }, time.Hour)
		s.Advance(5 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "processesLeftSuspended", About: "CodeDeploy leaves the processes suspended", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{LeaveSuspended: true})
		s.Advance(time.Minute)
		s.BusyTime(green)
	}},
	{Name: "refreshAtSuccess", About: "an instance refresh holds the attachment up for ten minutes", Play: func(s *Simulation) {
		id := s.Deploy(s.Service, region.Deployment{})
		s.RunUntil(func() bool { return s.Ended(id) }, time.Hour)
		_, green := s.Groups(id)
		s.SetInstanceRefresh(green, true)
		s.Advance(10 * time.Minute)
		s.SetInstanceRefresh(green, false)
		s.Advance(6 * time.Minute)
		s.BusyTime(green)
	}},
	{Name: "failedRelease", About: "a release that fails at the installation, then a busy time", Play: func(s *Simulation) {
		_, green := s.Release(region.Deployment{})
		s.Advance(2 * time.Minute)
		s.Release(region.Deployment{FailAt: region.StageInstall})
		s.BusyTime(green)
	}},
	{Name: "failedReroute", About: "a release that fails in the reroute, then a busy time", Play: func(s *Simulation) {
		id, _ := s.Release(region.Deployment{FailAt: region.StageReroute})
		blue, _ := s.Groups(id)
		s.Advance(time.Minute)
		s.BusyTime(blue)
	}},
	{Name: "startLost", About: "START is lost", Play: delivered(func(d region.Delivery) []time.Duration {
		if d.State == "START" {
			return region.Lost()
		}
		return region.Delivered()
	})},
	{Name: "successLost", About: "SUCCESS is lost", Play: delivered(func(d region.Delivery) []time.Duration {
		if d.State == "SUCCESS" {
			return region.Lost()
		}
		return region.Delivered()
	})},
	{Name: "successLate", About: "SUCCESS comes a quarter of an hour late", Play: delivered(func(d region.Delivery) []time.Duration {
		if d.State == "SUCCESS" {
			return region.Late(15 * time.Minute)
		}
		return region.Delivered()
	})},
	{Name: "eventsTwice", About: "every event comes twice, START last", Play: delivered(func(d region.Delivery) []time.Duration {
		if d.State == "START" {
			return []time.Duration{20 * time.Minute, 21 * time.Minute}
		}
		return region.Duplicated(2)
	})},
	{Name: "attachThrottled", About: "the first three calls that attach are throttled", Play: faulty(3, region.Throttled())},
	{Name: "attachUnavailable", About: "the calls that attach answer 503 twice", Play: faulty(2, region.Unavailable())},
	{Name: "codeDeployUnavailable", About: "CodeDeploy answers nothing for five minutes after SUCCESS", Play: func(s *Simulation) {
		id := s.Deploy(s.Service, region.Deployment{})
		s.RunUntil(func() bool { return s.Ended(id) }, time.Hour)
		s.SetFaults(func(c region.Call) region.Fault {
			if c.Service == "CodeDeploy" {
				return region.Fault{Before: region.Unavailable()}
			}
			return region.Fault{}
		})
		s.Advance(5 * time.Minute)
		s.SetFaults(nil)
		s.Advance(6 * time.Minute)
		_, green := s.Groups(id)
		s.BusyTime(green)
	}},
}

func terminationWait(d time.Duration) func(*region.Service) {
	return func(s *region.Service) { s.TerminationWait = d }
}

// duringTheWait is a busy time in the termination wait and one after it.
func duringTheWait(how region.Deployment) func(*Simulation) {
	return func(s *Simulation) {
		id, green := s.ReleaseTo(region.StageWait, how)
		s.Advance(2 * time.Minute)
		s.BusyTime(green)
		s.RunUntil(func() bool { return s.StageOf(id) == region.StageTerminate && s.Ended(id) }, 2*time.Hour)
		s.Advance(2 * time.Minute)
		s.BusyTime(green)
	}
}

// delivered is a release whose events are delivered in some way, and a busy time
// a sweep later.
func delivered(how func(region.Delivery) []time.Duration) func(*Simulation) {
	return func(s *Simulation) {
		s.SetDelivery(how)
		_, green := s.Release(region.Deployment{})
		s.Advance(6 * time.Minute)
		s.BusyTime(green)
	}
}

// faulty is a release whose attachment fails some times, and a busy time a sweep
// later.
func faulty(times int, err error) func(*Simulation) {
	return func(s *Simulation) {
		failed := 0
		s.SetFaults(func(c region.Call) region.Fault {
			switch c.Operation {
			case "AttachTrafficSources", "AttachLoadBalancerTargetGroups":
				if failed++; failed <= times {
					return region.Fault{Before: err}
				}
			}
			return region.Fault{}
		})
		_, green := s.Release(region.Deployment{})
		s.Advance(6 * time.Minute)
		s.BusyTime(green)
	}
}

// stopSurge has the users of a busy time go while the group stays as large.
func (s *Simulation) stopSurge() {
	for name, stream := range s.surging {
		stream.Stop()
		s.ended[name] = append(s.ended[name], stream)
	}
	s.surging = map[string]*region.Stream{}
}
