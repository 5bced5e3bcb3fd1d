package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/environment/spec"
)

// The kinds of subnets, in the order in which they get their addresses.
const (
	publicSubnets   = "Public"   // load balancer and NAT gateways
	privateSubnets  = "Private"  // instances and functions
	isolatedSubnets = "Isolated" // the database
)

// addNetwork adds the VPC, with IPv6 beside IPv4, as users may have either. The zones are
// named, so that a synthesis asks AWS nothing.
func (e *Environment) addNetwork() {
	n := e.Spec.Network
	logs := newLogGroup(e, "FlowLogs", float64(e.Spec.Logs.RetentionDays))
	stack := awscdk.Stack_Of(e)
	role := awsiam.NewRole(e, jsii.String("FlowLogsRole"), &awsiam.RoleProps{
		// "IAM role for publishing flow logs to CloudWatch Logs" (VPC user guide).
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("vpc-flow-logs.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{
				"ArnLike":      map[string]any{"aws:SourceArn": "arn:" + *stack.Partition() + ":ec2:" + *stack.Region() + ":" + *stack.Account() + ":vpc-flow-log/*"},
				"StringEquals": map[string]any{"aws:SourceAccount": stack.Account()},
			},
		}),
	})
	e.Vpc = awsec2.NewVpc(e, jsii.String("Vpc"), &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(&n.CIDR), IpProtocol: awsec2.IpProtocol_DUAL_STACK,
		AvailabilityZones: e.zones(n.Zones), NatGateways: jsii.Number(n.NATGateways),
		// The addresses are divided for as many zones as there may be, so that another zone
		// moves no subnet.
		ReservedAzs: jsii.Number(spec.MaxZones - len(n.Zones)),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String(publicSubnets), SubnetType: awsec2.SubnetType_PUBLIC, MapPublicIpOnLaunch: jsii.Bool(false)},
			{Name: jsii.String(privateSubnets), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
			{Name: jsii.String(isolatedSubnets), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		},
		// What is read from S3 and DynamoDB needs no NAT gateway, which costs by the byte.
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"S3": {Service: awsec2.GatewayVpcEndpointAwsService_S3()}, "DynamoDB": {Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB()},
		},
		FlowLogs: &map[string]*awsec2.FlowLogOptions{
			"Flow": {Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(logs, role), TrafficType: awsec2.FlowLogTrafficType_REJECT},
		},
	})
}

// zones are the names of Availability Zones by their letters.
func (e *Environment) zones(letters []string) *[]*string {
	var all []*string
	for _, letter := range letters {
		all = append(all, jsii.String(e.Spec.Region+letter))
	}
	return &all
}

// PrivateSubnets are the IDs of the subnets for instances and functions.
func (e *Environment) PrivateSubnets() *[]*string {
	return e.Vpc.SelectSubnets(&awsec2.SubnetSelection{SubnetGroupName: jsii.String(privateSubnets)}).SubnetIds
}

// subnets are those that instances of some zones run in.
func (e *Environment) subnets(letters []string) *awsec2.SubnetSelection {
	return &awsec2.SubnetSelection{SubnetGroupName: jsii.String(privateSubnets), AvailabilityZones: e.zones(letters)}
}
