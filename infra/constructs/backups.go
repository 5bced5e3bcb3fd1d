package constructs

import (
	"encoding/json"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/environment/spec"
	"deployhooks/infra/permissions"
	"deployhooks/pkg/backup"
)

// BackupsProps are the properties of [Backups].
type BackupsProps struct {
	// EnvironmentName tells environments apart, such as "production". A fill is confirmed
	// with it.
	//
	// Required.
	EnvironmentName *string

	// Instance is the identifier of the environment's DB instance, at most 40 characters:
	// the identifiers of restored instances are made of it.
	//
	// Required.
	Instance *string

	// DatabaseName is the database that is checked.
	//
	// Required.
	DatabaseName *string

	// SubnetGroup is the DB subnet group of restored instances.
	//
	// Required.
	SubnetGroup *string

	// DatabaseSecurityGroup is the security group of restored instances. It must admit
	// SecurityGroupIds at the database's port.
	//
	// Required.
	DatabaseSecurityGroup *string

	// SubnetIds and SecurityGroupIds are where the function runs. From there it must reach
	// the restored instances, and by HTTPS the internet or the endpoints of the services:
	// RDS, Secrets Manager, DynamoDB, SNS, EventBridge, and truststore.pki.rds.amazonaws.com
	// for the certificate authorities.
	//
	// Required.
	SubnetIds        *[]*string
	SecurityGroupIds *[]*string

	// InstanceClass of the instances that proofs restore.
	//
	// Default: "db.t4g.micro".
	InstanceClass *string

	// ProofDays is how often the newest backup is restored and checked, 1 to 7.
	//
	// Default: 7.
	ProofDays *float64

	// Checks are what a restored backup must pass.
	//
	// Default: - that the database has a table at all.
	Checks []spec.Check

	// FillFrom is the identifier of the DB instance, of this account and region, whose
	// newest backup fills this environment when an operator asks for it.
	//
	// Default: - the environment cannot be filled.
	FillFrom *string

	// SecretArn is the secret of the environment's master user, {"username", "password"}:
	// a fill sets its password on the new instance. It must not be managed by RDS, which
	// makes a new secret for each instance.
	//
	// Required with FillFrom.
	SecretArn *string

	// NoticeTopic gets every notification. A given topic keeps its policies.
	//
	// Required.
	NoticeTopic awssns.ITopic

	// AlarmTopic gets alarms, and notifications that require action as well.
	//
	// Default: - the NoticeTopic.
	AlarmTopic awssns.ITopic

	// EventBus is the name of the EventBridge bus that gets outcomes.
	//
	// Default: "default".
	EventBus *string

	// Code is the folder that holds the function's program, which is named bootstrap:
	// build/<architecture>/backup.
	//
	// Default: - it is built from the module's source, which takes the Go toolchain.
	Code *string

	// Architecture that the program is built for.
	//
	// Default: awslambda.Architecture_ARM_64().
	Architecture awslambda.Architecture

	// LogLevel and LogRetentionDays are those of [LambdaFunctionProps].
	LogLevel         *string
	LogRetentionDays *float64

	// EncryptionKey encrypts the table and the function's logs; see [LambdaFunctionProps].
	//
	// Default: - keys of the services.
	EncryptionKey awskms.IKey
}

// Backups proves an environment's backups on a schedule, and fills the environment from
// those of another when an operator starts an execution of Machine with
// {"action":"fill","confirm":"<environment>"}.
type Backups struct {
	constructs.Construct
	Function *LambdaFunction
	Machine  awsstepfunctions.StateMachine
	// Records has what is known of proofs. It is deleted with the stack.
	Records awsdynamodb.Table

	in    installation
	props *BackupsProps
}

// sweepMinutes is how often the age of the proof is measured, and what was left behind is
// removed.
const sweepMinutes = 15

