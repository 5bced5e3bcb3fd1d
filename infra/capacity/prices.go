package capacity

import "math"

// Prices are on-demand list prices of us-east-1 in US dollars, without tax, discounts,
// free tiers or Savings Plans, as they were published in the first half of 2026. Other
// regions differ: eu-west-1 is about a tenth dearer. They are estimates: AWS's own price
// pages were not at hand, and what no second source names says so.
const (
	// vCPUHour is a vCPU of m7g: m7g.large is $0.0816 an hour (FactualMinds, "Amazon EC2
	// On-Demand Pricing", June 2026); sizes of a family cost in proportion.
	vCPUHour = 0.0816 / 2
	// databaseVCPUHour is one of db.m7g in one zone: db.m7g.large at $0.168 an hour (not
	// verified; db.r8g.xlarge, with twice the memory, is $0.478 by Usage.ai, 2026). Multi-AZ
	// is twice that (Amazon RDS user guide, "On-Demand DB instances").
	databaseVCPUHour = 0.168 / 2
	// RDS storage gp3, and backups beyond the size of the storage, a GB and month
	// (Usage.ai, "RDS pricing calculator", June 2026).
	databaseGB, backupGB = 0.115, 0.095
	// Application Load Balancer: an hour, and an LCU hour, which covers 25 new connections a
	// second or 1 GB (awsnegotiations.com, "Elastic Load Balancer Cost", May 2026).
	balancerHour, lcuHour, lcuConnections = 0.0225, 0.008, 25
	// NAT gateway: an hour, and a GB (not verified).
	natHour, natGB = 0.045, 0.045
	// rootGB is a GB of gp3 and month (not verified), of rootSizeGB for each instance.
	rootGB, rootSizeGB = 0.08, 20
	// hooks are the functions, alarms and dashboard of an environment, at most (README,
	// "What it costs").
	hooks = 15

	hoursPerMonth, daysPerMonth = 730, 30.4
)

// transfer are the prices of a GB sent to the internet, and up to how many GB a month each
// holds (not verified).
var transfer = []struct{ upTo, price float64 }{{10_240, 0.09}, {51_200, 0.085}, {153_600, 0.07}, {math.Inf(1), 0.05}}

// Assumptions on cost.
const (
	// requestsPerConnection is how many requests come over one connection to the load balancer.
	requestsPerConnection = 5
	// natShare is the instances' own traffic to the internet, as a share of what users get.
	natShare = 0.05
	// dailyChange is the share of the database that changes on a day and is backed up, and
	// retentionDays how long backups are kept (infra/environment/production.yaml).
	dailyChange, retentionDays = 0.01, 35
)

// Cost is a month's list price in US dollars, by what it is paid for.
type Cost struct{ Instances, LoadBalancer, NAT, Transfer, Database, Backups, Hooks float64 }

// Total is their sum.
func (c Cost) Total() float64 {
	return c.Instances + c.LoadBalancer + c.NAT + c.Transfer + c.Database + c.Backups + c.Hooks
}

// cost is that of a plan with as many instances all month as the peak takes: an upper bound,
// because the group is smaller at night.
func (p Plan) cost(s Stage, requestsPerDay float64) Cost {
	perSecond := requestsPerDay / (24 * 3600)
	lcus := max(perSecond/requestsPerConnection/lcuConnections, p.OutGB/hoursPerMonth)
	backups := p.StorageGB * (1 + dailyChange*retentionDays)
	return Cost{
		Instances:    float64(p.Instances) * (float64(s.Instance.VCPUs)*vCPUHour*hoursPerMonth + rootSizeGB*rootGB),
		LoadBalancer: (balancerHour + lcus*lcuHour) * hoursPerMonth,
		NAT:          Zones*natHour*hoursPerMonth + p.OutGB*natShare*natGB,
		Transfer:     sent(p.OutGB),
		Database:     2 * (float64(p.Database.VCPUs)*databaseVCPUHour*hoursPerMonth + p.storage()*databaseGB),
		Backups:      max(0, backups-p.storage()) * backupGB,
		Hooks:        hooks,
	}
}

// storage is what the database has to have: a quarter more than its data, and no less than
// production.yaml says.
func (p Plan) storage() float64 { return max(100, p.StorageGB*1.25) }

// sent is the price of sending so many GB to the internet in a month.
func sent(gb float64) (price float64) {
	from := 0.0
	for _, t := range transfer {
		price += max(0, min(gb, t.upTo)-from) * t.price
		from = t.upTo
	}
	return price
}
