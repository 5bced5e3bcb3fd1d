// Package permissions is what the roles of the functions allow, as plain values:
// the constructs make IAM statements of it, and tests compare it with what the
// functions call. Every statement follows from the configuration.
package permissions

import (
	"slices"
	"strings"

	"deployhooks/infra/config"
)

// Statement is one statement of a role's policy, which allows.
type Statement struct {
	SID       string
	Actions   []string
	Resources []string
	// Condition is by operator and key; nil for none.
	Condition map[string]map[string]string
}

// Allow makes a statement.
func Allow(sid string, resources []string, actions ...string) Statement {
	slices.Sort(actions)
	return Statement{SID: sid, Actions: slices.Compact(actions), Resources: resources}
}

// under limits a statement to a condition.
func (s Statement) under(operator, key, value string) Statement {
	s.Condition = map[string]map[string]string{operator: {key: value}}
	return s
}

// tagged limits a statement to the Auto Scaling groups in scope, if a tag says
// which those are.
func (s Statement) tagged(tag config.Tag) Statement {
	if tag.Key == "" {
		return s
	}
	return s.under("StringEquals", "aws:ResourceTag/"+tag.Key, tag.Value)
}

// Location is where a function runs, and the ARNs of what it works with. In a
// template these are references.
type Location struct {
	Partition, Region, Account string
	// Table is the function's own.
	Table string
	// NoticeTopic gets every notification. AlarmTopic gets those that require
	// action as well; empty for none.
	NoticeTopic, AlarmTopic string
}

// everything is the resource of the actions that AWS offers no resource-level
// permission for. AWS's Service Authorization Reference lists them, and
// a test allows "*" for them alone.
func everything() []string { return []string{"*"} }

// arns are the ARNs of resources of the account, as the service writes them after
// the account.
func (l Location) arns(service string, resources ...string) []string {
	var all []string
	for _, r := range resources {
		all = append(all, strings.Join([]string{"arn", l.Partition, service, l.Region, l.Account, r}, ":"))
	}
	return all
}

// codeDeploy are resources of CodeDeploy applications by the names of these, all of
// them for no names.
func (l Location) codeDeploy(kind string, applications []string, below string) []string {
	if len(applications) == 0 {
		return l.arns("codedeploy", kind+":*")
	}
	var resources []string
	for _, name := range applications {
		resources = append(resources, kind+":"+name+below)
	}
	return l.arns("codedeploy", resources...)
}

func (l Location) deploymentGroups(applications []string) []string {
	return l.codeDeploy("deploymentgroup", applications, "/*")
}

func (l Location) autoScalingGroups() []string {
	return l.arns("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")
}

func (l Location) targetGroups() []string { return l.arns("elasticloadbalancing", "targetgroup/*") }

// notify is what notifications take, in both functions.
func (l Location) notify(cfg config.Hooks) []Statement {
	topics := []string{l.NoticeTopic}
	if l.AlarmTopic != "" {
		topics = append(topics, l.AlarmTopic)
	}
	return []Statement{
		Allow("NotifyOperators", topics, "sns:Publish"),
		Allow("PublishOutcomes", l.arns("events", "event-bus/"+cfg.EventBus), "events:PutEvents"),
	}
}
