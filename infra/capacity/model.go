// Package capacity is a model of what an environment needs for a number of users: how
// many requests there are at the peak, how many instances serve them so that any one zone
// may fail, which database, and the list price a month. The README
// shows its table, and `make bench` reports its figures.
//
// It is arithmetic on assumptions, each named where it is made. The figures of the
// application ([Application]) have to be measured. The results are right within a factor of
// two at best, which is enough to choose a configuration and to know what to monitor.
package capacity

import "math"

// Application is the load of one request and one user. It has to be measured: the README
// says how.
type Application struct {
	RequestsPerDay float64 // of an active user, to the application, not to a CDN
	CPUSeconds     float64 // of one request on an instance, in seconds of one vCPU
	ResponseKB     float64 // mean size of an answer, headers included
	// Pool is how many connections to the database one instance opens.
	Pool int
	// DatabaseCPUSeconds is the same as CPUSeconds, in the database.
	DatabaseCPUSeconds float64
	// MBPerUser is what a monthly user adds to the database in a year; BaseGB is what
	// there is without users.
	MBPerUser, BaseGB float64
}

// Typical is an ordinary web application that renders pages on the server (assumed).
func Typical() Application {
	return Application{RequestsPerDay: 60, CPUSeconds: 0.020, ResponseKB: 30, Pool: 10, DatabaseCPUSeconds: 0.004, MBPerUser: 2, BaseGB: 5}
}

// Stage is a step from a limited release to world-wide use.
type Stage struct {
	Name  string
	Users float64 // that use the application within a month, in all regions
	// Regions are the shares of users of each region, the largest first.
	Regions  []float64
	Instance Instance
}

// Stages are the project's plan. Every stage is over [Zones] Availability Zones.
func Stages() []Stage {
	return []Stage{
		{"limited release", 2_000, []float64{1}, InstanceOf(1)},
		{"one region", 100_000, []float64{1}, InstanceOf(2)},
		{"one region, large", 1_000_000, []float64{1}, InstanceOf(4)},
		{"world-wide", 10_000_000, []float64{0.5, 0.3, 0.2}, InstanceOf(8)},
	}
}

// What the model assumes of load, for every stage.
const (
	// Zones is the number of Availability Zones of a region's environment.
	Zones = 3
	// DailyShare is the share of a month's users that are active on a day: 13 % is named
	// as the average of B2B software, 25 % as that of consumer software (abacum.io, glossary,
	// "DAU/MAU ratio"; June's help pages, "Stickiness benchmark", have 15 to 30 %).
	DailyShare = 0.20
	// BusyHours is how long a day of a region's users is. With requests spread over it like
	// an ellipse, the busiest hour has 4/(π·hours) of them (J. Parr, "How to guestimate peak
	// volume"): 10.6 %, 2.5 times the mean. Users all over the world would even that out to
	// 1.6 or 1.7 (Robust Perception, "Do you know your peak-to-mean ratio?"), but each
	// region's environment has users of about one day.
	BusyHours = 12
	// Burst is the busiest second of the busiest hour against its mean (assumed).
	Burst = 2
	// TargetCPU is the utilization that the Auto Scaling group is kept at, as
	// infra/environment/production.yaml has it (targetCpuPercent), and LossCPU what the
	// others come to when one of three zones fails: half as much again.
	TargetCPU = 0.50
	LossCPU   = 0.75
	// DatabaseCPU is the utilization that the database may have at the peak (assumed).
	DatabaseCPU = 0.50
)

// Plan is what a stage needs in one region.
type Plan struct {
	Users, ActivePerDay float64
	PeakPerSecond       float64 // requests
	// Instances carry the peak at TargetCPU, and at LossCPU when any one zone has failed;
	// at least one in each zone. LostCPU is what the others are at then.
	Instances int
	LostCPU   float64
	// VCPUs are those of a release, for which the group exists twice: the quota to have.
	VCPUs       int
	Database    Database
	Connections int     // of all instances during a release
	StorageGB   float64 // of the database after a year
	OutGB       float64 // sent to users in a month
	Cost        Cost
}

// Region plans one region of a stage, by its index.
func (s Stage) Region(n int, a Application) Plan {
	p := Plan{Users: s.Users * s.Regions[n]}
	p.ActivePerDay = p.Users * DailyShare
	perDay := p.ActivePerDay * a.RequestsPerDay
	p.PeakPerSecond = perDay * 4 / (math.Pi * BusyHours) / 3600 * Burst
	work := p.PeakPerSecond * a.CPUSeconds / float64(s.Instance.VCPUs) // in instances at 100 %
	p.Instances = instances(work)
	p.LostCPU = work / float64(surviving(p.Instances))
	p.VCPUs = 2 * p.Instances * s.Instance.VCPUs
	p.Connections = 2 * p.Instances * a.Pool
	p.Database = databaseFor(p.PeakPerSecond*a.DatabaseCPUSeconds, p.Connections)
	p.StorageGB = a.BaseGB + p.Users*a.MBPerUser/1000
	p.OutGB = perDay * daysPerMonth * a.ResponseKB / 1e6
	p.Cost = p.cost(s, perDay)
	return p
}

// Total is the list price of all regions of a stage a month, in US dollars.
func (s Stage) Total(a Application) (total float64) {
	for n := range s.Regions {
		total += s.Region(n, a).Cost.Total()
	}
	return total
}

// instances is the smallest number of instances, one in each zone at least, that does some
// work, given in instances at 100 %.
func instances(work float64) int {
	n := Zones
	for work > float64(n)*TargetCPU || work > float64(surviving(n))*LossCPU {
		n++
	}
	return n
}

// surviving are the instances that are left of n when the zone with the most fails.
func surviving(n int) int { return n - (n+Zones-1)/Zones }
