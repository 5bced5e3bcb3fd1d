package constructs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsschedulertargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/pkg/backup"
)

// addMachine adds the state machine that calls the function until a run is over. Its inputs
// and results name snapshots and instances only, and even they are not logged.
func (b *Backups) addMachine() {
	definition, err := backup.Machine()
	if err != nil {
		fail("Backups", b, "Machine", err)
	}
	name := *awscdk.Names_UniqueResourceName(b, &awscdk.UniqueResourceNameOptions{Separator: jsii.String("-"), MaxLength: jsii.Number(70)})
	logs := awslogs.NewLogGroup(b, jsii.String("MachineLogs"), &awslogs.LogGroupProps{
		// Groups of this prefix share one resource policy ("Logging using CloudWatch Logs",
		// Step Functions developer guide).
		LogGroupName: jsii.String("/aws/vendedlogs/states/" + name), RemovalPolicy: awscdk.RemovalPolicy_DESTROY, Retention: awslogs.RetentionDays_INFINITE,
	})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(or(b.props.LogRetentionDays, 30)))
	function := b.Function.Function.FunctionArn()
	b.Machine = awsstepfunctions.NewStateMachine(b, jsii.String("Machine"), &awsstepfunctions.StateMachineProps{
		StateMachineName: &name, StateMachineType: awsstepfunctions.StateMachineType_STANDARD,
		// "Prevent cross-service confused deputy issue" (Step Functions developer guide).
		Role:                    awsiam.NewRole(b, jsii.String("MachineRole"), &awsiam.RoleProps{AssumedBy: onBehalfOf(b, "states", "stateMachine:"+name)}),
		DefinitionBody:          awsstepfunctions.DefinitionBody_FromString(jsii.String(string(definition))),
		DefinitionSubstitutions: &map[string]*string{"Partition": awscdk.Stack_Of(b).Partition(), backup.FunctionSubstitution: function},
		TracingEnabled:          jsii.Bool(true),
		Logs:                    &awsstepfunctions.LogOptions{Destination: logs, Level: awsstepfunctions.LogLevel_ERROR, IncludeExecutionData: jsii.Bool(false)},
	})
	b.Machine.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Reconcile"), Actions: jsii.Strings("lambda:InvokeFunction"), Resources: &[]*string{function},
	}))
}

// addSchedules starts a proof each ProofDays, and a sweep each quarter of an hour. Scheduler
// starts a rate at once: the age of the proof is measured from the first minutes on
// ("Schedule types", EventBridge Scheduler User Guide).
func (b *Backups) addSchedules() {
	const day = 24 * time.Hour
	for _, s := range []struct {
		action      backup.Action
		description string
		every       time.Duration
	}{
		{backup.Prove, "Proves the newest backup", time.Duration(or(b.props.ProofDays, 7)) * day},
		{backup.Sweep, "Measures the age of the proof, and removes what was left behind", sweepMinutes * time.Minute},
	} {
		input, err := json.Marshal(backup.Request{Action: s.action})
		if err != nil {
			fail("Backups", b, "Schedules", fmt.Errorf("encode a request: %w", err))
		}
		id := title(string(s.action))
		// See QueuedFunction.addSweep.
		role := awsiam.NewRole(b, jsii.String(id+"Role"), &awsiam.RoleProps{AssumedBy: onBehalfOf(b, "scheduler", "schedule-group/default")})
		awsscheduler.NewSchedule(b, &id, &awsscheduler.ScheduleProps{
			Description: b.in.named(s.description),
			Schedule:    awsscheduler.ScheduleExpression_Rate(duration(s.every.Seconds())),
			Target: awsschedulertargets.NewStepFunctionsStartExecution(b.Machine, &awsschedulertargets.ScheduleTargetBaseProps{
				Input: awsscheduler.ScheduleTargetInput_FromText(jsii.String(string(input))), RetryAttempts: jsii.Number(3), MaxEventAge: duration(min(s.every, day).Seconds()), Role: role,
			}),
		})
	}
}

// addAgeAlarm goes off when an age, in hours, is too high, and also when it is not measured
// for three hours: then nobody knows.
func (b *Backups) addAgeAlarm(id, metric string, hours float64, description string) {
	made := awscloudwatch.NewAlarm(b, &id, &awscloudwatch.AlarmProps{
		AlarmDescription: &description, Metric: b.measured(metric, awscdk.Duration_Hours(jsii.Number(1))), Threshold: &hours, EvaluationPeriods: jsii.Number(3),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD, TreatMissingData: awscloudwatch.TreatMissingData_BREACHING,
	})
	action := awscloudwatchactions.NewSnsAction(b.in.alarms)
	made.AddAlarmAction(action)
	made.AddOkAction(action)
}
