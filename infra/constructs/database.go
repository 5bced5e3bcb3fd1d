package constructs

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/jsii-runtime-go"
)

// DatabaseUser is the database's master user, whose password the stack generates.
const DatabaseUser = "deployhooks"

// addDatabase adds PostgreSQL, if the environment has it. Its identifier is fixed, as its
// host name follows from it. For the same reason CloudFormation refuses a change that would
// replace it, and with it the data.
func (e *Environment) addDatabase() {
	d := e.Spec.Database
	if d == nil {
		return
	}
	identifier := e.Spec.DatabaseIdentifier()
	e.DatabaseClients = awsec2.NewSecurityGroup(e, jsii.String("DatabaseClients"), &awsec2.SecurityGroupProps{
		Vpc: e.Vpc, Description: jsii.String("Functions that the database lets in"), AllowAllOutbound: jsii.Bool(true), AllowAllIpv6Outbound: jsii.Bool(true),
	})
	// RDS would make the group itself, without a retention ("Publishing database logs to
	// Amazon CloudWatch Logs", RDS user guide).
	logs := newLogGroup(e, "DatabaseLogs", float64(e.Spec.Logs.RetentionDays))
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetLogGroupName(jsii.String("/aws/rds/instance/" + identifier + "/postgresql"))
	e.databaseSubnets = awsrds.NewSubnetGroup(e, jsii.String("DatabaseSubnets"), &awsrds.SubnetGroupProps{
		Description: jsii.String("Of the database " + identifier), Vpc: e.Vpc, VpcSubnets: &awsec2.SubnetSelection{SubnetGroupName: jsii.String(isolatedSubnets)},
	})
	major, _, _ := strings.Cut(d.Version, ".")
	e.Database = awsrds.NewDatabaseInstance(e, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		InstanceIdentifier: &identifier, DatabaseName: &d.Name,
		Engine: awsrds.DatabaseInstanceEngine_Postgres(&awsrds.PostgresInstanceEngineProps{
			Version: awsrds.PostgresEngineVersion_Of(&d.Version, &major, nil),
		}),
		InstanceType: awsec2.NewInstanceType(jsii.String(strings.TrimPrefix(d.InstanceClass, "db."))),
		Vpc:          e.Vpc, SubnetGroup: e.databaseSubnets, PubliclyAccessible: jsii.Bool(false),
		MultiAz: &d.MultiAZ, StorageType: awsrds.StorageType_GP3, StorageEncrypted: jsii.Bool(true),
		AllocatedStorage: jsii.Number(d.StorageGiB), MaxAllocatedStorage: jsii.Number(d.MaxStorageGiB),
		Credentials:           awsrds.Credentials_FromGeneratedSecret(jsii.String(DatabaseUser), nil),
		Parameters:            &map[string]*string{"rds.force_ssl": jsii.String("1")}, // "Requiring an SSL connection", same guide
		CloudwatchLogsExports: jsii.Strings("postgresql"),
		// What CloudFormation changes waits for no maintenance window.
		ApplyImmediately: jsii.Bool(true), AutoMinorVersionUpgrade: jsii.Bool(true),
		BackupRetention: awscdk.Duration_Days(jsii.Number(e.Spec.Backups.RetentionDays)), CopyTagsToSnapshot: jsii.Bool(true),
		DeletionProtection: &e.Spec.Protected, RemovalPolicy: awscdk.RemovalPolicy_SNAPSHOT,
		EnablePerformanceInsights: jsii.Bool(true), PerformanceInsightRetention: awsrds.PerformanceInsightRetention_DEFAULT,
	})
	e.Database.Node().AddDependency(logs)
	e.Database.Connections().AllowDefaultPortFrom(e.DatabaseClients, jsii.String("Functions"))
	e.addDatabaseAlarms()
}

// addBackups has the database's backups proven, and the environment filled from another's
// if the file says so: the identifier of another environment's database is its name.
func (e *Environment) addBackups() {
	d, b := e.Spec.Database, e.Spec.Backups
	if d == nil {
		return
	}
	props := &BackupsProps{
		EnvironmentName: &e.Spec.Name, Instance: jsii.String(e.Spec.DatabaseIdentifier()), DatabaseName: &d.Name,
		SubnetGroup: e.databaseSubnets.SubnetGroupName(), DatabaseSecurityGroup: (*e.Database.Connections().SecurityGroups())[0].SecurityGroupId(),
		SubnetIds: e.PrivateSubnets(), SecurityGroupIds: &[]*string{e.DatabaseClients.SecurityGroupId()},
		ProofDays: jsii.Number(b.ProofDays), Checks: b.Checks,
		NoticeTopic: e.props.NoticeTopic, AlarmTopic: e.props.AlarmTopic, EventBus: &e.in.cfg.EventBus,
		Code: e.in.program("backup"), Architecture: e.in.architecture(), LogLevel: &e.in.cfg.LogLevel, LogRetentionDays: jsii.Number(e.in.cfg.LogRetentionDays),
	}
	if b.FillFrom != "" {
		props.FillFrom, props.SecretArn = &b.FillFrom, e.Database.Secret().SecretArn()
	}
	e.Backups = NewBackups(e, jsii.String("Backups"), props)
}
