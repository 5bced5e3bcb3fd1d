package region

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// The states of CodeDeploy's EventBridge events.
const (
	stateStart   = "START"
	stateReady   = "READY"
	stateSuccess = "SUCCESS"
	stateFailure = "FAILURE"
	stateStop    = "STOP"
)

// emit sends a new state to EventBridge and to the deployment group's triggers.
func (r *Region) emit(d *deployment, state string) {
	about := Delivery{Deployment: d.id, State: state}
	r.emitCodeDeploy(d, deploymentChange, codeDeployDetail{State: state}, about)
	r.fireTriggers(d, state, about)
}

// busEvent is an event as EventBridge hands it to its targets, fields in
// AWS's order.
type busEvent struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// The detail types of CodeDeploy's events ("Monitoring deployments with Amazon
// CloudWatch Events").
const (
	deploymentChange = "CodeDeploy Deployment State-change Notification"
	instanceChange   = "CodeDeploy Instance State-change Notification"
)

// emitInstances sends instances' new state to EventBridge, where that is
// enabled.
func (r *Region) emitInstances(d *deployment, instances []*instance, state string) {
	if !r.options.InstanceEvents {
		return
	}
	for _, i := range instances {
		detail := codeDeployDetail{InstanceID: i.id, State: state}
		r.emitCodeDeploy(d, instanceChange, detail, Delivery{Deployment: d.id, State: state, Instance: i.id})
	}
}

// codeDeployDetail is the detail of CodeDeploy's events, fields in AWS's
// order.
type codeDeployDetail struct {
	InstanceID      string `json:"instanceId,omitempty"`
	Region          string `json:"region"`
	DeploymentID    string `json:"deploymentId"`
	InstanceGroupID string `json:"instanceGroupId"`
	DeploymentGroup string `json:"deploymentGroup"`
	State           string `json:"state"`
	Application     string `json:"application"`
}

func (r *Region) emitCodeDeploy(d *deployment, detailType string, detail codeDeployDetail, about Delivery) {
	detail.Region, detail.DeploymentID, detail.Application, detail.DeploymentGroup = Name, d.id, d.app, d.groupName
	detail.InstanceGroupID = aws.ToString(d.group.config.DeploymentGroupId)
	r.emitEvent("aws.codedeploy", detailType, []string{
		arn("codedeploy", "application:"+d.app),
		arn("codedeploy", "deploymentgroup:"+d.app+"/"+d.groupName),
	}, detail, about)
}

// emitEvent puts an event of one of AWS's services on the default bus.
func (r *Region) emitEvent(source, detailType string, resources []string, detail any, about Delivery) {
	about.Source, about.DetailType = source, detailType
	r.sendToBus(encode(busEvent{
		Version:    "0",
		ID:         r.ids.uuid("event"),
		DetailType: detailType,
		Source:     source,
		Account:    Account,
		Time:       r.clock.now.UTC().Format(time.RFC3339),
		Region:     Name,
		Resources:  resources,
		Detail:     detail,
	}), about)
}

// triggerStatus are the statuses of SNS triggers for EventBridge's states,
// and the trigger events that ask for them.
var triggerStatus = map[string]struct {
	status string
	events []cd.TriggerEventType
}{
	stateStart:   {"CREATED", []cd.TriggerEventType{cd.TriggerEventTypeDeploymentStart}},
	stateReady:   {"READY", []cd.TriggerEventType{cd.TriggerEventTypeDeploymentReady}},
	stateSuccess: {"SUCCEEDED", []cd.TriggerEventType{cd.TriggerEventTypeDeploymentSuccess}},
	stateFailure: {"FAILED", []cd.TriggerEventType{cd.TriggerEventTypeDeploymentFailure}},
	stateStop:    {"STOPPED", []cd.TriggerEventType{cd.TriggerEventTypeDeploymentStop}},
}

// fireTriggers publishes to the topics of the deployment group's triggers.
func (r *Region) fireTriggers(d *deployment, state string, about Delivery) {
	as := triggerStatus[state]
	wanted := as.events
	if d.creator == cd.DeploymentCreatorCodeDeployRollback && state == stateStart {
		wanted = append(slices.Clone(wanted), cd.TriggerEventTypeDeploymentRollback)
	}
	for _, t := range d.group.config.TriggerConfigurations {
		topic := r.topics[aws.ToString(t.TriggerTargetArn)]
		asked := slices.ContainsFunc(t.TriggerEvents, func(e cd.TriggerEventType) bool { return slices.Contains(wanted, e) })
		if topic == nil || !asked {
			continue
		}
		subject := as.status + ": AWS CodeDeploy " + d.id + " in " + Name + " to " + d.app
		r.publishToTopic(topic, subject, string(r.triggerMessage(d, aws.ToString(t.TriggerName), as.status)), about)
	}
}

// triggerMessage is a deployment trigger's message in the form that was seen:
// times as Java prints them, and three members that are strings holding JSON.
func (r *Region) triggerMessage(d *deployment, trigger, status string) []byte {
	const javaTime = "Mon Jan 02 15:04:05 MST 2006"
	var completed *string
	if d.completed != nil {
		completed = aws.String(d.completed.UTC().Format(javaTime))
	}
	o := d.overview()
	overview := encode(map[string]int64{"Succeeded": o.Succeeded, "Failed": o.Failed, "Skipped": o.Skipped, "InProgress": o.InProgress, "Pending": o.Pending, "Ready": o.Ready})
	errorInformation := []byte("{}")
	if d.failure != nil {
		errorInformation = encode(map[string]string{"ErrorCode": string(d.failure.Code), "ErrorMessage": aws.ToString(d.failure.Message)})
	}
	rollback := []byte("{}")
	if d.rollback != nil && d.rollback.RollbackTriggeringDeploymentId != nil {
		rollback = encode(map[string]string{
			"RollbackMessage":                aws.ToString(d.rollback.RollbackMessage),
			"RollbackTriggeringDeploymentId": *d.rollback.RollbackTriggeringDeploymentId,
		})
	}
	return encode(struct {
		Region              string  `json:"region"`
		AccountID           string  `json:"accountId"`
		EventTriggerName    string  `json:"eventTriggerName"`
		ApplicationName     string  `json:"applicationName"`
		DeploymentID        string  `json:"deploymentId"`
		DeploymentGroupName string  `json:"deploymentGroupName"`
		CreateTime          string  `json:"createTime"`
		CompleteTime        *string `json:"completeTime"`
		DeploymentOverview  string  `json:"deploymentOverview"`
		Status              string  `json:"status"`
		ErrorInformation    string  `json:"errorInformation"`
		RollbackInformation string  `json:"rollbackInformation"`
	}{
		Name, Account, trigger, d.app, d.id, d.groupName,
		d.created.UTC().Format(javaTime), completed, string(overview), status, string(errorInformation), string(rollback),
	})
}

// encode is JSON without Go's escaping of <, > and &, which AWS does not do.
func encode(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("region: " + err.Error())
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
