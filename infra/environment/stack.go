// Package environment is the stack of an environment, the construct Environment with outputs
// for people and scripts. It is deployed with the setting deployhooks:environment.
package environment

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	deployhooks "deployhooks/infra/constructs"
	"deployhooks/infra/environment/spec"
	"deployhooks/infra/stack"
)

// Place is where an environment is. Without an account, it is that of the credentials.
func Place(e *spec.Environment) *awscdk.Environment {
	place := &awscdk.Environment{Region: &e.Region}
	if e.Account != "" {
		place.Account = &e.Account
	}
	return place
}

// NewStack adds the stack of an environment.
func NewStack(scope constructs.Construct, id *string, props *deployhooks.EnvironmentProps) *deployhooks.Environment {
	s := stack.New(scope, id, Place(props.Spec), "What the services of "+props.Spec.Name+" run on")
	// The CDK leaves the id Default out of logical IDs.
	e := deployhooks.NewEnvironment(s, jsii.String("Default"), props)
	stack.AddOutputs(s,
		stack.Output{ID: config.LoadBalancerOutput, Value: e.LoadBalancer.LoadBalancerDnsName(), Description: "Name of the load balancer, which the hosts' records point to"},
		stack.Output{ID: config.VpcOutput, Value: e.Vpc.VpcId(), Description: "The network"},
		stack.Output{ID: config.RevisionsOutput, Value: e.Revisions.BucketName(), Description: "Bucket that revisions are deployed from, below <application>/; it outlives the stack"},
		stack.Output{ID: config.DeploymentGroupFunctionOutput, Value: e.Provider.Function.Function.FunctionName(), Description: "Function behind the deployment groups"},
		stack.Output{ID: config.DeploymentGroupDeadLetterOutput, Value: e.Provider.Function.DeadLetters.QueueUrl(), Description: "Queue of the requests that it could not process"},
		stack.Output{ID: config.DashboardOutput, Value: e.Dashboard.DashboardName(), Description: "CloudWatch dashboard"},
	)
	if e.Database != nil {
		stack.AddOutputs(s,
			stack.Output{ID: config.DatabaseHostOutput, Value: e.Database.DbInstanceEndpointAddress(), Description: "Host name of the database, inside the network"},
			stack.Output{ID: config.DatabaseSecretOutput, Value: e.Database.Secret().SecretArn(), Description: "Secret with the database's user and password"},
			stack.Output{ID: config.BackupMachineOutput, Value: e.Backups.Machine.StateMachineArn(), Description: "State machine that proves backups, and fills the environment"},
			stack.Output{ID: config.BackupFunctionOutput, Value: e.Backups.Function.Function.FunctionName(), Description: "Function that its steps call, for aws lambda invoke"},
		)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Services)) {
		service := e.Services[name]
		stack.AddOutputs(s,
			stack.Output{ID: ServiceOutput(name, config.ApplicationOutput), Value: service.Application.Ref(), Description: "CodeDeploy application of " + name + "; its deployment group has the same name"},
			stack.Output{ID: ServiceOutput(name, config.ImagesOutput), Value: e.Repositories[name].RepositoryUri(), Description: "Image registry of " + name + "; it outlives the stack"},
		)
	}
	return e
}

// ServiceOutput is the name of an output of a service.
func ServiceOutput(service, output string) string {
	return spec.InOutputs(service) + output
}