// NewBackups adds Backups to scope.
func NewBackups(scope constructs.Construct, id *string, props *BackupsProps) *Backups {
	var v validation
	if props == nil {
		props = &BackupsProps{}
	}
	checks := props.validate(&v)
	v.enforce("Backups", scope, id)

	b := &Backups{props: props}
	constructs.NewConstruct_Override(b, scope, id)
	b.in = installation{
		scope: b, environment: props.EnvironmentName, notices: props.NoticeTopic, alarms: props.NoticeTopic, key: props.EncryptionKey,
		cfg: config.Hooks{Architecture: config.ARM64, EventBus: or(props.EventBus, "default")},
	}
	if props.AlarmTopic != nil {
		b.in.alarms = props.AlarmTopic
	}
	if props.Architecture != nil {
		b.in.cfg.Architecture = config.Architecture(*props.Architecture.Name())
	}
	table := b.in.table("instance")
	table.RemovalPolicy = awscdk.RemovalPolicy_DESTROY
	b.Records = awsdynamodb.NewTable(b, jsii.String("Records"), table)
	b.addFunction(checks)
	b.addMachine()
	b.addSchedules()
	b.addAlarms()
	return b
}

// longestChecks leaves room in the function's environment, which has 4 KB (Lambda quotas).
const longestChecks = 2500

// validate returns the checks as the function reads them.
func (p *BackupsProps) validate(v *validation) string {
	for property, value := range map[string]*string{
		"EnvironmentName": p.EnvironmentName, "Instance": p.Instance, "DatabaseName": p.DatabaseName, "SubnetGroup": p.SubnetGroup, "DatabaseSecurityGroup": p.DatabaseSecurityGroup,
	} {
		v.require(or(value, "") != "", property, "required")
	}
	v.require(p.SubnetIds != nil && p.SecurityGroupIds != nil, "SubnetIds", "required, with SecurityGroupIds: a database of the environment is in its network only")
	v.require(p.NoticeTopic != nil, "NoticeTopic", "required")
	// "deployhooks-former-" and the identifier make another, of 63 characters at most.
	instance := or(p.Instance, "")
	v.require(len(instance) <= 40, "Instance", "%q is longer than 40 characters, of which the identifiers of restored instances are made", instance)
	v.between(or(p.ProofDays, 7), "ProofDays", " days", 1, 7)
	v.require(p.FillFrom == nil || p.SecretArn != nil, "SecretArn", "a fill needs the secret of the environment's master user")
	v.require(p.FillFrom == nil || *p.FillFrom != instance, "FillFrom", "an environment is not filled from itself")
	checks := []backup.Check{}
	for _, c := range p.Checks {
		checks = append(checks, backup.Check{Table: c.Table, MinRows: c.MinRows, NewestColumn: c.NewestColumn, MaxAgeHours: c.MaxAgeHours})
	}
	text, err := json.Marshal(checks)
	v.require(err == nil && len(text) <= longestChecks, "Checks", "%d checks take %d bytes, more than the %d that the function's environment has room for", len(checks), len(text), longestChecks)
	return string(text)
}

// addFunction adds the function, where it reaches the restored instances.
func (b *Backups) addFunction(checks string) {
	p, code := b.props, b.props.Code
	if code == nil {
		discard := b.in.findPrograms("Backups", nil, "backup")
		defer discard()
		code = b.in.program("backup")
	}
	location := b.in.location(b.Records)
	environment := map[string]*string{
		"ENVIRONMENT": p.EnvironmentName, "INSTANCE": p.Instance, "DATABASE": p.DatabaseName, "SUBNET_GROUP": p.SubnetGroup, "SECURITY_GROUP": p.DatabaseSecurityGroup,
		"INSTANCE_CLASS": jsii.String(or(p.InstanceClass, "db.t4g.micro")), "CHECKS": &checks, "TABLE": b.Records.TableName(),
		"TOPIC_ARN": &location.NoticeTopic, "ALARM_TOPIC_ARN": &location.AlarmTopic, "EVENT_BUS": &b.in.cfg.EventBus,
	}
	if p.FillFrom != nil {
		environment["FILL_FROM"], environment["SECRET_ARN"] = p.FillFrom, p.SecretArn
	}
	b.Function = NewLambdaFunction(b, jsii.String("Backup"), &LambdaFunctionProps{
		Code: code, Description: b.in.named("Proves backups, and fills the environment from those of another"), Architecture: b.in.architecture(),
		MemorySize: jsii.Number(256), Timeout: duration(backup.FunctionTimeout), Environment: &environment,
		LogLevel: p.LogLevel, LogRetentionDays: p.LogRetentionDays, SubnetIds: p.SubnetIds, SecurityGroupIds: p.SecurityGroupIds,
		AlarmTopic: b.in.alarms, EncryptionKey: p.EncryptionKey,
	})
	b.Function.allow(permissions.Backups(permissions.Backup{
		Instance: *p.Instance, SubnetGroup: *p.SubnetGroup, FillFrom: or(p.FillFrom, ""), Secret: or(p.SecretArn, ""), EventBus: b.in.cfg.EventBus,
	}, location)...)
}

