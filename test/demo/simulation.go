package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/events"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// simulation is one run of a scenario: a region with one service, its users, and a
// record of every second.
type simulation struct {
	*region.Region
	svc   region.Service
	users []*region.Stream
	say   func(format string, args ...any)
	run   Run
	lanes map[string]*Lane
	blue  string       // the first Auto Scaling group
	calls atomic.Int64 // of the functions to AWS
	// read counts the notifications that are marked.
	read int
}

// newSimulation opens a region whose clock is set to the present, because the built
// functions read the real clock.
func newSimulation(say func(string, ...any), svc region.Service) *simulation {
	s := &simulation{say: say, lanes: map[string]*Lane{}}
	s.Region = region.New(region.Options{
		Start:   time.Now().Truncate(time.Second),
		Timings: region.Timings{Boot: 12 * time.Second, Install: 8 * time.Second, Shutdown: 6 * time.Second, Attach: 4 * time.Second, Poll: 2 * time.Second},
	})
	s.svc = s.AddService(svc)
	s.blue = s.GroupOf(s.svc)
	s.addUsers("web")
	return s
}

// addUsers begins a stream of requests, every tenth of them a slow one.
func (s *simulation) addUsers(targetGroup string) {
	s.users = append(s.users, s.StartTraffic(region.Traffic{TargetGroup: targetGroup, PerSecond: 20, Takes: 400 * time.Millisecond, Long: 3 * time.Second}))
}

// add starts a built function and gives it the region for AWS.
func (s *simulation) add(ctx context.Context, f hooks.Function, build string, log io.Writer) (queue *region.Queue, stop func(), err error) {
	aws := wire.New(wire.ServicesOf(s.Region)...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		aws.ServeHTTP(w, r)
	}))
	queue, end, err := f.Start(ctx, s.Region, server.URL, build, log)
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	return queue, func() { end(); server.Close() }, nil
}

// play lets seconds pass and records each.
func (s *simulation) play(seconds int) error {
	for range seconds {
		if err := s.observe(); err != nil {
			return err
		}
		s.Advance(time.Second)
		s.readNotices()
	}
	return nil
}

// second is the number of the second that begins now.
func (s *simulation) second() int { return int(s.Now().Sub(s.Start()) / time.Second) }

// mark records that something happens now.
func (s *simulation) mark(ours bool, format string, args ...any) {
	m := Mark{At: s.second(), Text: fmt.Sprintf(format, args...), Ours: ours}
	s.run.Marks = append(s.run.Marks, m)
	s.say("  %s  %s", m.Time(), m.Text)
}

// readNotices marks the notifications of the last second.
func (s *simulation) readNotices() {
	published := s.Topic(hooks.Notices).Published()
	for _, p := range published[s.read:] {
		s.mark(true, "deployhooks: %s", p.Subject)
	}
	s.read = len(published)
}

// observe adds this second to the lane of each instance.
func (s *simulation) observe() error {
	groups, err := s.AutoScaling().DescribeAutoScalingGroups(context.Background(), &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		return err
	}
	registered := map[string][]elbtypes.TargetHealthStateEnum{}
	for _, users := range s.users {
		for id, state := range s.Health(users.TargetGroup()) {
			registered[id] = append(registered[id], state)
		}
	}
	alive := map[string]bool{}
	for _, g := range groups.AutoScalingGroups {
		for _, i := range g.Instances {
			id := aws.ToString(i.InstanceId)
			alive[id] = true
			s.lane(id, aws.ToString(g.AutoScalingGroupName)).add(s.second(), condition(i.LifecycleState, registered[id]))
		}
	}
	// Those that have left Auto Scaling and are still registered.
	for _, id := range slices.Sorted(maps.Keys(registered)) {
		if c := condition("", registered[id]); !alive[id] && s.lanes[id] != nil && c != Starting {
			s.lanes[id].add(s.second(), c)
		}
	}
	return nil
}

// condition is what an instance is to users, by its state in Auto Scaling (none
// if it is gone) and in each target group that it is registered in.
func condition(life asgtypes.LifecycleState, targets []elbtypes.TargetHealthStateEnum) Condition {
	healthy := slices.Contains(targets, elbtypes.TargetHealthStateEnumHealthy)
	switch running := life == asgtypes.LifecycleStateInService; {
	case slices.Contains(targets, elbtypes.TargetHealthStateEnumDraining):
		return Draining
	case healthy && (running || life == asgtypes.LifecycleStateTerminatingWait):
		return Serving
	case healthy && life != asgtypes.LifecycleStatePending:
		return Dying
	case running && len(targets) == 0:
		return Idle
	default:
		return Starting
	}
}

func (s *simulation) lane(instance, group string) *Lane {
	if s.lanes[instance] == nil {
		fleet := "green"
		if group == s.blue {
			fleet = "blue"
		}
		s.lanes[instance] = &Lane{Instance: instance[:min(len(instance), 10)], Fleet: fleet}
	}
	return s.lanes[instance]
}

// add makes the last span a second longer, or begins another.
func (l *Lane) add(second int, c Condition) {
	if n := len(l.Spans); n > 0 && l.Spans[n-1].Condition == c && l.Spans[n-1].To == second {
		l.Spans[n-1].To++
		return
	}
	l.Spans = append(l.Spans, Span{second, second + 1, c})
}

// finish is the record.
func (s *simulation) finish() Run {
	s.run.Seconds = make([]Second, s.second())
	for _, users := range s.users {
		began := s.second() - len(users.Seconds()) + 1 // the last has only begun
		for n, second := range users.Seconds() {
			if n+began < len(s.run.Seconds) {
				s.run.Seconds[n+began].Requests += second.Requests
				s.run.Seconds[n+began].Failed += second.Failed
			}
		}
		total := users.Total()
		s.run.Requests += total.Requests
		s.run.Failed += total.Failed
	}
	for _, l := range s.lanes {
		s.run.Lanes = append(s.run.Lanes, *l)
	}
	slices.SortFunc(s.run.Lanes, func(a, b Lane) int {
		return (a.Spans[0].From-b.Spans[0].From)*1000 + strings.Compare(a.Fleet, b.Fleet)*100 + strings.Compare(a.Instance, b.Instance)
	})
	return s.run
}

// recorded is the recorded EventBridge payload of a deployment's state, with
// the ID of this scenario's deployment.
func recorded(sent []byte) ([]byte, error) {
	var event struct {
		Detail struct{ DeploymentID, State string } `json:"detail"`
	}
	if err := json.Unmarshal(sent, &event); err != nil {
		return nil, err
	}
	payload, err := events.Read("codedeploy-eventbridge-" + strings.ToLower(event.Detail.State))
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(payload, []byte(recordedDeployment), []byte(event.Detail.DeploymentID)), nil
}

// recordedDeployment is the deployment in the recorded payloads.
const recordedDeployment = "d-4X8QK2M1Z"
