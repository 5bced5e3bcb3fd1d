package region

import "time"

// Timings are how long things take in the region. AWS promises none of them;
// the defaults are of the usual order. Zero means the default.
type Timings struct {
	// Boot is from the launch of an instance until its application answers.
	Boot time.Duration // 40 s
	// Install is what CodeDeploy needs to install a revision on an instance.
	Install time.Duration // 30 s
	// Outdated is from the end of a deployment until CodeDeploy deploys to the
	// instances that were launched meanwhile.
	Outdated time.Duration // 1 min
	// Shutdown is from the termination of an instance, when its application
	// stops at once, until EC2 says terminated.
	Shutdown time.Duration // 20 s
	// Attach is how long a traffic source is Adding before it is Added.
	Attach time.Duration // 10 s
	// Propagate is how long a Network Load Balancer sends new connections to a
	// deregistered target: "the target may still receive connections due to
	// configuration propagation delay", wait 120 s at least ("Edit target group
	// attributes for your Network Load Balancer"); about that was measured.
	// Negative for not at all.
	Propagate time.Duration // 2 min
	// Replace is how long Auto Scaling takes to notice that an instance has
	// become unhealthy.
	Replace time.Duration // 30 s
	// Poll is how often a deployment checks whether its step is done.
	Poll time.Duration // 5 s
	// Deliver is how long an event is under way to a queue.
	Deliver time.Duration // 1 s
	// Receive is how long a served queue takes to hand out messages.
	Receive time.Duration // 1 s
	// RestoreDB is from the restore of a DB snapshot until the instance is available.
	RestoreDB time.Duration // 15 min
	// ModifyDB is how long a change of a DB instance takes, RenameDB how long it is not
	// available while it is renamed ("about 10 minutes", Amazon RDS user guide, "Renaming
	// a DB instance"), and DeleteDB how long its deletion takes.
	ModifyDB time.Duration // 1 min
	RenameDB time.Duration // 10 min
	DeleteDB time.Duration // 5 min
}

func (t Timings) orDefault() Timings {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Boot, 40 * time.Second},
		{&t.Install, 30 * time.Second},
		{&t.Outdated, time.Minute},
		{&t.Shutdown, 20 * time.Second},
		{&t.Attach, 10 * time.Second},
		{&t.Propagate, 2 * time.Minute},
		{&t.Replace, 30 * time.Second},
		{&t.Poll, 5 * time.Second},
		{&t.Deliver, time.Second},
		{&t.Receive, time.Second},
		{&t.RestoreDB, 15 * time.Minute},
		{&t.ModifyDB, time.Minute},
		{&t.RenameDB, 10 * time.Minute},
		{&t.DeleteDB, 5 * time.Minute},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return t
}
