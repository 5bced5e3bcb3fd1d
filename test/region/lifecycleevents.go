package region

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Where an instance comes from and goes to, as lifecycle events say it
// ("EventBridge event examples for warm pools", possible values of origins
// and destinations).
const (
	locationEC2      = "EC2"
	locationGroup    = "AutoScalingGroup"
	locationWarmPool = "WarmPool"
)

// isoMillis are the times of Auto Scaling's own notifications.
const isoMillis = "2006-01-02T15:04:05.000Z"

// lifecycleDetail is the detail of a lifecycle event, fields in AWS's order.
type lifecycleDetail struct {
	LifecycleActionToken string
	AutoScalingGroupName string
	LifecycleHookName    string
	EC2InstanceID        string `json:"EC2InstanceId"`
	LifecycleTransition  string
	NotificationMetadata string `json:",omitempty"`
	Origin               string
	Destination          string
	Action               string `json:",omitempty"`
}

// lifecycleMessage is what is sent straight to a hook's notification target
// (observed).
type lifecycleMessage struct {
	Origin               string
	LifecycleHookName    string
	Destination          string
	AccountID            string `json:"AccountId"`
	RequestID            string `json:"RequestId"`
	LifecycleTransition  string
	AutoScalingGroupName string
	Service              string
	Time                 string
	EC2InstanceID        string `json:"EC2InstanceId"`
	NotificationMetadata string `json:",omitempty"`
	LifecycleActionToken string
	Action               string `json:",omitempty"`
}

const autoScalingService = "AWS Auto Scaling"

// emitAction sends the beginning of an action to EventBridge ("Amazon EC2 Auto
// Scaling event reference", lifecycle actions), and the hook's notification
// target if it has one. That EventBridge gets it then, too, is assumed.
func (r *Region) emitAction(a *action) {
	h := a.hook
	detailType, what := "EC2 Instance-terminate Lifecycle Action", "TERMINATING"
	if *h.LifecycleTransition == onLaunching {
		detailType, what = "EC2 Instance-launch Lifecycle Action", "LAUNCHING"
	}
	about := Delivery{Instance: a.instance.id, Hook: *h.LifecycleHookName, State: strings.TrimPrefix(*h.LifecycleTransition, "autoscaling:")}
	r.emitEvent("aws.autoscaling", detailType, []string{aws.ToString(a.instance.group.config.AutoScalingGroupARN)}, lifecycleDetail{
		LifecycleActionToken: a.token,
		AutoScalingGroupName: a.instance.group.name,
		LifecycleHookName:    *h.LifecycleHookName,
		EC2InstanceID:        a.instance.id,
		LifecycleTransition:  *h.LifecycleTransition,
		NotificationMetadata: aws.ToString(h.NotificationMetadata),
		Origin:               a.passage.origin,
		Destination:          a.passage.destination,
		Action:               a.passage.action,
	}, about)
	r.notify(h, "Auto Scaling:  Lifecycle action '"+what+"' for instance "+a.instance.id+" in progress.", lifecycleMessage{
		Origin:               a.passage.origin,
		LifecycleHookName:    *h.LifecycleHookName,
		Destination:          a.passage.destination,
		AccountID:            Account,
		RequestID:            r.ids.uuid("request"),
		LifecycleTransition:  *h.LifecycleTransition,
		AutoScalingGroupName: a.instance.group.name,
		Service:              autoScalingService,
		Time:                 r.clock.now.UTC().Format(isoMillis),
		EC2InstanceID:        a.instance.id,
		NotificationMetadata: aws.ToString(h.NotificationMetadata),
		LifecycleActionToken: a.token,
		Action:               a.passage.action,
	}, about)
}

// notify sends a message to the queue or topic of the region that a hook has
// as its notification target; one of another account is not simulated.
func (r *Region) notify(h asg.LifecycleHook, subject string, message any, about Delivery) {
	target := aws.ToString(h.NotificationTargetARN)
	if t := r.topics[target]; t != nil {
		r.publishToTopic(t, subject, string(encode(message)), about)
		return
	}
	if q := r.queues[target[strings.LastIndex(target, ":")+1:]]; q != nil && target == q.ARN() {
		about.Via = "Auto Scaling"
		r.deliver(q, encode(message), about)
	}
}

// testNotification is what a hook's notification target gets when the hook is
// put: "Amazon EC2 Auto Scaling sends the target a test message" (API
// reference, PutLifecycleHook; fields observed).
func (r *Region) testNotification(g *group, h asg.LifecycleHook) {
	r.notify(h, "Auto Scaling: test notification for group \""+g.name+"\"", struct {
		AccountID            string `json:"AccountId"`
		RequestID            string `json:"RequestId"`
		AutoScalingGroupARN  string
		AutoScalingGroupName string
		Service              string
		Event                string
		Time                 string
	}{
		Account, r.ids.uuid("request"), aws.ToString(g.config.AutoScalingGroupARN), g.name,
		autoScalingService, "autoscaling:TEST_NOTIFICATION", r.clock.now.UTC().Format(isoMillis),
	}, Delivery{Hook: *h.LifecycleHookName})
}
