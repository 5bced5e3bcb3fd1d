package config

// HooksName is the name of the hooks stack.
const HooksName = "deployhooks"

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
