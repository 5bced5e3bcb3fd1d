package region

import (
	"cmp"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// need is one action on one resource that a caller must be allowed. Resources,
// condition keys and dependent actions are those of the Service Authorization
// Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/)
// unless said otherwise.
type need struct {
	action   string
	resource string              // "*" for an action without resource-level permissions
	keys     map[string][]string // condition keys, in lower case, but those of every request
}

// with is the need with keys of its own, one for each tag of the resource under
// each prefix.
func (n need) with(tags map[string]string, prefixes ...string) need {
	n.keys = map[string][]string{}
	for key, value := range tags {
		for _, prefix := range prefixes {
			n.keys[prefix+strings.ToLower(key)] = []string{value}
		}
	}
	return n
}

// on is the same need of each of several resources.
func (n need) on(resources ...string) []need {
	all := make([]need, len(resources))
	for i, resource := range resources {
		n.resource = resource
		all[i] = n
	}
	return all
}

// sameAction are the operations that have no action of their own, but that of
// another operation.
var sameAction = map[string]string{
	"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage",
	"ChangeMessageVisibilityBatch": "ChangeMessageVisibility", "PublishBatch": "Publish",
}

// needs is what a caller of c must be allowed; ok is false where the region
// does not know.
func (r *Region) needs(c Call) (all []need, ok bool) {
	if same := sameAction[c.Operation]; same != "" {
		c.Operation = same
	}
	n := need{action: Action(c)}
	in := input{reflect.ValueOf(c.Input).Elem()}
	describes := strings.HasPrefix(c.Operation, "Describe")
	switch c.Service {
	case autoscaling.ServiceID:
		if describes {
			return n.on("*"), true
		}
		all = r.autoScalingNeeds(n, in)
	case elasticloadbalancingv2.ServiceID, elasticloadbalancing.ServiceID:
		if describes {
			return n.on("*"), true
		}
		all = elbNeeds(n, in)
	case ec2ServiceID:
		if describes {
			return n.on("*"), true
		}
	case codedeploy.ServiceID:
		return r.codeDeployNeeds(n, c.Operation, in)
	case ssm.ServiceID:
		all = r.ssmNeeds(n, c.Operation, in)
	case sns.ServiceID:
		all = n.on(cmp.Or(in.text("TopicArn"), in.text("TargetArn")))
	case sqs.ServiceID:
		url := in.text("QueueUrl")
		all = n.on(arn("sqs", cmp.Or(url[strings.LastIndex(url, "/")+1:], in.text("QueueName"))))
	case eventbridge.ServiceID:
		return putEventsNeeds(n, c.Input), true
	case dynamodb.ServiceID:
		return dynamoNeeds(n, c.Input, in), true
	case rds.ServiceID:
		return r.rdsNeeds(n, c.Input, in), true
	case sfn.ServiceID:
		return stepFunctionsNeeds(n, in), true
	}
	return all, len(all) > 0
}

// autoScalingNeeds: everything but Describe is about groups, named directly, by
// an instance, or by tags.
func (r *Region) autoScalingNeeds(n need, in input) []need {
	names := in.texts("AutoScalingGroupName")
	if len(names) == 0 {
		if i := r.instances[in.text("InstanceId")]; i != nil && i.group != nil {
			names = []string{aws.ToString(i.group.config.AutoScalingGroupName)}
		}
	}
	requested := map[string]string{}
	if tags, ok := in.value("Tags").([]asg.Tag); ok {
		for _, t := range tags {
			if t.ResourceId != nil {
				names = append(names, *t.ResourceId)
			}
			requested[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	if len(names) == 0 { // about an instance that is in no group: refused by the service (assumed)
		names = []string{"*"}
	}
	var all []need
	for _, name := range names {
		// A group that does not exist has no identifier (observed).
		n.resource = arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+name)
		tags := map[string]string{}
		if g := r.groups[name]; g != nil {
			n.resource = aws.ToString(g.config.AutoScalingGroupARN)
			for key, t := range g.tags {
				tags[key] = aws.ToString(t.Value)
			}
		}
		of := n.with(tags, "aws:resourcetag/", "autoscaling:resourcetag/")
		for key, value := range requested {
			of.keys["aws:tagkeys"] = append(of.keys["aws:tagkeys"], key)
			of.keys["aws:requesttag/"+strings.ToLower(key)] = []string{value}
		}
		all = append(all, of)
	}
	if sources, ok := in.value("TrafficSources").([]asg.TrafficSourceIdentifier); ok && len(all) > 0 {
		all = trafficSourceNeeds(all, sources)
	}
	if role := in.text("RoleARN"); role != "" {
		all = append(all, passRole(role, "autoscaling.amazonaws.com"))
	}
	// "Control Amazon EC2 launch template usage in Auto Scaling groups" (Amazon EC2 Auto
	// Scaling User Guide). It is authorised on all that an instance is made of; one resource
	// stands for them.
	if t, ok := in.value("LaunchTemplate").(*asg.LaunchTemplateSpecification); ok && t != nil {
		launch := need{action: "ec2:RunInstances", resource: arn("ec2", "instance/*")}.with(nil)
		launch.keys["ec2:launchtemplate"] = []string{arn("ec2", "launch-template/"+aws.ToString(t.LaunchTemplateId))}
		all = append(all, launch)
	}
	return all
}

// passRole is what a caller needs who gives a service a role.
func passRole(role, service string) need {
	pass := need{action: "iam:PassRole", resource: role}.with(nil)
	pass.keys["iam:passedtoservice"] = []string{service}
	return pass
}

// trafficSourceNeeds adds what attaching and detaching VPC Lattice target
// groups takes besides: vpc-lattice:RegisterTargets and
// vpc-lattice:DeregisterTargets (Auto Scaling user guide, "Amazon EC2 Auto
// Scaling API permissions").
func trafficSourceNeeds(all []need, sources []asg.TrafficSourceIdentifier) []need {
	attach := strings.HasSuffix(all[0].action, ":AttachTrafficSources")
	for _, s := range sources {
		id := aws.ToString(s.Identifier)
		all[0].keys["autoscaling:trafficsourceidentifiers"] = append(all[0].keys["autoscaling:trafficsourceidentifiers"], id)
		if aws.ToString(s.Type) != sourceLattice && !strings.Contains(id, ":vpc-lattice:") {
			continue
		}
		action := "vpc-lattice:DeregisterTargets"
		if attach {
			action = "vpc-lattice:RegisterTargets"
		}
		all = append(all, need{action: action}.on(id)...)
	}
	return all
}

func elbNeeds(n need, in input) []need {
	if name := in.text("LoadBalancerName"); name != "" {
		return n.on(arn("elasticloadbalancing", "loadbalancer/"+name))
	}
	if name := in.text("Name"); name != "" {
		return n.on(arn("elasticloadbalancing", "targetgroup/"+name+"/*"))
	}
	return n.on(in.texts("TargetGroupArn")...)
}

// codeDeployNeeds: what is about a deployment is about its deployment group
// ("CodeDeploy permissions reference"). A deployment that does not exist is
// nobody's, and answered as such (assumed).
func (r *Region) codeDeployNeeds(n need, operation string, in input) ([]need, bool) {
	application := in.text("ApplicationName")
	if operation == "ListApplications" {
		return n.on("*"), true
	}
	if resource := in.text("ResourceArn"); resource != "" {
		return n.on(resource), true
	}
	ids := append(in.texts("DeploymentId"), in.texts("DeploymentIds")...)
	var resources []string
	for _, id := range ids {
		if d := r.deployments[id]; d != nil {
			resources = append(resources, arn("codedeploy", "deploymentgroup:"+d.app+"/"+d.groupName))
		}
	}
	if len(ids) > 0 {
		return n.on(resources...), true
	}
	groups := append(in.texts("DeploymentGroupName"), in.texts("DeploymentGroupNames")...)
	groups = append(groups, in.texts("CurrentDeploymentGroupName")...)
	for _, group := range groups {
		resources = append(resources, arn("codedeploy", "deploymentgroup:"+application+"/"+group))
	}
	switch {
	case len(groups) > 0:
	case operation == "ListDeployments":
		resources = []string{arn("codedeploy", "deploymentgroup:"+cmp.Or(application, "*")+"/*")}
	case application != "":
		resources = []string{arn("codedeploy", "application:"+application)}
	}
	all := n.on(resources...)
	// "CodeDeploy permissions reference" (CodeDeploy user guide).
	if role := in.text("ServiceRoleArn"); role != "" {
		all = append(all, passRole(role, "codedeploy.amazonaws.com"))
	}
	return all, len(all) > 0
}

// ssmNeeds: SendCommand is authorised on the document, and on each instance.
// Amazon's own documents belong to no account.
func (r *Region) ssmNeeds(n need, operation string, in input) []need {
	switch operation {
	case "ListCommands", "ListCommandInvocations", "GetCommandInvocation", "DescribeInstanceInformation":
		return n.on("*")
	case "SendCommand":
		return r.sendCommandNeeds(n, in)
	}
	var resources []string
	for _, name := range append(append(in.texts("Name"), in.texts("Names")...), in.texts("Path")...) {
		resources = append(resources, arn("ssm", "parameter/"+strings.TrimPrefix(name, "/")))
	}
	return n.on(resources...)
}

func (r *Region) sendCommandNeeds(n need, in input) []need {
	document := in.text("DocumentName")
	switch {
	case strings.HasPrefix(document, "arn:"):
	case strings.HasPrefix(document, "AWS-"), strings.HasPrefix(document, "Amazon"):
		document = "arn:aws:ssm:" + Name + "::document/" + document
	default:
		document = arn("ssm", "document/"+document)
	}
	all := n.on(document)
	for _, id := range in.texts("InstanceIds") {
		n.resource = arn("ec2", "instance/"+id)
		all = append(all, n.with(r.instanceTags(id), "aws:resourcetag/", "ssm:resourcetag/"))
	}
	return all
}

// instanceTags are the tags that Auto Scaling gives its instances (user guide,
// "Tag Auto Scaling groups and instances").
func (r *Region) instanceTags(id string) map[string]string {
	i := r.instances[id]
	if i == nil || i.group == nil {
		return nil
	}
	tags := map[string]string{"aws:autoscaling:groupName": aws.ToString(i.group.config.AutoScalingGroupName)}
	for key, t := range i.group.tags {
		if deref(t.PropagateAtLaunch) {
			tags[key] = aws.ToString(t.Value)
		}
	}
	return tags
}

// input reads fields of an SDK input by name.
type input struct{ reflect.Value }

func (in input) value(field string) any {
	if v := in.FieldByName(field); v.IsValid() {
		return v.Interface()
	}
	return nil
}

// texts are the values of a field that is a string or a list of strings; none
// of one that is not there or not set.
func (in input) texts(field string) []string {
	switch v := in.value(field).(type) {
	case *string:
		if v != nil {
			return []string{*v}
		}
	case []string:
		return v
	}
	return nil
}

func (in input) text(field string) string {
	if all := in.texts(field); len(all) > 0 {
		return all[0]
	}
	return ""
}
