package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// arns writes ARNs of the account, region and partition that a stack is
// deployed to.
type arns struct{ stack awscdk.Stack }

// of is the ARN of a resource as the service writes it after the account.
func (a arns) of(service, resource string) *string {
	return awscdk.Fn_Join(jsii.String(":"), &[]*string{
		jsii.String("arn"), a.stack.Partition(), jsii.String(service), a.stack.Region(), a.stack.Account(), jsii.String(resource),
	})
}

// applications are CodeDeploy applications, all of them for no names.
func (a arns) applications(names []string) []*string {
	if len(names) == 0 {
		return []*string{a.of("codedeploy", "application:*")}
	}
	var out []*string
	for _, name := range names {
		out = append(out, a.of("codedeploy", "application:"+name))
	}
	return out
}

// deploymentGroups are all deployment groups of CodeDeploy applications.
func (a arns) deploymentGroups(applications []string) []*string {
	if len(applications) == 0 {
		return []*string{a.of("codedeploy", "deploymentgroup:*")}
	}
	var out []*string
	for _, name := range applications {
		out = append(out, a.of("codedeploy", "deploymentgroup:"+name+"/*"))
	}
	return out
}
