package config

// HooksName is the name of the hooks stack.
const HooksName = "deployhooks"

// The outputs of the hooks stack, for people and scripts.
const (
	TriggerTopicOutput     = "TriggerTopicArn"     // for the deployment groups' CodeDeploy triggers
	NoticeTopicOutput      = "NoticeTopicArn"      // to subscribe to
	RepairFunctionOutput   = "RepairFunctionName"  // for aws lambda invoke
	RepairQueueOutput      = "RepairQueueUrl"      // what the function reads
	RepairDeadLetterOutput = "RepairDeadLetterUrl" // what was given up
	TableOutput            = "TableName"           // the baselines; outlives the stack
	DrainFunctionOutput    = "DrainFunctionName"   // for aws lambda invoke
	DrainQueueOutput       = "DrainQueueUrl"       // what the function reads
	DrainDeadLetterOutput  = "DrainDeadLetterUrl"  // what was given up
	DrainTableOutput       = "DrainTableName"      // the drains; goes with the stack
	DashboardOutput        = "DashboardName"
	ModeOutput             = "Mode" // apply or plan, to see what is in force
)
