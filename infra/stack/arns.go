package stack

import (
	"strings"

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

// documents are SSM documents by name or ARN. Amazon's own belong to no
// account; nobody else's name may begin as theirs do (Systems Manager API
// reference, CreateDocument).
func (a arns) documents(namesAndARNs []string) []*string {
	var out []*string
	for _, s := range namesAndARNs {
		lower := strings.ToLower(s)
		switch {
		case strings.HasPrefix(s, "arn:"):
			out = append(out, jsii.String(s))
		case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "amazon"), strings.HasPrefix(lower, "amzn"):
			out = append(out, awscdk.Fn_Join(jsii.String(":"), &[]*string{
				jsii.String("arn"), a.stack.Partition(), jsii.String("ssm"), a.stack.Region(), jsii.String(""), jsii.String("document/" + s),
			}))
		default:
			out = append(out, a.of("ssm", "document/"+s))
		}
	}
	return out
}
