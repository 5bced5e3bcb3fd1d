package wire

import (
	"reflect"

	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// ServicesOf describes all services of a region: a value with methods such as
// AutoScaling and ELBV2, each without parameters and with one result, the
// client that serves that API. Methods with other names are ignored.
func ServicesOf(region any) []Service {
	var services []Service
	for _, known := range []struct {
		method  string
		service func(client any) Service
	}{
		{"AutoScaling", AutoScaling},
		{"ELB", ELB},
		{"ELBV2", ELBV2},
		{"EC2", EC2},
		{"CodeDeploy", CodeDeploy},
		{"SSM", SSM},
		{"SNS", SNS},
		{"SQS", SQS},
		{"EventBridge", EventBridge},
		{"DynamoDB", DynamoDB},
		{"StepFunctions", StepFunctions},
		{"RDS", RDS},
	} {
		view := reflect.ValueOf(region).MethodByName(known.method)
		if view.IsValid() && view.Type().NumIn() == 0 && view.Type().NumOut() == 1 {
			services = append(services, known.service(view.Call(nil)[0].Interface()))
		}
	}
	return services
}

// AutoScaling describes Amazon EC2 Auto Scaling.
func AutoScaling(client any) Service {
	return Service{
		ID: "Auto Scaling", Protocol: Query, Signing: "autoscaling", Version: "2011-01-01",
		Namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
		Renamed: map[string]string{
			"CpuPerformanceFactorRequest.References": "Reference",
			"[]PerformanceFactorReferenceRequest":    "item",
		},
		Client: client,
	}
}

// ELB describes Elastic Load Balancing: Classic Load Balancers.
func ELB(client any) Service {
	return Service{
		ID: "Elastic Load Balancing", Protocol: Query, Signing: "elasticloadbalancing", Version: "2012-06-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
		Client:    client,
	}
}

// ELBV2 describes Elastic Load Balancing: Application, Network and Gateway
// Load Balancers.
func ELBV2(client any) Service {
	return Service{
		ID: "Elastic Load Balancing v2", Protocol: Query, Signing: "elasticloadbalancing", Version: "2015-12-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Client:    client,
	}
}

// EC2 describes Amazon EC2, as far as DescribeInstances.
func EC2(client any) Service {
	return Service{
		ID: "EC2", Protocol: EC2Query, Signing: "ec2", Version: "2016-11-15",
		Namespace:  "http://ec2.amazonaws.com/doc/2016-11-15/",
		LowerCamel: true,
		Renamed: map[string]string{
			"DescribeInstancesInput.Filters":       "Filter",
			"DescribeInstancesInput.InstanceIds":   "InstanceId",
			"DescribeInstancesInput.MaxResults":    "MaxResults",
			"DescribeInstancesInput.NextToken":     "NextToken",
			"DescribeInstancesOutput.Reservations": "reservationSet",
			"EC2Filter.Name":                       "Name",
			"EC2Filter.Values":                     "Value",
			"EC2Instance.State":                    "instanceState",
			"EC2Instance.Tags":                     "tagSet",
			"EC2Reservation.Instances":             "instancesSet",
		},
		Client: client,
	}
}

// SNS describes Amazon Simple Notification Service.
func SNS(client any) Service {
	return Service{
		ID: "SNS", Protocol: Query, Signing: "sns", Version: "2010-03-31",
		Namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
		Renamed: map[string]string{
			"CheckIfPhoneNumberIsOptedOutInput.PhoneNumber": "phoneNumber",
			"CheckIfPhoneNumberIsOptedOutOutput.IsOptedOut": "isOptedOut",
			"GetSMSAttributesInput.Attributes":              "attributes",
			"GetSMSAttributesOutput.Attributes":             "attributes",
			"ListPhoneNumbersOptedOutInput.NextToken":       "nextToken",
			"ListPhoneNumbersOptedOutOutput.NextToken":      "nextToken",
			"ListPhoneNumbersOptedOutOutput.PhoneNumbers":   "phoneNumbers",
			"OptInPhoneNumberInput.PhoneNumber":             "phoneNumber",
			"SetSMSAttributesInput.Attributes":              "attributes",
		},
		Client: client,
	}
}

// CodeDeploy describes AWS CodeDeploy.
func CodeDeploy(client any) Service {
	return Service{
		ID: "CodeDeploy", Protocol: JSON11, Signing: "codedeploy", Target: "CodeDeploy_20141006",
		LowerCamel: true,
		Renamed: map[string]string{
			"DeploymentOverview.Failed":            "Failed",
			"DeploymentOverview.InProgress":        "InProgress",
			"DeploymentOverview.Pending":           "Pending",
			"DeploymentOverview.Ready":             "Ready",
			"DeploymentOverview.Skipped":           "Skipped",
			"DeploymentOverview.Succeeded":         "Succeeded",
			"EC2TagFilter.Key":                     "Key",
			"EC2TagFilter.Type":                    "Type",
			"EC2TagFilter.Value":                   "Value",
			"ListTagsForResourceInput.NextToken":   "NextToken",
			"ListTagsForResourceInput.ResourceArn": "ResourceArn",
			"ListTagsForResourceOutput.NextToken":  "NextToken",
			"ListTagsForResourceOutput.Tags":       "Tags",
			"Tag.Key":                              "Key",
			"Tag.Value":                            "Value",
			"TagFilter.Key":                        "Key",
			"TagFilter.Type":                       "Type",
			"TagFilter.Value":                      "Value",
			"TagResourceInput.ResourceArn":         "ResourceArn",
			"TagResourceInput.Tags":                "Tags",
			"UntagResourceInput.ResourceArn":       "ResourceArn",
			"UntagResourceInput.TagKeys":           "TagKeys",
		},
		Client: client,
	}
}

// EventBridge describes Amazon EventBridge.
func EventBridge(client any) Service {
	return Service{
		ID: "EventBridge", Protocol: JSON11, Signing: "events", Target: "AWSEvents",
		Renamed: map[string]string{
			"CapacityProviderStrategyItem.Base":             "base",
			"CapacityProviderStrategyItem.CapacityProvider": "capacityProvider",
			"CapacityProviderStrategyItem.Weight":           "weight",
			"NetworkConfiguration.AwsvpcConfiguration":      "awsvpcConfiguration",
			"PlacementConstraint.Expression":                "expression",
			"PlacementConstraint.Type":                      "type",
			"PlacementStrategy.Field":                       "field",
			"PlacementStrategy.Type":                        "type",
		},
		Client: client,
	}
}

// SSM describes AWS Systems Manager.
func SSM(client any) Service {
	return Service{
		ID: "SSM", Protocol: JSON11, Signing: "ssm", Target: "AmazonSSM",
		Renamed: map[string]string{
			"CommandFilter.Key":                  "key",
			"CommandFilter.Value":                "value",
			"AssociationFilter.Key":              "key",
			"AssociationFilter.Value":            "value",
			"DocumentFilter.Key":                 "key",
			"DocumentFilter.Value":               "value",
			"InstanceInformationFilter.Key":      "key",
			"InstanceInformationFilter.ValueSet": "valueSet",
			"InstancePropertyFilter.Key":         "key",
			"InstancePropertyFilter.ValueSet":    "valueSet",
			"SessionFilter.Key":                  "key",
			"SessionFilter.Value":                "value",
		},
		Unions: []any{
			(*ssmtypes.CloudConnectorConfigurationMemberAzureConfiguration)(nil),
			(*ssmtypes.ConfigurationTargetsMemberSubscriptions)(nil),
			(*ssmtypes.ExecutionInputsMemberAutomation)(nil),
			(*ssmtypes.ExecutionPreviewMemberAutomation)(nil),
			(*ssmtypes.NodeTypeMemberInstance)(nil),
		},
		Client: client,
	}
}

// SQS describes Amazon Simple Queue Service.
func SQS(client any) Service {
	return Service{
		ID: "SQS", Protocol: JSON10, Signing: "sqs", Target: "AmazonSQS",
		Renamed: map[string]string{
			"CreateQueueInput.Tags":                      "tags",
			"ListDeadLetterSourceQueuesOutput.QueueUrls": "queueUrls",
		},
		QueryCodes: map[string]string{
			"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
			"BatchRequestTooLong":          "AWS.SimpleQueueService.BatchRequestTooLong",
			"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",
			"InvalidBatchEntryId":          "AWS.SimpleQueueService.InvalidBatchEntryId",
			"MessageNotInflight":           "AWS.SimpleQueueService.MessageNotInflight",
			"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
			"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
		},
		Client: client,
	}
}

// DynamoDB describes Amazon DynamoDB.
func DynamoDB(client any) Service {
	return Service{
		ID: "DynamoDB", Protocol: JSON10, Signing: "dynamodb", Target: "DynamoDB_20120810",
		Renamed: map[string]string{
			"ThrottlingException.ThrottlingReasons": "throttlingReasons",
			"ThrottlingReason.Reason":               "reason",
			"ThrottlingReason.Resource":             "resource",
		},
		Unions: []any{
			(*dynamodbtypes.AttributeValueMemberB)(nil),
			(*dynamodbtypes.AttributeValueMemberBOOL)(nil),
			(*dynamodbtypes.AttributeValueMemberBS)(nil),
			(*dynamodbtypes.AttributeValueMemberL)(nil),
			(*dynamodbtypes.AttributeValueMemberM)(nil),
			(*dynamodbtypes.AttributeValueMemberN)(nil),
			(*dynamodbtypes.AttributeValueMemberNS)(nil),
			(*dynamodbtypes.AttributeValueMemberNULL)(nil),
			(*dynamodbtypes.AttributeValueMemberS)(nil),
			(*dynamodbtypes.AttributeValueMemberSS)(nil),
		},
		Client: client,
	}
}

// StepFunctions describes AWS Step Functions.
func StepFunctions(client any) Service {
	return Service{
		ID: "SFN", Protocol: JSON10, Signing: "states", Target: "AWSStepFunctions",
		LowerCamel: true,
		Client:     client,
	}
}

// RDS describes the Amazon Relational Database Service, as far as DB instances and their
// snapshots.
func RDS(client any) Service {
	return Service{
		ID: "RDS", Protocol: Query, Signing: "rds", Version: "2014-10-31",
		Namespace: "http://rds.amazonaws.com/doc/2014-10-31/",
		Renamed: map[string]string{
			"[]DBInstance": "DBInstance",
			"[]DBSnapshot": "DBSnapshot",
			"[]DBInstanceAutomatedBackupsReplication":       "DBInstanceAutomatedBackupsReplication",
			"[]DBInstanceRole":                              "DBInstanceRole",
			"[]DBInstanceStatusInfo":                        "DBInstanceStatusInfo",
			"[]DomainMembership":                            "DomainMembership",
			"[]OptionGroupMembership":                       "OptionGroupMembership",
			"[]ProcessorFeature":                            "ProcessorFeature",
			"[]Subnet":                                      "Subnet",
			"[]Tag":                                         "Tag",
			"[]VpcSecurityGroupMembership":                  "VpcSecurityGroupMembership",
			"[]DBParameterGroupStatus":                      "DBParameterGroup",
			"[]DBSecurityGroupMembership":                   "DBSecurityGroup",
			"DBInstance.ReadReplicaDBClusterIdentifiers[]":  "ReadReplicaDBClusterIdentifier",
			"DBInstance.ReadReplicaDBInstanceIdentifiers[]": "ReadReplicaDBInstanceIdentifier",
		},
		Client: client,
	}
}
