package config

// HooksName is the name of the hooks stack.
const HooksName = "deployhooks"

// TenantsName is the name of the tenants stack.
const TenantsName = "deployhooks-tenants"

// The stacks of an environment have names of their own, so that several environments fit
// into one account and region. Without an environment's name, these are the plain names.

// HooksStack is the name of the hooks stack.
func HooksStack(environment string) string { return stackName(environment, "-hooks", HooksName) }

// TenantsStack is the name of the tenants stack.
func TenantsStack(environment string) string {
	return stackName(environment, "-tenants", TenantsName)
}

// EnvironmentStack is the name of the stack of an environment itself.
func EnvironmentStack(environment string) string { return HooksName + "-" + environment }

func stackName(environment, kind, plain string) string {
	if environment == "" {
		return plain
	}
	return EnvironmentStack(environment) + kind
}

// The outputs of the tenants stack, for people and scripts.
const (
	RequestTopicOutput     = "RequestTopicArn"    // to publish requests to
	IntakeFunctionOutput   = "IntakeFunctionName" // for aws lambda invoke
	IntakeQueueOutput      = "IntakeQueueUrl"
	IntakeDeadLetterOutput = "IntakeDeadLetterUrl"
	TenantTableOutput      = "TenantTableName"  // the registry; outlives the stack
	TenantBucketOutput     = "TenantBucketName" // what instances read; outlives the stack
	BlueprintOutput        = "BlueprintVersion"
	ConvergeMachineOutput  = "ConvergeMachineArn"
	RemoveMachineOutput    = "RemoveMachineArn"
)

// The outputs of the hooks stack, for people and scripts.
const (
	TriggerTopicOutput     = "TriggerTopicArn"     // for the deployment groups' CodeDeploy triggers
	NoticeTopicOutput      = "NoticeTopicArn"      // to subscribe to
	SubscribersOutput      = "Subscribers"         // who gets the notifications, or how to subscribe
	RepairFunctionOutput   = "RepairFunctionName"  // for aws lambda invoke
	RepairQueueOutput      = "RepairQueueUrl"      // what the function reads
	RepairDeadLetterOutput = "RepairDeadLetterUrl" // what failed
	TableOutput            = "TableName"           // the baselines; outlives the stack
	DrainFunctionOutput    = "DrainFunctionName"   // for aws lambda invoke
	DrainQueueOutput       = "DrainQueueUrl"       // what the function reads
	DrainDeadLetterOutput  = "DrainDeadLetterUrl"  // what failed
	DrainTableOutput       = "DrainTableName"      // the drains; deleted with the stack
	DashboardOutput        = "DashboardName"
	RepairModeOutput       = "RepairMode" // apply or plan, to see what is in force
	DrainModeOutput        = "DrainMode"  // the same for drain
)

// The outputs of an environment's stack, for people and scripts.
const (
	LoadBalancerOutput              = "LoadBalancerName"
	VpcOutput                       = "VpcId"
	RevisionsOutput                 = "RevisionBucketName" // outlives the stack
	DeploymentGroupFunctionOutput   = "DeploymentGroupFunctionName"
	DeploymentGroupDeadLetterOutput = "DeploymentGroupDeadLetterUrl"
	DatabaseHostOutput              = "DatabaseHost"
	DatabaseSecretOutput            = "DatabaseSecretArn"
	BackupMachineOutput             = "BackupMachineArn"
	BackupFunctionOutput            = "BackupFunctionName"
	ApplicationOutput               = "ApplicationName" // after the service's name
	ImagesOutput                    = "ImageRepository" // after the service's name; outlives the stack
)
