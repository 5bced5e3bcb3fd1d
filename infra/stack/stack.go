// Package stack is what the stacks of the infra program have in common.
package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// New adds a stack. Without a place, one template can be deployed anywhere.
func New(scope constructs.Construct, id *string, in *awscdk.Environment, description string) awscdk.Stack {
	return awscdk.NewStack(scope, id, &awscdk.StackProps{
		Description: &description, Env: in,
		Tags: &map[string]*string{"project": jsii.String("deployhooks")},
	})
}

// Output is a value that a stack shows people and scripts.
type Output struct {
	ID          string
	Value       *string
	Description string
}

// AddOutputs adds outputs to a stack.
func AddOutputs(to awscdk.Stack, outputs ...Output) {
	for _, o := range outputs {
		awscdk.NewCfnOutput(to, &o.ID, &awscdk.CfnOutputProps{Value: o.Value, Description: &o.Description})
	}
}
