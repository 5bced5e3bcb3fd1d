// Package region is a simulated AWS region with a virtual clock: as much of
// Auto Scaling, Elastic Load Balancing, CodeDeploy, SSM, SNS, SQS,
// EventBridge, DynamoDB, RDS and Step Functions as the functions of this project live on, and the
// users whose requests succeed or fail meanwhile. Tests, the demo and the
// servers of test/region/wire call it.
//
//	r := region.New(region.Options{})
//	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web",
//		TargetGroups: []string{"web"}, Instances: 4})
//	users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 10})
//	q := r.Queue("repair")                    // every event ends here
//	q.Serve(func(b []byte) ([]byte, error) { return repairer.Handle(ctx, b) })
//	id := r.Deploy(svc, region.Deployment{})  // blue/green, as CodeDeploy does it
//	r.RunUntil(func() bool { return r.Deployed(id) }, time.Hour)
//	fmt.Println(users.Total().Failed)
//
// The clients that a function under test is given are the views: r.ELBV2()
// has the methods of the SDK's elasticloadbalancingv2.Client, and so on. A
// view's call takes no virtual time. Nothing happens between calls until
// [Region.Advance] lets time pass; then everything that falls due happens in
// order, the same in every run.
//
// Every behaviour names the AWS documentation it copies, or says "observed":
// seen in captures of real accounts. What is only likely, or assumed because
// something had to happen, says so too.
package region

