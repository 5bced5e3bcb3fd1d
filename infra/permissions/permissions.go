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

// arn is the ARN of a resource of the account, as the service writes it after the
// account.
func (l Location) arn(service, resource string) string {
	return strings.Join([]string{"arn", l.Partition, service, l.Region, l.Account, resource}, ":")
}

// applications are CodeDeploy applications, all of them for no names.
func (l Location) applications(names []string) []string {
	if len(names) == 0 {
		return []string{l.arn("codedeploy", "application:*")}
	}
	var out []string
	for _, name := range names {
		out = append(out, l.arn("codedeploy", "application:"+name))
	}
	return out
}

// deploymentGroups are all deployment groups of CodeDeploy applications.
func (l Location) deploymentGroups(applications []string) []string {
	if len(applications) == 0 {
		return []string{l.arn("codedeploy", "deploymentgroup:*")}
	}
	var out []string
	for _, name := range applications {
		out = append(out, l.arn("codedeploy", "deploymentgroup:"+name+"/*"))
	}
	return out
}

func (l Location) autoScalingGroups() []string {
	return []string{l.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")}
}

func (l Location) targetGroups() []string {
	return []string{l.arn("elasticloadbalancing", "targetgroup/*")}
}

// documents are SSM documents by name or ARN. Amazon's own belong to no account;
// nobody else's name may begin as theirs do (Systems Manager API reference,
// CreateDocument).
func (l Location) documents(namesAndARNs []string) []string {
	var out []string
	for _, s := range namesAndARNs {
		lower := strings.ToLower(s)
		switch {
		case strings.HasPrefix(s, "arn:"):
			out = append(out, s)
		case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "amazon"), strings.HasPrefix(lower, "amzn"):
			out = append(out, strings.Join([]string{"arn", l.Partition, "ssm", l.Region, "", "document/" + s}, ":"))
		default:
			out = append(out, l.arn("ssm", "document/"+s))
		}
	}
	return out
}

// notify is what notifications take, in both functions.
func (l Location) notify(cfg config.Hooks) []Statement {
	topics := []string{l.NoticeTopic}
	if l.AlarmTopic != "" {
		topics = append(topics, l.AlarmTopic)
	}
	return []Statement{{
		SID: "NotifyOperators", Actions: []string{"sns:Publish"}, Resources: topics,
	}, {
		SID: "PublishOutcomes", Actions: []string{"events:PutEvents"}, Resources: []string{l.arn("events", "event-bus/"+cfg.EventBus)},
	}}
}

// tagged limits a statement to the Auto Scaling groups in scope, if a tag says
// which those are.
func tagged(s Statement, tag config.Tag) Statement {
	if tag.Key != "" {
		s.Condition = map[string]map[string]string{"StringEquals": {"aws:ResourceTag/" + tag.Key: tag.Value}}
	}
	return s
}

func sorted(actions ...string) []string {
	slices.Sort(actions)
	return slices.Compact(actions)
}
