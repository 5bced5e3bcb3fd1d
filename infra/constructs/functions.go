package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
)

// addRepair adds the repair function, with all that it is notified by.
func (h *DeploymentHooks) addRepair() {
	cfg := h.Configuration
	h.Repair = h.in.addFunction("Repair", hookFunction{
		description: "Attaches the Auto Scaling group of a blue/green deployment to its load balancer",
		queue:       config.RepairQueue, table: h.Baselines, environment: cfg.RepairEnvironment(), permissions: permissions.Repair,
		sweepMinutes: cfg.Repair.SweepMinutes, memory: 256,
		staleMinutes: 30, // SQS's longest delay, which a repair uses, is a quarter of an hour
	})
	// Glob patterns and tags are left to the function.
	detail := map[string]any{}
	if len(cfg.Repair.Applications) > 0 {
		detail["application"] = cfg.Repair.Applications
	}
	h.Repair.onEvents("DeploymentStates", "Deployments that change their state", "aws.codedeploy", "CodeDeploy Deployment State-change Notification", detail)
	h.Repair.OnTopic(h.TriggerTopic)
}

// addDrain adds the drain function, with all that it is notified by.
func (h *DeploymentHooks) addDrain() {
	cfg := h.Configuration
	h.Drain = h.in.addFunction("Drain", hookFunction{
		description: "Takes instances out of their target groups before they terminate",
		queue:       config.DrainQueue, table: h.Drains, environment: cfg.DrainEnvironment(), permissions: permissions.Drain,
		sweepMinutes: cfg.Drain.SweepMinutes,
		memory:       512, // a target group of a thousand targets is a long answer
		staleMinutes: 15,  // the delays of a drain are seconds
	})
	d := h.Drain
	d.onEvents("LifecycleActions", "Instances that wait in a lifecycle hook before they terminate", "aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", nil)
	d.onEvents("Rebalances", "Spot instances that are at risk of interruption", "aws.ec2", "EC2 Instance Rebalance Recommendation", nil)
	d.onEvents("Maintenance", "Scheduled changes of EC2 instances", "aws.health", "AWS Health Event",
		map[string]any{"service": []string{"EC2"}, "eventTypeCategory": []string{"scheduledChange"}})
	if cfg.Drain.OnSpotInterruption == config.DrainInstance {
		d.onEvents("SpotWarnings", "Spot instances that will be interrupted", "aws.ec2", "EC2 Spot Instance Interruption Warning", nil)
	}
	if cfg.Drain.OnStateChange == config.DrainInstance {
		d.onEvents("StateChanges", "Instances that EC2 stops or terminates", "aws.ec2", "EC2 Instance State-change Notification",
			map[string]any{"state": []string{"stopping", "shutting-down"}})
	}
}

// onEvents is [QueuedFunction.OnEvents] for one kind of event.
func (f *QueuedFunction) onEvents(id, description, source, detailType string, detail map[string]any) {
	pattern := &awsevents.EventPattern{Source: jsii.Strings(source), DetailType: jsii.Strings(detailType)}
	if len(detail) > 0 {
		pattern.Detail = &detail
	}
	f.OnEvents(&id, &description, pattern)
}
