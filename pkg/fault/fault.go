// Package fault classifies the errors of AWS calls: what a failure means for the
// caller, by the service and the code of its API reference.
//
// The domains decide by [Kind] whether to requeue, to let the queue deliver again,
// or to notify operators, and have the remedies; none of them compares error codes
// itself.
package fault

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Kind is what a failure means for the caller.
type Kind int

const (
	// Unknown is a failure with a code that is not listed here. It is retried like
	// a transient one, and reported like a permanent one if it lasts.
	Unknown Kind = iota
	// Transient failures (5xx, time-outs, a broken connection) may be gone at the
	// next try.
	Transient
	// Throttled means that the call exceeded a rate of the service. It had no
	// effect.
	Throttled
	// Denied means that IAM, a resource policy or a service control policy forbids
	// the call. Only an operator can allow it.
	Denied
	// NotFound means that what the call names does not exist (any more).
	NotFound
	// Busy means that the resource is occupied with a change of its own: the call
	// is right, but early.
	Busy
	// Invalid means that AWS refuses this call, whoever makes it, until something is
	// changed.
	Invalid
	// Conflict means that a conditional write lost against another writer.
	Conflict
)

func (k Kind) String() string {
	return [...]string{"unknown", "transient", "throttled", "denied", "not-found", "busy", "invalid", "conflict"}[k]
}

// Services, by the ID that the SDK puts into its errors.
const (
	autoScaling = "Auto Scaling"
	classicELB  = "Elastic Load Balancing"
	codeDeploy  = "CodeDeploy"
	dynamoDB    = "DynamoDB"
	elbv2       = "Elastic Load Balancing v2"
	eventBridge = "EventBridge"
	rds         = "RDS"
	sfn         = "SFN"
	route53     = "Route 53"
	s3          = "S3"
	secrets     = "Secrets Manager"
	ses         = "SESv2"
	sns         = "SNS"
	sqs         = "SQS"
	ssm         = "SSM"
)

// common are the codes that mean the same everywhere ("Common errors" of the
// services' API references).
var common = map[string]Kind{
	"AccessDenied":           Denied,
	"AccessDeniedException":  Denied,
	"NotAuthorized":          Denied,
	"NotAuthorizedException": Denied,
	"UnauthorizedOperation":  Denied,
	"AuthorizationError":     Denied,
	"OptInRequired":          Denied,

	"Throttling":                             Throttled,
	"ThrottlingException":                    Throttled,
	"ThrottledException":                     Throttled,
	"RequestThrottled":                       Throttled,
	"RequestThrottledException":              Throttled,
	"RequestLimitExceeded":                   Throttled,
	"TooManyRequestsException":               Throttled,
	"RateExceeded":                           Throttled,
	"ProvisionedThroughputExceededException": Throttled,

	"InternalError":               Transient,
	"InternalFailure":             Transient,
	"InternalServerError":         Transient,
	"InternalServiceError":        Transient,
	"InternalServiceFault":        Transient,
	"InternalException":           Transient,
	"ServiceUnavailable":          Transient,
	"ServiceUnavailableException": Transient,
	"RequestTimeout":              Transient,
	"RequestTimeoutException":     Transient,
	"RequestExpired":              Transient,

	"ValidationError":        Invalid,
	"ValidationException":    Invalid,
	"InvalidParameterValue":  Invalid,
	"InvalidParameter":       Invalid,
	"InvalidInput":           Invalid,
	"MissingParameter":       Invalid,
	"MalformedQueryString":   Invalid,
	"SerializationException": Invalid,
}

