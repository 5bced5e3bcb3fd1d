package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecr"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newLogGroup makes a log group that is deleted with the stack.
func newLogGroup(scope constructs.Construct, id string, retentionDays float64) awslogs.LogGroup {
	// The CDK's own type has a name per retention; the number is what the template holds
	// either way.
	group := awslogs.NewLogGroup(scope, &id, &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY, Retention: awslogs.RetentionDays_INFINITE})
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(&retentionDays)
	return group
}

// bucket are the properties that the environment's buckets share. They outlive the stack:
// CloudFormation deletes no bucket that holds anything.
func bucket(rules ...*awss3.LifecycleRule) *awss3.BucketProps {
	rules = append(rules, &awss3.LifecycleRule{AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7))})
	return &awss3.BucketProps{
		Encryption: awss3.BucketEncryption_S3_MANAGED, EnforceSSL: jsii.Bool(true), MinimumTLSVersion: jsii.Number(1.2),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(), ObjectOwnership: awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN, LifecycleRules: &rules,
	}
}

// addRevisions adds the bucket that revisions are deployed from, below <service's name>/.
func (e *Environment) addRevisions() {
	props := bucket(&awss3.LifecycleRule{NoncurrentVersionExpiration: awscdk.Duration_Days(jsii.Number(90))})
	props.Versioned = jsii.Bool(true)
	e.Revisions = awss3.NewBucket(e, jsii.String("Revisions"), props)
}

// addAccessLogs has the load balancer write its access logs to a bucket, which takes keys of
// S3's own only, from the service that delivers them, below this account's number ("Enable
// access logs for your Application Load Balancer", ALB guide). The CDK's own way lets in
// more than that.
func (e *Environment) addAccessLogs() {
	days := jsii.Number(e.Spec.Logs.RetentionDays)
	logs := awss3.NewBucket(e, jsii.String("AccessLogs"), bucket(&awss3.LifecycleRule{Expiration: awscdk.Duration_Days(days)}))
	logs.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("DeliverAccessLogs"), Actions: jsii.Strings("s3:PutObject"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logdelivery.elasticloadbalancing.amazonaws.com"), nil)},
		Resources:  &[]*string{logs.ArnForObjects(jsii.String("AWSLogs/" + *awscdk.Stack_Of(e).Account() + "/*"))},
	}))
	e.LoadBalancer.SetAttribute(jsii.String("access_logs.s3.enabled"), jsii.String("true"))
	e.LoadBalancer.SetAttribute(jsii.String("access_logs.s3.bucket"), logs.BucketName())
	e.LoadBalancer.Node().AddDependency(logs) // the policy is checked when they are switched on
}

// newRepository makes the image registry of a service. A tag always means the same image,
// and old images go. It outlives the stack, so CloudFormation names it: with a name of its
// own, a stack that is deployed again would fail, and a first deployment after one that
// failed.
func (e *Environment) newRepository(service string) awsecr.Repository {
	r := awsecr.NewRepository(e, jsii.String("Images-"+service), &awsecr.RepositoryProps{
		ImageScanOnPush:    jsii.Bool(true),
		ImageTagMutability: awsecr.TagMutability_IMMUTABLE, RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		LifecycleRules: &[]*awsecr.LifecycleRule{
			{Description: jsii.String("Images that no tag names"), TagStatus: awsecr.TagStatus_UNTAGGED, MaxImageAge: awscdk.Duration_Days(jsii.Number(7))},
			{Description: jsii.String("The newest images"), TagStatus: awsecr.TagStatus_ANY, MaxImageCount: jsii.Number(100)},
		},
	})
	e.Repositories[service] = r
	return r
}
