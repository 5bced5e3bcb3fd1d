package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"deployhooks/events"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// stage is where a story is played: a region with one service, its users, and
// an observer with a notebook.
type stage struct {
	*region.Region
	svc   region.Service
	users *region.Stream
	say   func(format string, args ...any)
	run   Run
	lanes map[string]*Lane
	blue  string       // the first Auto Scaling group
	calls atomic.Int64 // of the functions to AWS
	// told counts the notices that the observer has read.
	told int
}

// newStage opens a region whose clock is set to the present, because the built
// functions look at theirs.
func newStage(say func(string, ...any)) *stage {
	s := &stage{say: say, lanes: map[string]*Lane{}}
	s.Region = region.New(region.Options{
		Start:   time.Now().Truncate(time.Second),
		Timings: region.Timings{Boot: 12 * time.Second, Install: 8 * time.Second, Shutdown: 6 * time.Second, Attach: 4 * time.Second, Poll: 2 * time.Second},
	})
	s.svc = s.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4})
	s.blue = s.GroupOf(s.svc)
	s.users = s.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 20, Takes: 400 * time.Millisecond, Long: 3 * time.Second})
	return s
}

// play lets the seconds pass and writes down what there is to see in each.
func (s *stage) play(seconds int) error {
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
func (s *stage) second() int { return int(s.Now().Sub(s.Start()) / time.Second) }

// mark writes down that something happens now.
func (s *stage) mark(ours bool, format string, args ...any) {
	m := Mark{At: s.second(), Text: fmt.Sprintf(format, args...), Ours: ours}
	s.run.Marks = append(s.run.Marks, m)
	s.say("  %s  %s", m.Time(), m.Text)
}

// readNotices marks what the hooks have told since the last second.
func (s *stage) readNotices() {
	published := s.Topic(hooks.Notices).Published()
	for _, p := range published[s.told:] {
		s.mark(true, "deployhooks: %s", p.Subject)
	}
	s.told = len(published)
}

// observe adds this second to the lane of each instance.
func (s *stage) observe() error {
	ctx := context.Background()
	groups, err := s.AutoScaling().DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		return err
	}
	health, err := s.ELBV2().DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(s.TargetGroupARN("web"))})
	if err != nil {
		return err
	}
	registered := map[string]elbtypes.TargetHealthStateEnum{}
	for _, d := range health.TargetHealthDescriptions {
		registered[aws.ToString(d.Target.Id)] = d.TargetHealth.State
	}
	alive := map[string]bool{}
	for _, g := range groups.AutoScalingGroups {
		for _, i := range g.Instances {
			id := aws.ToString(i.InstanceId)
			alive[id] = true
			s.lane(id, aws.ToString(g.AutoScalingGroupName)).add(s.second(), condition(i.LifecycleState, registered[id]))
		}
	}
	// Those that Auto Scaling has forgotten and the load balancer has not.
	for _, id := range slices.Sorted(maps.Keys(registered)) {
		if !alive[id] && s.lanes[id] != nil && registered[id] != elbtypes.TargetHealthStateEnumUnused {
			s.lanes[id].add(s.second(), condition("", registered[id]))
		}
	}
	return nil
}

// condition is what an instance is to users, by its state in Auto Scaling (none
// if it is gone) and in the target group (none if it is not registered).
func condition(life asgtypes.LifecycleState, target elbtypes.TargetHealthStateEnum) Condition {
	switch running := life == asgtypes.LifecycleStateInService; {
	case target == elbtypes.TargetHealthStateEnumDraining:
		return Draining
	case running && target == elbtypes.TargetHealthStateEnumHealthy:
		return Serving
	case !running && target == elbtypes.TargetHealthStateEnumHealthy && life != asgtypes.LifecycleStatePending:
		return Dying
	case running && target == "":
		return Idle
	default:
		return Starting
	}
}

func (s *stage) lane(instance, group string) *Lane {
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

// finish is the notebook.
func (s *stage) finish() Run {
	for _, second := range s.users.Seconds()[:s.second()] { // the last has only begun
		s.run.Seconds = append(s.run.Seconds, Second{second.Requests, second.Failed})
	}
	total := s.users.Total()
	s.run.Requests, s.run.Failed = total.Requests, total.Failed
	for _, l := range s.lanes {
		s.run.Lanes = append(s.run.Lanes, *l)
	}
	slices.SortFunc(s.run.Lanes, func(a, b Lane) int {
		return (a.Spans[0].From-b.Spans[0].From)*1000 + strings.Compare(a.Fleet, b.Fleet)*100 + strings.Compare(a.Instance, b.Instance)
	})
	return s.run
}

// recorded is the recorded EventBridge payload of a deployment's state, with
// the IDs of this story's deployment in it.
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