// byService are the codes whose meaning depends on the service, of those that the
// operations called here document (errors of each operation in the services' API
// references; for PutEvents also PutEventsResultEntry).
var byService = map[string]map[string]Kind{
	autoScaling: {
		"ResourceContention": Busy, "ResourceContentionFault": Busy,
		"InstanceRefreshInProgress": Busy, "InstanceRefreshInProgressFault": Busy,
		"ScalingActivityInProgress": Busy, "ScalingActivityInProgressFault": Busy,
		"ResourceInUse": Busy, "ResourceInUseFault": Busy,
		"LimitExceeded": Invalid, "LimitExceededFault": Invalid,
		"ServiceLinkedRoleFailure": Busy, // "The service-linked role is not yet ready for use"
	},
	codeDeploy: {
		"ApplicationDoesNotExistException": NotFound, "DeploymentGroupDoesNotExistException": NotFound,
		"DeploymentDoesNotExistException": NotFound, "DeploymentTargetDoesNotExistException": NotFound,
		"InvalidApplicationNameException": Invalid, "InvalidDeploymentGroupNameException": Invalid,
		"InvalidDeploymentIdException": Invalid, "BatchLimitExceededException": Invalid,
		"InvalidNextTokenException": Invalid, "InvalidInputException": Invalid,
		"InvalidDeploymentInstanceTypeException": Invalid, "InvalidDeploymentTargetIdException": Invalid,
		"DeploymentTargetListSizeExceededException": Invalid, "InstanceDoesNotExistException": NotFound,
		"DeploymentNotStartedException":         Busy,
		"DeploymentGroupAlreadyExistsException": Conflict, "DeploymentAlreadyCompletedException": Conflict,
		"DeploymentConfigDoesNotExistException": Invalid, "InvalidDeploymentConfigNameException": Invalid,
		"DeploymentGroupLimitExceededException": Invalid, "LifecycleHookLimitExceededException": Invalid,
		"InvalidAutoScalingGroupException": Invalid, "InvalidRoleException": Invalid, "RoleRequiredException": Invalid,
		"InvalidAlarmConfigException": Invalid, "AlarmsLimitExceededException": Invalid,
		"InvalidTriggerConfigException": Invalid, "TriggerTargetsLimitExceededException": Invalid,
		"InvalidAutoRollbackConfigException": Invalid, "InvalidLoadBalancerInfoException": Invalid,
		"InvalidDeploymentStyleException": Invalid, "InvalidBlueGreenDeploymentConfigurationException": Invalid,
		"InvalidTagsToAddException": Invalid, "TagLimitExceededException": Invalid, "InvalidArnException": Invalid, "ArnNotSupportedException": Invalid,
	},
	dynamoDB: {
		"ConditionalCheckFailedException": Conflict, "ResourceNotFoundException": NotFound,
		"TransactionConflictException": Busy, "TransactionInProgressException": Busy, "ReplicatedWriteConflictException": Busy,
		"IdempotentParameterMismatchException": Invalid, "ItemCollectionSizeLimitExceededException": Invalid,
	},
	elbv2: {
		"TargetGroupNotFound": NotFound, "LoadBalancerNotFound": NotFound, "HealthUnavailable": Transient,
		"InvalidTarget": Invalid, "TooManyTargets": Invalid, "TooManyRegistrationsForTargetId": Invalid,
	},
	classicELB: {"LoadBalancerNotFound": NotFound, "AccessPointNotFound": NotFound, "InvalidInstance": Invalid, "DependencyThrottle": Throttled},
	eventBridge: {
		"ResourceNotFoundException": NotFound, "MalformedDetail": Invalid, "InvalidArgument": Invalid, "InvalidAccountIdException": Invalid,
		"NotAuthorizedForSourceException": Denied, "NotAuthorizedForDetailTypeException": Denied, "OperationDisabledException": Invalid,
	},
	rds: {
		"DBInstanceNotFound": NotFound, "DBSnapshotNotFound": NotFound, "DBInstanceAlreadyExists": Conflict,
		"InvalidDBInstanceState": Busy, "InvalidDBSnapshotState": Busy, "InsufficientDBInstanceCapacity": Busy,
		"InvalidParameterCombination": Invalid, "InstanceQuotaExceeded": Invalid, "StorageQuotaExceeded": Invalid, "StorageTypeNotSupported": Invalid,
		"DBSubnetGroupNotFoundFault": Invalid, "DBParameterGroupNotFound": Invalid, "DBSecurityGroupNotFound": Invalid, "OptionGroupNotFoundFault": Invalid,
		"InvalidSubnet": Invalid, "InvalidVPCNetworkStateFault": Invalid, "DBSubnetGroupDoesNotCoverEnoughAZs": Invalid, "ProvisionedIopsNotAvailableInAZFault": Invalid,
		"KMSKeyNotAccessibleFault": Denied, "CertificateNotFound": Invalid, "InvalidRestoreFault": Invalid, "NetworkTypeNotSupported": Invalid, "SnapshotQuotaExceeded": Invalid,
		"DBInstanceAutomatedBackupQuotaExceeded": Invalid, "DBUpgradeDependencyFailure": Invalid, "VpcEncryptionControlViolationException": Invalid, "BackupPolicyNotFoundFault": Invalid,
	},
	sfn: {
		"StateMachineDoesNotExist": NotFound, "ExecutionDoesNotExist": NotFound, "StateMachineDeleting": NotFound,
		"ExecutionLimitExceeded": Throttled, "InvalidArn": Invalid, "InvalidName": Invalid, "InvalidExecutionInput": Invalid,
		"KmsAccessDeniedException": Denied, "KmsInvalidStateException": Invalid, "KmsThrottlingException": Throttled,
	},
	route53: {
		"NoSuchHostedZone": NotFound, "InvalidChangeBatch": Invalid, "PriorRequestNotComplete": Busy,
	},
	s3: {
		"NoSuchKey": NotFound, "NoSuchBucket": NotFound, "NotFound": NotFound, "PreconditionFailed": Conflict,
		"ConditionalRequestConflict": Busy, "OperationAborted": Busy, "SlowDown": Throttled,
	},
	secrets: {
		"ResourceNotFoundException": NotFound, "ResourceExistsException": Conflict, "InvalidRequestException": Invalid,
		"InvalidParameterException": Invalid, "LimitExceededException": Invalid, "PreconditionNotMetException": Invalid,
		"DecryptionFailure": Denied, "EncryptionFailure": Denied,
	},
	ses: {
		"NotFoundException": NotFound, "AlreadyExistsException": Conflict, "BadRequestException": Invalid,
		"ConcurrentModificationException": Busy, "LimitExceededException": Invalid,
	},
	sns: {
		"NotFound": NotFound, "Throttled": Throttled, "ParameterValueInvalid": Invalid, "InvalidSecurity": Invalid, "EndpointDisabled": Invalid,
		"KMSAccessDenied": Denied, "KMSThrottling": Throttled,
		"KMSDisabled": Invalid, "KMSInvalidState": Invalid, "KMSNotFound": Invalid, "KMSOptInRequired": Invalid,
	},
	// An error of SQS has another code in the query protocol, and the SDK returns
	// that one where the answer has both.
	sqs: {
		"QueueDoesNotExist": NotFound, "AWS.SimpleQueueService.NonExistentQueue": NotFound,
		"InvalidMessageContents": Invalid, "InvalidSecurity": Invalid, "AWS.SimpleQueueService.UnsupportedOperation": Invalid,
		"KmsAccessDenied": Denied, "KMS.AccessDeniedException": Denied, "KmsThrottled": Throttled, "KMS.ThrottlingException": Throttled,
		"KmsDisabled": Invalid, "KMS.DisabledException": Invalid, "KmsInvalidState": Invalid, "KMS.InvalidStateException": Invalid,
		"KmsNotFound": Invalid, "KMS.NotFoundException": Invalid,
	},
	ssm: {
		"InvalidInstanceId": Invalid, "InvalidDocument": Invalid, "InvalidParameters": Invalid, "UnsupportedPlatformType": Invalid,
		"InvalidDocumentVersion": Invalid, "InvalidRole": Invalid, "MaxDocumentSizeExceeded": Invalid,
		"InvalidCommandId": NotFound, "InvocationDoesNotExist": NotFound, "ParameterNotFound": NotFound,
		"TooManyUpdates": Busy, "ParameterLimitExceeded": Invalid, "ParameterMaxVersionLimitExceeded": Invalid,
		"ParameterPatternMismatchException": Invalid, "HierarchyLevelLimitExceededException": Invalid, "HierarchyTypeMismatchException": Invalid,
	},
}

