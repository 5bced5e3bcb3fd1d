package deploymentgroup

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/fleet"
)

// Settings are what CodeDeploy keeps of a deployment group, beside its Auto Scaling
// groups and its tags. Lists are sorted.
type Settings struct {
	ServiceRole, DeploymentConfig string
	// Kind is the deployment's type, traffic control, and where the replacement comes from.
	Kind            [3]string
	ReadyAction     string // what follows when the replacement is ready
	BlueAction      string // what becomes of the original instances
	TerminationWait int32  // minutes
	TargetGroups    []string
	Alarms          []string // empty where they are disabled
	RollBackOn      []string // empty where automatic rollback is disabled
	Triggers        []Trigger
}

// Trigger is who is notified of a deployment group's deployments.
type Trigger struct{ Name, Topic, Events string }

// triggerName is the name of the trigger of [Properties.TriggerTopic].
const triggerName = "deployhooks"

// rollBackOn is when a deployment is rolled back: whenever it does not succeed.
func rollBackOn() []cd.AutoRollbackEvent {
	return []cd.AutoRollbackEvent{cd.AutoRollbackEventDeploymentFailure, cd.AutoRollbackEventDeploymentStopOnAlarm, cd.AutoRollbackEventDeploymentStopOnRequest}
}

// triggerEvents are the states of deployments that a repair reacts to.
func triggerEvents() []cd.TriggerEventType {
	return []cd.TriggerEventType{
		cd.TriggerEventTypeDeploymentStart, cd.TriggerEventTypeDeploymentReady, cd.TriggerEventTypeDeploymentSuccess,
		cd.TriggerEventTypeDeploymentFailure, cd.TriggerEventTypeDeploymentStop, cd.TriggerEventTypeDeploymentRollback,
	}
}

// info is what a template says in CodeDeploy's types. Alarms and triggers are given even
// where there are none, because what is left out of an update stays as it is.
func (p Properties) info() cd.DeploymentGroupInfo {
	info := cd.DeploymentGroupInfo{
		ServiceRoleArn: &p.ServiceRole, DeploymentConfigName: &p.DeploymentConfig,
		DeploymentStyle: &cd.DeploymentStyle{DeploymentType: cd.DeploymentTypeBlueGreen, DeploymentOption: cd.DeploymentOptionWithTrafficControl},
		BlueGreenDeploymentConfiguration: &cd.BlueGreenDeploymentConfiguration{
			GreenFleetProvisioningOption: &cd.GreenFleetProvisioningOption{Action: cd.GreenFleetProvisioningActionCopyAutoScalingGroup},
			DeploymentReadyOption:        &cd.DeploymentReadyOption{ActionOnTimeout: cd.DeploymentReadyActionContinueDeployment},
			TerminateBlueInstancesOnDeploymentSuccess: &cd.BlueInstanceTerminationOption{
				Action: cd.InstanceActionTerminate, TerminationWaitTimeInMinutes: p.TerminationWait,
			},
		},
		AutoRollbackConfiguration: &cd.AutoRollbackConfiguration{Enabled: true, Events: rollBackOn()},
		AlarmConfiguration:        &cd.AlarmConfiguration{Enabled: len(p.Alarms) > 0, Alarms: []cd.Alarm{}},
		TriggerConfigurations:     []cd.TriggerConfig{},
		LoadBalancerInfo:          &cd.LoadBalancerInfo{},
	}
	for _, arn := range p.TargetGroups {
		info.LoadBalancerInfo.TargetGroupInfoList = append(info.LoadBalancerInfo.TargetGroupInfoList, cd.TargetGroupInfo{Name: aws.String(fleet.TargetGroupName(arn))})
	}
	for _, name := range p.Alarms {
		info.AlarmConfiguration.Alarms = append(info.AlarmConfiguration.Alarms, cd.Alarm{Name: &name})
	}
	if p.TriggerTopic != "" {
		info.TriggerConfigurations = append(info.TriggerConfigurations, cd.TriggerConfig{TriggerName: aws.String(triggerName), TriggerTargetArn: &p.TriggerTopic, TriggerEvents: triggerEvents()})
	}
	return info
}

// settingsOf is what CodeDeploy says of a deployment group. It may leave out anything.
func settingsOf(info cd.DeploymentGroupInfo) Settings {
	s := Settings{ServiceRole: aws.ToString(info.ServiceRoleArn), DeploymentConfig: aws.ToString(info.DeploymentConfigName)}
	if style := info.DeploymentStyle; style != nil {
		s.Kind[0], s.Kind[1] = string(style.DeploymentType), string(style.DeploymentOption)
	}
	if b := info.BlueGreenDeploymentConfiguration; b != nil {
		if b.GreenFleetProvisioningOption != nil {
			s.Kind[2] = string(b.GreenFleetProvisioningOption.Action)
		}
		if b.DeploymentReadyOption != nil {
			s.ReadyAction = string(b.DeploymentReadyOption.ActionOnTimeout)
		}
		if end := b.TerminateBlueInstancesOnDeploymentSuccess; end != nil {
			s.BlueAction, s.TerminationWait = string(end.Action), end.TerminationWaitTimeInMinutes
		}
	}
	if lb := info.LoadBalancerInfo; lb != nil {
		for _, t := range lb.TargetGroupInfoList {
			s.TargetGroups = append(s.TargetGroups, aws.ToString(t.Name))
		}
	}
	if a := info.AlarmConfiguration; a != nil && a.Enabled {
		for _, alarm := range a.Alarms {
			s.Alarms = append(s.Alarms, aws.ToString(alarm.Name))
		}
	}
	if r := info.AutoRollbackConfiguration; r != nil && r.Enabled {
		s.RollBackOn = sortedTexts(r.Events)
	}
	for _, t := range info.TriggerConfigurations {
		events := ""
		for _, e := range sortedTexts(t.TriggerEvents) {
			events += e + " "
		}
		s.Triggers = append(s.Triggers, Trigger{aws.ToString(t.TriggerName), aws.ToString(t.TriggerTargetArn), events})
	}
	slices.Sort(s.TargetGroups)
	slices.Sort(s.Alarms)
	return s
}

func sortedTexts[T ~string](all []T) (texts []string) {
	for _, t := range all {
		texts = append(texts, string(t))
	}
	slices.Sort(texts)
	return texts
}