import (
	"fmt"
	"sync"
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Where the region is.
const (
	Name    = "eu-west-1"
	Account = "123456789012"
)

// start is the instant at which regions begin unless set.
var start = time.Date(2024, time.March, 4, 9, 0, 0, 0, time.UTC)

// Options say how a region differs from the default one. The zero value is a
// good region.
type Options struct {
	// Start is the instant at which the region begins; the same for all
	// unless set. What runs against a region with a clock of its own, such as
	// a built function, wants the present.
	Start time.Time
	// Timings are how long things take; zero fields take their defaults.
	Timings Timings
	// PageSize caps every page of every list, to show that a caller reads
	// them all. 0 leaves AWS's own limits.
	PageSize int
	// Throttling counts calls against the token buckets of the services.
	Throttling bool
	// DrainedAtOnce no longer shows a deregistered target of an Application Load
	// Balancer as soon as nothing is in flight, as older editions of its user
	// guide have it. By default it is displayed as draining until the
	// deregistration delay is over ("Edit target group attributes for your
	// Application Load Balancer", Deregistration delay). Auto Scaling and
	// CodeDeploy wait for the requests in flight only, either way.
	DrainedAtOnce bool
	// ReturnWaits is the state in which an instance waits for its terminate
	// hooks on its way back to a warm pool: Warmed:Pending:Wait unless set,
	// Warmed:Terminating:Wait, or Terminating:Wait. In the last one it is still
	// listed with its group.
	ReturnWaits asg.LifecycleState
	// PoolDescribed has DescribeAutoScalingInstances list the instances of warm
	// pools, with their Warmed: states, which DescribeWarmPool always does.
	PoolDescribed bool
	// StaleReads has Auto Scaling, Elastic Load Balancing and CodeDeploy answer
	// a question that was asked before as they did then, for that long: who
	// changes something and asks again may not see it yet. AWS promises no more
	// ("Eventual consistency", Amazon EC2 developer guide; that it is so of these
	// services is likely).
	StaleReads time.Duration
	// RebalancesZones has groups even out their Availability Zones: where one has
	// two instances more than another, one is launched and then one terminated
	// ("Availability Zone rebalancing", process AZRebalance).
	RebalancesZones bool
	// AttachDeregisters has the attachment of a load balancer to a group of a
	// deployment in progress deregister the group's instances a moment later, as
	// AWS warns that it may: "may cause all the instances to become deregistered
	// from the load balancer unexpectedly" ("Create a deployment group for an
	// EC2/On-Premises blue/green deployment"). How that comes about is not
	// documented, and whether it does; by default it does not.
	AttachDeregisters bool
	// CamelCaseCreators has CodeDeploy spell the creator of a deployment by Auto
	// Scaling autoScaling, as its user guide does, instead of autoscaling, which
	// the API reference has for DeploymentInfo.
	CamelCaseCreators bool
	// InstanceEvents has CodeDeploy send EventBridge each instance's state
	// too, not only of the deployment's.
	InstanceEvents bool
}

// Region is one simulated region of one account, as one caller has it. Its
// methods may be called from several goroutines.
type Region struct {
	*state
	caller *Principal // nil for a caller that may do everything
}

// state is what all callers share.
type state struct {
	options Options
	timings Timings

	mu    sync.Mutex // protects everything below
	clock clock
	gate  gate
	ids   ids

	addresses     map[string]*instance // by private IP address
	instances     map[string]*instance
	groups        map[string]*group
	deletedGroups []*group // for their scaling activities
	balancers     map[string]*balancer
	targets       map[string]*targetGroup // by ARN
	streams       []*Stream
	apps          map[string]*application
	deployments   map[string]*deployment
	parameters    map[string]*parameter
	topics        map[string]*Topic // by ARN
	queues        map[string]*Queue // by name
	buses         map[string]*bus
	commands      commands
	// actions are the active lifecycle actions by token; lifecycleActions are
	// all of them.
	actions          map[string]*action
	lifecycleActions []*action
	tables           map[string]*table
	// transactions are those with a client token, by it.
	transactions map[string]transaction
	delivery     delivery
	answers      answers
	// stepFunctions are the state machines, and the functions that they invoke.
	stepFunctions stepFunctions
	databases     databases
}

// New returns an empty region at the start of its virtual time.
func New(o Options) *Region {
	if o.Start.IsZero() {
		o.Start = start
	}
	r := &Region{state: &state{
		options:      o,
		timings:      o.Timings.orDefault(),
		clock:        clock{now: o.Start},
		instances:    map[string]*instance{},
		addresses:    map[string]*instance{},
		groups:       map[string]*group{},
		balancers:    map[string]*balancer{},
		targets:      map[string]*targetGroup{},
		apps:         map[string]*application{},
		deployments:  map[string]*deployment{},
		parameters:   map[string]*parameter{},
		topics:       map[string]*Topic{},
		queues:       map[string]*Queue{},
		buses:        map[string]*bus{"default": {name: "default"}},
		tables:       map[string]*table{},
		actions:      map[string]*action{},
		transactions: map[string]transaction{},
		commands:     newCommands(),
		databases:    databases{instances: map[string]*dbInstance{}, snapshots: map[string]*dbSnapshot{}, secrets: map[string]*dbInstance{}},
		stepFunctions: stepFunctions{
			functions: map[string]Function{}, machines: map[string]*machine{}, parsed: map[string]*aslMachine{},
			executions: map[string]*execution{}, waiting: map[string]*callback{},
		},
	}}
	if o.Throttling {
		r.gate.buckets = newBuckets(o.Start)
	}
	return r
}

// ids makes identifiers that look like AWS's and are the same in every run.
type ids struct{ n map[string]int }

func (s *ids) next(kind string) int {
	if s.n == nil {
		s.n = map[string]int{}
	}
	s.n[kind]++
	return s.n[kind]
}

// hex is a hexadecimal number that seems random, so that nobody relies on
// an order of identifiers: multiplication by an odd constant permutes the
// 64-bit numbers.
func (s *ids) hex(kind string, digits int) string {
	h := uint64(s.next(kind))*0x9E3779B97F4A7C15 ^ seed(kind)
	return fmt.Sprintf("%016x", h)[:digits]
}

func (s *ids) uuid(kind string) string {
	a, b := s.hex(kind, 16), s.hex(kind+" (second half)", 16)
	return a[:8] + "-" + a[8:12] + "-4" + a[13:16] + "-a" + b[1:4] + "-" + b[4:16]
}

// deployment makes an ID as CodeDeploy does: d- and nine letters or digits.
func (s *ids) deployment() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	h := uint64(s.next("deployment"))*0x9E3779B97F4A7C15 ^ seed("deployment")
	id := []byte("d-")
	for range 9 {
		id = append(id, alphabet[h%36])
		h /= 36
	}
	return string(id)
}

func seed(kind string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(kind) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + Name + ":" + Account + ":" + resource
}
