package constructs

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

// title is a word as construct IDs begin with.
func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// addWorkers adds a function for each privilege class, all of one program.
func (t *Tenants) addWorkers() {
	cfg := t.in.cfg
	for _, class := range t.classes() {
		location := t.tenantLocation()
		environment := map[string]*string{
			"CLASS": jsii.String(string(class)), "TABLE": t.Registry.TableName(), "BUCKET": t.Bucket.BucketName(), "BUCKET_ARN": t.Bucket.BucketArn(),
		}
		if class == step.Control {
			environment["MANUAL_MACHINE"] = jsii.String(location.Machine(location.ManualMachine))
			environment["TOPIC_ARN"], environment["ALARM_TOPIC_ARN"], environment["EVENT_BUS"] = &location.NoticeTopic, &location.AlarmTopic, &cfg.EventBus
		}
		props := &LambdaFunctionProps{
			Code:             t.in.program("step"),
			Description:      t.in.named("Runs the steps of class " + string(class) + " of tenants' workflows"),
			Architecture:     t.in.architecture(),
			MemorySize:       jsii.Number(512),
			Timeout:          awscdk.Duration_Minutes(jsii.Number(15)), // Lambda's limit; each step has its own
			Environment:      &environment,
			LogLevel:         &cfg.LogLevel,
			LogRetentionDays: jsii.Number(cfg.LogRetentionDays),
			AlarmTopic:       t.in.alarms,
		}
		switch {
		case class != step.Database:
		case t.subnets != nil:
			props.SubnetIds, props.SecurityGroupIds = t.subnets, t.securityGroups
		case len(cfg.Tenants.DatabaseSubnets) > 0:
			props.SubnetIds, props.SecurityGroupIds = jsii.Strings(cfg.Tenants.DatabaseSubnets...), jsii.Strings(cfg.Tenants.DatabaseSecurityGroups...)
		}
		worker := NewLambdaFunction(t, jsii.String(title(string(class))), props)
		worker.allow(permissions.Worker(cfg, location, class, t.stepPermissions(class))...)
		t.Workers[class] = worker
	}
}

// addMachines adds the state machines. Of those that a blueprint defines, a version is
// kept for each definition: an operation ends with the one it began with.
func (t *Tenants) addMachines() {
	converge, err := workflow.Converge(t.Blueprint)
	t.must(err)
	remove, err := workflow.Remove(t.Blueprint)
	t.must(err)
	manual, err := workflow.Manual()
	t.must(err)
	t.Converge = t.addMachine("Converge", converge)
	t.Remove = t.addMachine("Remove", remove)
	t.Manual = t.addMachine("Manual", manual)
	t.addVersion("Converge", t.Converge)
	t.addVersion("Remove", t.Remove)
	t.addMachineAlarms()
}

// addMachineAlarms adds what operators must know of executions.
func (t *Tenants) addMachineAlarms() {
	sum := &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(5)), Statistic: jsii.String("Sum")}
	const held = "An operation is held: a step has failed, and its retries are used up. The notification names the step and the remedy; " +
		`invoke intake with {"action":"tenant","tenant":"…"} for more, then retry or abandon.`
	const lost = "An execution was aborted or has timed out before its last state. Intake holds its operation; look at the execution in the Step Functions console, then retry."
	for id, m := range map[string]awsstepfunctions.StateMachine{"Converge": t.Converge, "Remove": t.Remove} {
		addAlarm(t, alarm{id: id + "HeldAlarm", description: held, metric: m.MetricFailed(sum), threshold: 1}, t.in.alarms)
		addAlarm(t, alarm{id: id + "AbortedAlarm", description: lost, metric: m.MetricAborted(sum), threshold: 1}, t.in.alarms)
		addAlarm(t, alarm{id: id + "TimedOutAlarm", description: lost, metric: m.MetricTimedOut(sum), threshold: 1}, t.in.alarms)
	}
	addAlarm(t, alarm{
		id: "ManualFailedAlarm", description: "An execution that reminds people of a manual task has failed: nobody is reminded any more. " +
			`The task is still open; invoke intake with {"action":"tenant","tenant":"…"} to see it.`,
		metric: t.Manual.MetricFailed(sum), threshold: 1,
	}, t.in.alarms)
}

// must panics with a [PropertyError] for a blueprint that no state machine can be made of.
func (t *Tenants) must(err error) {
	if err != nil {
		fail("Tenants", t, "Configuration", fmt.Errorf("context key %sblueprint: %q: %w", config.Prefix, t.in.cfg.Tenants.Blueprint, err))
	}
}