// Of is the kind of an error, which may be wrapped; Transient for an error that
// comes from no answer of AWS, such as a time-out. Of joined errors it is the kind of
// the first answer. Of no error it is Unknown: ask [Is] where the error may be nil.
func Of(err error) Kind {
	var api smithy.APIError
	var params smithy.InvalidParamsError
	switch {
	case err == nil:
		return Unknown
	case errors.As(err, &api):
		return ofAnswer(err, api)
	case errors.As(err, &params): // the SDK does not send a call that lacks a parameter
		return Invalid
	}
	return Transient
}

func ofAnswer(err error, api smithy.APIError) Kind {
	service := Service(err)
	// Auto Scaling answers with a ValidationError what others have codes for, and
	// only its words distinguish them: "AutoScalingGroup name not found - …" for a
	// missing group, "No active Lifecycle Action found with …" for an action that
	// is completed or has timed out (observed).
	if api.ErrorCode() == "ValidationError" && (service == autoScaling || service == "") {
		if m := api.ErrorMessage(); strings.Contains(m, "not found") || strings.Contains(m, "No active Lifecycle Action") {
			return NotFound
		}
	}
	if kind, ok := byService[service][api.ErrorCode()]; ok {
		return kind
	}
	if kind, ok := common[api.ErrorCode()]; ok {
		return kind
	}
	// An answer that a service did not write itself has no code, only a status.
	var answer *smithyhttp.ResponseError
	status := 0
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	switch {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status >= http.StatusInternalServerError, api.ErrorFault() == smithy.FaultServer:
		return Transient
	}
	return Unknown
}

// Is reports whether there is an error and it is of this kind.
func Is(err error, kind Kind) bool { return err != nil && Of(err) == kind }

// MayPass reports whether an error may be gone at another try without anybody
// doing anything.
func MayPass(err error) bool {
	switch Of(err) {
	case Transient, Throttled, Busy, Conflict, Unknown:
		return err != nil
	}
	return false
}

// Service is the ID of the service that a failed call was made to, such as "Auto
// Scaling", empty where the error comes from no call.
func Service(err error) string {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.ServiceID
	}
	return ""
}

// Own marks an error of what the function itself runs on (its table, queue, topic
// or bus), which concerns no resource of the user's fleet. It is nil for nil.
func Own(err error) error {
	if err == nil {
		return nil
	}
	return &own{err}
}

type own struct{ error }

func (o *own) Unwrap() error { return o.error }

// IsOwn reports whether an error was marked by [Own].
func IsOwn(err error) bool {
	var o *own
	return errors.As(err, &o)
}

// Code is AWS's code of the error, empty where the error comes from no answer of
// AWS.
func Code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// Message is AWS's own text of the failure, without request IDs, so that the same
// failure reads the same each time.
func Message(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &api):
		return err.Error()
	case api.ErrorMessage() == "":
		return api.ErrorCode()
	}
	return api.ErrorCode() + ": " + api.ErrorMessage()
}
