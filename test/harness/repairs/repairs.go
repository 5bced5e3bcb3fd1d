// Package repairs puts the repair function into a simulated region, with the
// queue, the table, the topic and the schedule around it that the stack in
// infra makes. Scenarios, the comparison with peers and the benchmarks call it.
package repairs

import (
	"cmp"
	"io"
	"time"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
	"deployhooks/test/harness"
	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// Settings say how the function is deployed. The zero value is the default
// deployment.
type Settings struct {
	Config repair.Config
	// SweepEvery is the schedule's interval: 5 minutes unless set, negative for
	// no schedule.
	SweepEvery time.Duration
	// Queue are the settings of the function's queue. Its visibility timeout is
	// a minute unless set, so that a failed message is delivered again soon.
	Queue region.QueueSettings
	// AlarmTopic has a topic of alarms beside that of notifications.
	AlarmTopic bool
	// As is the function's role, with the policy of the stack unless set.
	As *region.Principal
	// Now is the function's clock, the region's unless set.
	Now func() time.Time
}

// The names of what is around the function.
const (
	QueueName    = "repair"
	TableName    = "records"
	NoticesTopic = "notices"
	AlarmsTopic  = "alarms"
	// Triggers is the topic that deployment groups may publish to; the function's
	// queue is subscribed.
	Triggers = "triggers"
	// ParameterPrefix begins the names of the published SSM parameters.
	ParameterPrefix = "/deployhooks"
)

// Sweep is the message that the schedule sends.
const Sweep = `{"continue":{"sweep":{}}}`

// Install deploys the function into a region.
func Install(r *region.Region, s Settings) *harness.Harness {
	h := &harness.Harness{Region: r, Notices: r.Topic(NoticesTopic), Queue: r.Queue(QueueName)}
	if s.Queue.VisibilityTimeout == 0 {
		s.Queue.VisibilityTimeout = time.Minute
	}
	h.Queue.Configure(s.Queue)
	r.Topic(Triggers).Subscribe(h.Queue, false)
	r.AddTable(TableName, "application", "deploymentGroup")
	h.Function = New(r, s)
	h.Queue.Serve(h.Invoke)
	if s.SweepEvery == 0 {
		s.SweepEvery = 5 * time.Minute
	}
	if s.SweepEvery > 0 {
		schedule(h, s.SweepEvery)
	}
	return h
}

func schedule(h *harness.Harness, interval time.Duration) {
	h.After(interval, func() {
		h.Queue.Send(Sweep)
		schedule(h, interval)
	})
}

// New is one execution environment of the function in a region that it is, or
// will be, installed in.
func New(r *region.Region, s Settings) *repair.Repairer {
	cfg := s.Config
	cfg.QueueURL, cfg.Table, cfg.ParameterPrefix = r.Queue(QueueName).URL(), TableName, ParameterPrefix
	cfg.Mode = cmp.Or(cfg.Mode, repair.ModeApply)
	cfg.InstancesWithoutRevision = cmp.Or(cfg.InstancesWithoutRevision, "notify")
	cfg.BlueGroupThatStays = cmp.Or(cfg.BlueGroupThatStays, "notify")
	topics := notice.Config{TopicARN: r.Topic(NoticesTopic).ARN(), EventBus: "default"}
	if s.AlarmTopic {
		topics.AlarmTopicARN = r.Topic(AlarmsTopic).ARN()
	}
	aws := s.As
	if aws == nil {
		aws = Role(r, s)
	}
	now := s.Now
	if now == nil {
		now = r.Now
	}
	return repair.New(cfg, repair.Clients{
		Deployments: aws.CodeDeploy(), Groups: aws.AutoScaling(), Balancers: aws.ELBV2(),
		Parameters: aws.SSM(), Queue: aws.SQS(), Database: aws.DynamoDB(),
	}, notice.New(topics, "repair", aws.SNS(), aws.EventBridge(), io.Discard, now), harness.Logger(), now)
}

// Role is the role that the stack gives the function: its policy, and the actions
// that a choice of the configuration needs besides.
func Role(r *region.Region, s Settings) *region.Principal {
	r.Topic(NoticesTopic)
	policy := policies.Read("repair", map[string]string{
		"Baselines.Arn": "arn:aws:dynamodb:" + region.Name + ":" + region.Account + ":table/" + TableName,
		"Notices":       r.Topic(NoticesTopic).ARN(), "RepairQueue.Arn": r.Queue(QueueName).ARN(),
		"RepairLogs.Arn": "arn:aws:logs:" + region.Name + ":" + region.Account + ":log-group:repair",
	})
	const changes = "RepairAutoScalingGroups"
	switch s.Config.InstancesWithoutRevision {
	case "standby":
		policy = policies.Allow(policy, changes, "autoscaling:EnterStandby", "autoscaling:ExitStandby")
	case "replace":
		policy = policies.Allow(policy, changes, "autoscaling:SetInstanceHealth")
	}
	if s.Config.BlueGroupThatStays == "detach" {
		policy = policies.Allow(policy, changes, "autoscaling:DetachTrafficSources")
	}
	return r.Principal(QueueName, policy)
}