func (t *Tenants) addMachine(id string, definition []byte) awsstepfunctions.StateMachine {
	substitutions := map[string]*string{"Partition": awscdk.Stack_Of(t).Partition()}
	for class, worker := range t.Workers {
		if strings.Contains(string(definition), "${"+workflow.Substitution(class)+"}") {
			substitutions[workflow.Substitution(class)] = worker.Function.FunctionArn()
		}
	}
	// Inputs and outputs are identifiers only, and even they are not logged. Groups of
	// this prefix share one resource policy ("Logging using CloudWatch Logs", Step
	// Functions developer guide).
	logs := awslogs.NewLogGroup(t, jsii.String(id+"Logs"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/aws/vendedlogs/states/" + t.machineName(id)),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY, Retention: awslogs.RetentionDays_INFINITE,
	})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(t.in.cfg.LogRetentionDays))
	machine := awsstepfunctions.NewStateMachine(t, &id, &awsstepfunctions.StateMachineProps{
		// "Prevent cross-service confused deputy issue" (Step Functions developer guide).
		Role: awsiam.NewRole(t, jsii.String(id+"Role"), &awsiam.RoleProps{
			AssumedBy: onBehalfOf(t, "states", "stateMachine:"+t.machineName(id)),
		}),
		StateMachineName:        jsii.String(t.machineName(id)),
		StateMachineType:        awsstepfunctions.StateMachineType_STANDARD,
		DefinitionBody:          awsstepfunctions.DefinitionBody_FromString(jsii.String(string(definition))),
		DefinitionSubstitutions: &substitutions,
		TracingEnabled:          jsii.Bool(true),
		Logs:                    &awsstepfunctions.LogOptions{Destination: logs, Level: awsstepfunctions.LogLevel_ERROR, IncludeExecutionData: jsii.Bool(false)},
	})
	var workers []*string // in one order, so that the template stays the same
	for _, class := range t.classes() {
		if arn := substitutions[workflow.Substitution(class)]; arn != nil {
			workers = append(workers, arn)
		}
	}
	machine.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("RunSteps"), Actions: jsii.Strings("lambda:InvokeFunction"), Resources: &workers,
	}))
	return machine
}

// addVersion publishes a version of a state machine, which stays when the next
// replaces it.
func (t *Tenants) addVersion(id string, machine awsstepfunctions.StateMachine) {
	version := awsstepfunctions.NewCfnStateMachineVersion(t, jsii.String(id+"Version"), &awsstepfunctions.CfnStateMachineVersionProps{
		StateMachineArn: machine.StateMachineArn(), StateMachineRevisionId: machine.StateMachineRevisionId(),
	})
	version.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	t.versions[id] = version.AttrArn()
}

// machineName is the name of a state machine. Names are fixed, so that roles and
// functions can be made before the machines, which need the functions.
func (t *Tenants) machineName(id string) string {
	stack := awscdk.Names_UniqueResourceName(t, &awscdk.UniqueResourceNameOptions{Separator: jsii.String("-"), MaxLength: jsii.Number(60)})
	return *stack + "-" + strings.ToLower(id)
}

// tenantLocation is where the tenants' functions run.
func (t *Tenants) tenantLocation() permissions.TenantLocation {
	l := permissions.TenantLocation{Location: t.in.location(t.Registry), Bucket: *t.Bucket.BucketArn()}
	l.Machines = []string{t.machineName("Converge"), t.machineName("Remove")}
	l.ManualMachine = t.machineName("Manual")
	return l
}

// addIntake adds the function that takes requests, with all that it is notified by.
func (t *Tenants) addIntake() {
	location := t.tenantLocation()
	asset := t.asset()
	environment := t.in.cfg.TenantEnvironment()
	environment["BUCKET"], environment["BLUEPRINT"] = *t.Bucket.BucketName(), t.Blueprint.Version
	environment["BLUEPRINT_BUCKET"], environment["BLUEPRINT_KEY"] = *asset.S3BucketName(), *asset.S3ObjectKey()
	environment["CONVERGE_MACHINE"], environment["REMOVE_MACHINE"] = *t.versions["Converge"], *t.versions["Remove"]
	t.Intake = t.in.addFunction("Intake", hookFunction{
		description: "Takes requests to launch, change and remove tenants",
		queue:       config.IntakeQueue, table: t.Registry, environment: environment,
		permissions: func(cfg config.Hooks, _ permissions.Location) []permissions.Statement {
			return permissions.Intake(cfg, location, *asset.Bucket().BucketArn()+"/"+*asset.S3ObjectKey())
		},
		sweepMinutes: 1, memory: 512,
		staleMinutes: 15,
	})
	t.RequestTopic = awssns.NewTopic(t, jsii.String("Requests"), &awssns.TopicProps{DisplayName: t.in.named("Requests to launch, change and remove tenants"), EnforceSSL: jsii.Bool(true)})
	t.Intake.OnTopic(t.RequestTopic)
	t.Intake.onEvents("Executions", "Executions of tenants' operations that end", "aws.states", "Step Functions Execution Status Change", map[string]any{
		"stateMachineArn": []*string{t.Converge.StateMachineArn(), t.Remove.StateMachineArn()}, "status": []string{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"},
	})
}

// newDashboard shows what operators read first.
func (t *Tenants) newDashboard() awscloudwatch.Dashboard {
	var rows []*[]awscloudwatch.IWidget
	for _, row := range t.Intake.graphs(*t.Intake.Node().Id()) {
		rows = append(rows, &row)
	}
	var executions, failures, errors, durations []awscloudwatch.IMetric
	for _, m := range []awsstepfunctions.StateMachine{t.Converge, t.Remove, t.Manual} {
		executions = append(executions, m.MetricStarted(statistic("Sum")), m.MetricSucceeded(statistic("Sum")))
		failures = append(failures, m.MetricFailed(statistic("Sum")), m.MetricTimedOut(statistic("Sum")), m.MetricAborted(statistic("Sum")))
	}
	for _, class := range t.classes() {
		w := t.Workers[class]
		errors = append(errors, w.Function.MetricErrors(statistic("Sum")), w.Function.MetricThrottles(statistic("Sum")))
		durations = append(durations, w.Function.MetricDuration(statistic("p50")), w.Function.MetricDuration(statistic("Maximum")))
	}
	rows = append(rows,
		&[]awscloudwatch.IWidget{graph("Executions: started and succeeded", executions...), graph("Executions: failed, timed out, aborted", failures...)},
		&[]awscloudwatch.IWidget{graph("Workers: errors and throttles", errors...), graph("Workers: duration", durations...)})
	return awscloudwatch.NewDashboard(t, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{Widgets: &rows})
}
