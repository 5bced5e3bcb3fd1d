// Package drains puts the drain function into a simulated region, with the queue, the
// table, the topic and the schedule around it that the stack in infra makes, and its
// lifecycle hook on Auto Scaling groups. Scenarios of whole environments and the
// benchmarks call it.
package drains

import (
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/caarlos0/env/v11"

	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
	"deployhooks/test/harness"
	"deployhooks/test/harness/policies"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// The names of what is around the function. Notifications go to the topic that the
// repair function has too.
const (
	queueName   = "drain"
	tableName   = "drains"
	noticeTopic = "notices"
)

// sweepInterval is the schedule's, as the stack has it unless configured.
const sweepInterval = time.Minute

// Hook is the function's lifecycle hook for instances with that deregistration delay,
// as infra's DrainHook makes it: ten minutes more than draining takes.
func Hook(delay time.Duration) asgtypes.LifecycleHook {
	return asgtypes.LifecycleHook{
		LifecycleHookName: aws.String("deployhooks-drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
		HeartbeatTimeout: aws.Int32(int32((delay + 10*time.Minute) / time.Second)), DefaultResult: aws.String("CONTINUE"),
	}
}

// Install deploys the function into a region, in its default configuration.
func Install(r *region.Region) *harness.Harness {
	h := &harness.Harness{Region: r, Notices: r.Topic(noticeTopic), Queue: r.Queue(queueName).Configure(hooks.Drain.Settings())}
	r.AddTable(tableName, "instance")
	r.AddIndex(tableName, region.Index{Name: store.OpenIndex, Keys: []string{"open"}})
	h.Function = function(h)
	h.Queue.Serve(h.Invoke)
	schedule(h)
	return h
}

func schedule(h *harness.Harness) {
	h.After(sweepInterval, func() {
		h.Queue.Send(`{"continue":{"sweep":{}}}`)
		schedule(h)
	})
}

// function is an execution environment with the role of the stack. It panics on a
// configuration that the function refuses.
func function(h *harness.Harness) *drain.Drainer {
	cfg, err := env.ParseAsWithOptions[drain.Config](env.Options{Environment: map[string]string{
		"QUEUE_URL": h.Queue.URL(), "TABLE": tableName, "ACCOUNT": region.Account, "AWS_REGION": region.Name, "SWEEP_INTERVAL": sweepInterval.String(),
	}})
	if err != nil {
		panic("drain: " + err.Error())
	}
	role := h.Principal(queueName, policies.Read("drain", map[string]string{
		"Drains.Arn": "arn:aws:dynamodb:" + region.Name + ":" + region.Account + ":table/" + tableName,
		"Notices":    h.Notices.ARN(), "DrainQueue.Arn": h.Queue.ARN(),
		"DrainLogs.Arn": "arn:aws:logs:" + region.Name + ":" + region.Account + ":log-group:drain",
	}))
	return drain.New(cfg, drain.Clients{
		Groups: role.AutoScaling(), Balancers: role.ELBV2(), Classic: role.ELB(), Deployments: role.CodeDeploy(),
		Commands: role.SSM(), Queue: role.SQS(), Database: role.DynamoDB(),
	}, notice.New(notice.Config{TopicARN: h.Notices.ARN(), EventBus: "default"}, "drain", role.SNS(), role.EventBridge(), io.Discard, h.Now), harness.Logger(), h.Now)
}
