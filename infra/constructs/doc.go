// Package constructs is for CDK applications, this project's own among them.
//
//   - [DeploymentHooks] is everything that the hooks stack has: both functions with
//     their queues, tables, topics, alarms and dashboard.
//   - [Tenants] is everything that the tenants stack has, made of a blueprint: topic,
//     intake, registry, bucket, state machines and workers.
//   - [DrainHook] puts the lifecycle hook on an Auto Scaling group that the drain
//     function completes.
//   - [Backups] proves the backups of a database, and fills it from those of another.
//   - [Central] collects the outcomes of many accounts, which [ForwardOutcomes] sends there.
//   - [Environment] is everything that an environment file describes except the hooks. It
//     has a [BlueGreenService] for each service, which can also be used alone.
//   - [BlueGreenDeploymentGroup] is a CodeDeploy deployment group that copies its Auto
//     Scaling group: a custom resource, provided by a [DeploymentGroupFunction].
//   - [QueuedFunction] is what repair, drain and intake are: a Lambda function with a
//     queue in front and all that operating it takes. [LambdaFunction] is the same
//     without a queue.
//
// A constructor panics with a [PropertyError], as constructors of the CDK do, when a
// property can never work.
package constructs

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// PropertyError is what a constructor panics with. Its message begins with the
// construct's type and path, and names the property.
type PropertyError struct{ error }

// validation collects what is wrong with the properties of a construct.
type validation struct{ faults []error }

// require notes a fault of a property unless ok.
func (v *validation) require(ok bool, property, format string, args ...any) {
	if !ok {
		v.faults = append(v.faults, fmt.Errorf("%s: %s", property, fmt.Sprintf(format, args...)))
	}
}

// enforce panics if anything was noted, as the CDK's own constructs do.
func (v *validation) enforce(construct string, scope constructs.Construct, id *string) {
	if len(v.faults) == 0 {
		return
	}
	panic(PropertyError{fmt.Errorf("%s %s/%s: %w", construct, *scope.Node().Path(), *id, errors.Join(v.faults...))})
}

// fail panics for a property whose fault shows only while the construct is made.
func fail(construct string, c constructs.Construct, property string, err error) {
	panic(PropertyError{fmt.Errorf("%s %s: %s: %w", construct, *c.Node().Path(), property, err)})
}

// or is the value of an optional property.
func or[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

// inSeconds is the value of an optional duration.
func inSeconds(d awscdk.Duration, otherwise float64) float64 {
	if d == nil {
		return otherwise
	}
	return *d.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
}

func duration(seconds float64) awscdk.Duration {
	return awscdk.Duration_Seconds(&seconds)
}

// between adds the check of a number's range.
func (v *validation) between(value float64, property, unit string, least, most float64) {
	v.require(value >= least && value <= most && value == float64(int(value)), property, "%v%s, and a whole number from %v to %v is needed", value, unit, least, most)
}
