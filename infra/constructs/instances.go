package constructs

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/environment/spec"
)

var targetGroupName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// VariablesFile is where instances find their variables.
const VariablesFile = "/etc/deployhooks/environment"

// addRole adds the role of the instances: what the agents of Systems Manager and
// CodeDeploy need, and what belongs to the service.
func (s *BlueGreenService) addRole() {
	s.Role = awsiam.NewRole(s, jsii.String("Role"), &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil)})
	allow := func(sid string, resources *[]*string, actions ...string) {
		s.Role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Sid: &sid, Actions: jsii.Strings(actions...), Resources: resources}))
	}
	// Run Command and Session Manager without AmazonSSMManagedInstanceCore, which also
	// reads every parameter ("Create a custom IAM role for Session Manager" and
	// "ec2messages, ssmmessages, and other API operations", Systems Manager user guide).
	// None has resource-level permissions.
	allow("BeManagedBySystemsManager", jsii.Strings("*"), "ssm:UpdateInstanceInformation",
		"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		"ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply")
	allow("ReadOwnRevisions", jsii.Strings(*s.props.Revisions.ArnForObjects(jsii.String(*s.RevisionPrefix() + "*"))), "s3:GetObject", "s3:GetObjectVersion")
	allow("WriteOwnLogs", jsii.Strings(*s.LogGroup.LogGroupArn()), "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
	if s.props.Repository != nil {
		s.props.Repository.GrantPull(s.Role)
	}
}

// addTemplate adds what instances are launched from. Each change is another version.
func (s *BlueGreenService) addTemplate() {
	p := s.props
	image := p.Image
	if image == nil {
		image = jsii.String(spec.AmazonLinux(*p.InstanceType))
	}
	s.template = awsec2.NewLaunchTemplate(s, jsii.String("Template"), &awsec2.LaunchTemplateProps{
		InstanceType:  awsec2.NewInstanceType(p.InstanceType),
		MachineImage:  awsec2.MachineImage_FromSsmParameter(image, nil),
		RequireImdsv2: jsii.Bool(true), HttpPutResponseHopLimit: jsii.Number(2), // 2 so that containers reach it
		Role: s.Role, SecurityGroup: s.SecurityGroup, DetailedMonitoring: jsii.Bool(true), // so that scaling sees each minute
		UserData: s.userData(),
		BlockDevices: &[]*awsec2.BlockDevice{{
			DeviceName: jsii.String("/dev/xvda"),
			Volume: awsec2.BlockDeviceVolume_Ebs(jsii.Number(or(p.VolumeGiB, 20)), &awsec2.EbsDeviceOptions{
				VolumeType: awsec2.EbsDeviceVolumeType_GP3, Encrypted: jsii.Bool(true), DeleteOnTermination: jsii.Bool(true),
			}),
		}},
	})
}

// userData installs CodeDeploy's agent ("Install the CodeDeploy agent for Amazon Linux",
// CodeDeploy user guide). What the service itself needs is installed by its revision.
func (s *BlueGreenService) userData() awsec2.UserData {
	variables := map[string]*string{"SERVICE": s.props.Name, "LOG_GROUP": s.LogGroup.LogGroupName()}
	maps.Copy(variables, or(s.props.Variables, nil))
	var lines []string
	for _, name := range sortedKeys(variables) {
		lines = append(lines, name+"="+*variables[name])
	}
	stack := awscdk.Stack_Of(s)
	region, suffix := *stack.Region(), *stack.UrlSuffix()
	data := awsec2.UserData_ForLinux(nil)
	data.AddCommands(*jsii.Strings(
		"set -euo pipefail",
		"mkdir -p /etc/deployhooks",
		"cat > "+VariablesFile+" <<'END'\n"+strings.Join(lines, "\n")+"\nEND",
		"dnf install -y ruby",
		"curl -fsSL --retry 5 --retry-all-errors -o /root/install-codedeploy https://aws-codedeploy-"+region+".s3."+region+"."+suffix+"/latest/install",
		"chmod +x /root/install-codedeploy",
		"/root/install-codedeploy auto",
		"systemctl enable --now codedeploy-agent",
	)...)
	return data
}

// newServiceRole makes the role that CodeDeploy assumes for this deployment group: AWS's
// own policy for it, which follows what CodeDeploy does, and what it needs for groups with
// a launch template ("Create a service role for CodeDeploy" and "Cross-service confused
// deputy prevention", CodeDeploy user guide), for this template and these instances' role
// only ("Control Amazon EC2 launch template usage in Auto Scaling groups", Auto Scaling
// user guide).
func (s *BlueGreenService) newServiceRole() awsiam.Role {
	stack := awscdk.Stack_Of(s)
	arn := func(service, resource string) string {
		return "arn:" + *stack.Partition() + ":" + service + ":" + *stack.Region() + ":" + *stack.Account() + ":" + resource
	}
	role := awsiam.NewRole(s, jsii.String("ServiceRole"), &awsiam.RoleProps{
		AssumedBy:       onBehalfOf(s, "codedeploy", "deploymentgroup:"+*s.props.Name+"/"+*s.props.Name),
		ManagedPolicies: &[]awsiam.IManagedPolicy{awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AWSCodeDeployRole"))},
	})
	allow := func(sid, action, resource, operator, key, value string) {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: &sid, Actions: jsii.Strings(action), Resources: jsii.Strings(resource),
			Conditions: &map[string]any{operator: map[string]any{key: value}},
		}))
	}
	allow("LaunchReplacements", "ec2:RunInstances", "*", "ArnEquals", "ec2:LaunchTemplate", arn("ec2", "launch-template/"+*s.template.LaunchTemplateId()))
	allow("TagReplacements", "ec2:CreateTags", arn("ec2", "*/*"), "StringEquals", "ec2:CreateAction", "RunInstances")
	allow("PassInstanceRole", "iam:PassRole", *s.Role.RoleArn(), "StringEquals", "iam:PassedToService", "ec2.amazonaws.com")
	return role
}

func sortedKeys(m map[string]*string) []string { return slices.Sorted(maps.Keys(m)) }

// anything is a list of strings where jsii takes a list of any.
func anything(list []*string) *[]any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return &all
}
