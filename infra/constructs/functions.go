package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
)

// addRepair adds the repair function, with all that it is notified by.
func (h *DeploymentHooks) addRepair() {
	cfg := h.Configuration
	props := h.queuedFunction("repair", config.RepairQueue)
	props.Description = h.named("Attaches the Auto Scaling group of a blue/green deployment to its load balancer")
	props.Environment = h.environment(cfg.RepairEnvironment(), h.Baselines)
	props.Sweep = awscdk.Duration_Minutes(jsii.Number(cfg.Repair.SweepMinutes))
	// SQS's longest delay, which a repair uses, is a quarter of an hour.
	props.StaleAfter = awscdk.Duration_Minutes(jsii.Number(30))

	h.Repair = NewQueuedFunction(h, jsii.String("Repair"), props)
	h.Repair.allow(permissions.Repair(cfg, h.location(h.Baselines))...)
	h.Repair.OnEvents(jsii.String("DeploymentStates"), jsii.String("Deployments that change their state"), eventPattern(cfg.DeploymentPattern()))
	h.Repair.OnTopic(h.TriggerTopic)
}

// addDrain adds the drain function, with all that it is notified by.
func (h *DeploymentHooks) addDrain() {
	cfg := h.Configuration
	props := h.queuedFunction("drain", config.DrainQueue)
	props.Description = h.named("Takes instances out of their target groups before they terminate")
	props.Environment = h.environment(cfg.DrainEnvironment(), h.Drains)
	props.Sweep = awscdk.Duration_Minutes(jsii.Number(cfg.Drain.SweepMinutes))
	props.MemorySize = jsii.Number(512) // a target group of a thousand targets is a long answer
	// The delays of a drain are seconds.
	props.StaleAfter = awscdk.Duration_Minutes(jsii.Number(15))

	h.Drain = NewQueuedFunction(h, jsii.String("Drain"), props)
	h.Drain.allow(permissions.Drain(cfg, h.location(h.Drains))...)
	for _, r := range drainRules(cfg.Drain) {
		h.Drain.OnEvents(&r.id, &r.description, eventPattern(r.pattern))
	}
}

// queuedFunction are the properties that both functions share.
func (h *DeploymentHooks) queuedFunction(name string, queue config.Queue) *QueuedFunctionProps {
	cfg := h.Configuration
	props := &QueuedFunctionProps{
		LambdaFunctionProps: LambdaFunctionProps{
			Code:             h.program(name),
			Architecture:     h.architecture(),
			Timeout:          duration(config.Timeout.Seconds()),
			LogLevel:         &cfg.LogLevel,
			LogRetentionDays: jsii.Number(cfg.LogRetentionDays),
			AlarmTopic:       h.AlarmTopic,
			EncryptionKey:    h.props.EncryptionKey,
		},
		BatchSize:         jsii.Number(queue.BatchSize),
		MaxConcurrency:    jsii.Number(queue.Concurrency),
		VisibilityTimeout: duration(queue.VisibilityTimeout().Seconds()),
		MaxReceiveCount:   jsii.Number(config.MaxReceives),
	}
	if queue.Window > 0 {
		props.BatchingWindow = duration(queue.Window.Seconds())
	}
	return props
}

// rule is an EventBridge rule of the drain function.
type rule struct {
	id, description string
	pattern         map[string]any
}

// drainRules are the rules that the configuration asks for.
func drainRules(d config.Drain) []rule {
	of := func(source, detailType string) map[string]any {
		return map[string]any{"source": []string{source}, "detail-type": []string{detailType}}
	}
	maintenance := of("aws.health", "AWS Health Event")
	maintenance["detail"] = map[string]any{"service": []string{"EC2"}, "eventTypeCategory": []string{"scheduledChange"}}
	rules := []rule{
		{"LifecycleActions", "Instances that wait in a lifecycle hook before they terminate", of("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action")},
		{"Rebalances", "Spot instances that are at risk of interruption", of("aws.ec2", "EC2 Instance Rebalance Recommendation")},
		{"Maintenance", "Scheduled changes of EC2 instances", maintenance},
	}
	if d.OnSpotInterruption == config.DrainInstance {
		rules = append(rules, rule{"SpotWarnings", "Spot instances that will be interrupted", of("aws.ec2", "EC2 Spot Instance Interruption Warning")})
	}
	if d.OnStateChange == config.DrainInstance {
		changes := of("aws.ec2", "EC2 Instance State-change Notification")
		changes["detail"] = map[string]any{"state": []string{"stopping", "shutting-down"}}
		rules = append(rules, rule{"StateChanges", "Instances that EC2 stops or terminates", changes})
	}
	return rules
}

func eventPattern(pattern map[string]any) *awsevents.EventPattern {
	p := &awsevents.EventPattern{
		Source:     jsii.Strings(pattern["source"].([]string)...),
		DetailType: jsii.Strings(pattern["detail-type"].([]string)...),
	}
	if detail, ok := pattern["detail"].(map[string]any); ok {
		p.Detail = &detail
	}
	return p
}
