package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"

	"deployhooks/infra/environment/spec"
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

	// EncryptionKey encrypts the table and the logs; see [LambdaFunctionProps].
	//
	// Default: - keys of the services.
	EncryptionKey awskms.IKey
}