// addAlarms adds those of proofs. Each has a paragraph in README.md, "Alarms".
func (b *Backups) addAlarms() {
	sum := &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(15)), Statistic: jsii.String("Sum")}
	const status = ` Start with the notification; {"action":"status"} says what is there.`
	alarms := []alarm{
		{id: "ProofFailedAlarm", description: "The newest backup could not be restored, or did not pass its checks." + status, metric: b.counted(backup.ProofFailed), threshold: 1},
		{id: "FillFailedAlarm", description: "A fill has failed, and was undone." + status, metric: b.counted(backup.FillFailed), threshold: 1},
		{id: "StuckAlarm", description: "What a proof or a fill has made cannot be removed, or RDS cannot be read." + status, metric: b.counted(backup.Stuck), threshold: 1},
		{id: "TimedOutAlarm", description: "An execution has ended before its run did. The sweep removes what it has left.", metric: b.Machine.MetricTimedOut(sum), threshold: 1},
	}
	if b.props.FillFrom == nil {
		alarms = slices.DeleteFunc(alarms, func(a alarm) bool { return a.id == "FillFailedAlarm" })
	}
	addAlarms(b, alarms, b.in.alarms)
	b.addAgeAlarm("ProofAgeAlarm", backup.AgeOfProof, 7*24+12, "No proof was passed for a week and half a day, or nothing measures their age any more. See why the last one failed, and start an execution with {\"action\":\"prove\"}.")
	b.addAgeAlarm("BackupAgeAlarm", backup.BackupAge, 36, "The newest backup is older than 36 hours, or nothing measures its age any more. Check the DB instance's backup retention and its events.")
}

// counted is how often something happened in this environment.
func (b *Backups) counted(name string) awscloudwatch.IMetric {
	return b.measured(name, awscdk.Duration_Minutes(jsii.Number(15))).With(&awscloudwatch.MetricOptions{Statistic: jsii.String("Sum")})
}

// measured is a metric of this environment.
func (b *Backups) measured(name string, period awscdk.Duration) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(MetricNamespace), MetricName: &name, Statistic: jsii.String("Maximum"), Period: period,
		DimensionsMap: &map[string]*string{"Environment": b.props.EnvironmentName},
	})
}

// Graphs are the rows of a dashboard that show proofs, fills and backups.
func (b *Backups) Graphs() [][]awscloudwatch.IWidget {
	hour := awscdk.Duration_Hours(jsii.Number(1))
	return [][]awscloudwatch.IWidget{{
		graph("Backups: hours since the last proof and the newest backup", b.measured(backup.AgeOfProof, hour), b.measured(backup.BackupAge, hour)),
		graph("Backups: seconds that proofs took", b.measured(backup.ProofSeconds, hour)),
	}, {
		graph("Backups: outcomes", outcomes("backup")),
		graph("Backups: executions", b.Machine.MetricStarted(statistic("Sum")), b.Machine.MetricSucceeded(statistic("Sum")), b.Machine.MetricFailed(statistic("Sum")),
			b.Machine.MetricTimedOut(statistic("Sum")), b.Machine.MetricAborted(statistic("Sum"))),
	}}
}
