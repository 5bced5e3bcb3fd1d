package event

// The longest of everything that is let in. What is longer was not sent by
// AWS, and is refused before it costs memory or reaches an API or a log.

const (
	// MaxPayload is the longest payload, in bytes, of a synchronous Lambda
	// invocation, which is also how batches come from SQS (Lambda quotas:
	// 6 MB; the service counts in powers of two).
	MaxPayload = 6 << 20

	// MaxMessage is the longest message, in bytes, out of its envelope. SQS
	// allows 1 MiB since August 2025, EventBridge the same since January 2026;
	// SNS still allows 256 KiB.
	MaxMessage = 1 << 20

	// maxRecords is how many messages one invocation can bring (Lambda
	// Developer Guide, "Lambda parameters for Amazon SQS event source
	// mappings": BatchSize).
	maxRecords = 10_000

	// maxEnvelopes is how deep a message may be wrapped: its SQS body, the SNS
	// notification in that, the EventBridge event in that, and one more.
	maxEnvelopes = 4

	// maxNesting is how deep the fields of a request may nest. It is ours.
	maxNesting = 32
)

// Lengths of names, in characters.
const (
	maxCodeDeployName  = 100  // applications and deployment groups, and on-premises instances (CodeDeploy API Reference)
	maxDeploymentID    = 100  // AWS states none; IDs have 11
	maxAutoScalingName = 255  // groups and hooks (EC2 Auto Scaling API Reference)
	maxInstanceID      = 19   // EC2 instances (EC2 Auto Scaling API Reference)
	maxToken           = 36   // lifecycle action tokens, which are UUIDs (EC2 Auto Scaling API Reference)
	maxSource          = 256  // an event's source (EventBridge API Reference)
	maxDetailType      = 128  // an event's detail-type (EventBridge API Reference)
	maxMessageID       = 100  // SQS Developer Guide, "Queue and message identifiers"
	maxEventTypeCode   = 100  // codes of AWS Health's events (AWS Health API Reference)
	maxARN             = 2048 // ARNs (Step Functions API Reference: 256 for those that it takes, more with a version)
	maxExecutionName   = 80   // executions of state machines (Step Functions API Reference)
	maxResourceField   = 255  // fields of CloudFormation's requests ("Custom resource request types", AWS CloudFormation User Guide)
	maxPhysicalID      = 1024 // physical IDs of resources (ours: AWS documents 1 KB)
	maxURL             = 4096 // ours, for pre-signed URLs of S3
	maxRequestID       = 128  // ours, for the ID of a tenant request
	maxWord            = 64   // ours, for accounts, regions, states, actions and the like: AWS's longest has 36
	maxProse           = 1000 // ours, for texts for operators: the rest is cut, not refused
)
