package infra

import (
	"slices"
	"strings"
	"testing"
)

// withoutData are the types of resources that keep nothing of what is processed:
// configuration, permissions and connections.
func withoutData() []string {
	return []string{
		"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Events::EventBusPolicy", "AWS::Events::Rule", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::KMS::Key",
		"AWS::Lambda::EventSourceMapping", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
		"AWS::Scheduler::Schedule", "AWS::StepFunctions::StateMachineVersion",
		// Of environments. Instances keep what they have on the volumes of their launch
		// template, and the load balancer's logs are in a bucket.
		"AWS::AutoScaling::AutoScalingGroup", "AWS::AutoScaling::LifecycleHook", "AWS::CertificateManager::Certificate", "AWS::CodeDeploy::Application",
		"AWS::EC2::EIP", "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::FlowLog", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route",
		"AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
		"AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::EC2::VPCCidrBlock", "AWS::EC2::VPCEndpoint", "AWS::EC2::VPCGatewayAttachment",
		"AWS::ElasticLoadBalancingV2::ListenerRule", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::IAM::InstanceProfile", "AWS::RDS::DBParameterGroup",
		"AWS::RDS::DBSubnetGroup", "AWS::Route53::RecordSet", "AWS::SecretsManager::SecretTargetAttachment", "Custom::BlueGreenDeploymentGroup",
	}
}

// rule is what a resource that keeps data must have: each is a fault in words, and
// whether the resource has it.
type rule func(t template, id string, properties map[string]any) map[string]bool

// withData are the rules of the types that keep data or carry it.
func withData() map[string]rule {
	return map[string]rule{
		"AWS::SQS::Queue": func(t template, id string, p map[string]any) map[string]bool {
			return map[string]bool{
				"is not encrypted":                   p["SqsManagedSseEnabled"] != true && p["KmsMasterKeyId"] == nil,
				"can be read and written in plain":   !refusesPlainHTTP(t.policyOf("AWS::SQS::QueuePolicy", "Queues", id)),
				"has neither dead letters nor is it": p["RedrivePolicy"] == nil && !t.deadLetters()[name(id)],
			}
		},
		// SNS encrypts what it stores, with or without a key of the user's ("Data
		// encryption", Amazon SNS Developer Guide).
		"AWS::SNS::Topic": func(t template, id string, _ map[string]any) map[string]bool {
			return map[string]bool{"takes messages in plain": !refusesPlainHTTP(t.policyOf("AWS::SNS::TopicPolicy", "Topics", id))}
		},
		// EventBridge always encrypts ("Encryption at rest in Amazon EventBridge", EventBridge
		// User Guide), is reached by HTTPS only, and keeps nothing without an archive.
		"AWS::Events::EventBus": func(template, string, map[string]any) map[string]bool { return nil },
		"AWS::DynamoDB::Table": func(_ template, _ string, p map[string]any) map[string]bool {
			return map[string]bool{"is encrypted with a key that the account does not see": at(p, "SSESpecification", "SSEEnabled") != true}
		},
		"AWS::S3::Bucket": bucketFaults,
		// CloudWatch Logs always encrypts ("Encrypt log data in CloudWatch Logs using AWS
		// Key Management Service", Amazon CloudWatch Logs User Guide).
		"AWS::Logs::LogGroup": func(_ template, _ string, p map[string]any) map[string]bool {
			days, _ := p["RetentionInDays"].(float64)
			return map[string]bool{"is kept for ever": days <= 0}
		},
		"AWS::Lambda::Function": func(t template, _ string, p map[string]any) map[string]bool {
			return map[string]bool{"logs to a group that is kept for ever": !t.hasLogs(words(at(p, "LoggingConfig", "LogGroup")))}
		},
		// Step Functions always encrypts ("Data at rest encryption in Step Functions", Step
		// Functions Developer Guide).
		"AWS::StepFunctions::StateMachine": func(t template, _ string, p map[string]any) map[string]bool {
			group := strings.TrimPrefix(words(at(p, "LoggingConfiguration", "Destinations")), "CloudWatchLogsLogGroup=LogGroupArn=")
			return map[string]bool{
				"logs to a group that is kept for ever": !t.hasLogs(strings.Replace(group, ".Arn>", ">", 1)),
				"logs what it processes":                at(p, "LoggingConfiguration", "IncludeExecutionData") != false,
			}
		},
		"AWS::RDS::DBInstance":                     databaseFaults,
		"AWS::EC2::LaunchTemplate":                 launchFaults,
		"AWS::ElasticLoadBalancingV2::Listener":    listenerFaults,
		"AWS::ElasticLoadBalancingV2::TargetGroup": func(template, string, map[string]any) map[string]bool { return nil }, // inside the network; its listener is checked
		// ECR always encrypts ("Encryption at rest", Amazon ECR User Guide), and is reached by
		// HTTPS only.
		"AWS::ECR::Repository": func(_ template, _ string, p map[string]any) map[string]bool {
			return map[string]bool{
				"keeps images for ever":           p["LifecyclePolicy"] == nil,
				"has images that nothing scans":   at(p, "ImageScanningConfiguration", "ScanOnPush") != true,
				"lets a tag become another image": p["ImageTagMutability"] != "IMMUTABLE",
			}
		},
		// Secrets Manager always encrypts ("Secret encryption and decryption in AWS Secrets
		// Manager", AWS Secrets Manager User Guide), and is reached by HTTPS only.
		"AWS::SecretsManager::Secret": func(template, string, map[string]any) map[string]bool { return nil },
	}
}

func bucketFaults(t template, id string, p map[string]any) map[string]bool {
	faults := map[string]bool{
		"is not encrypted":                 p["BucketEncryption"] == nil,
		"can be read and written in plain": !refusesPlainHTTP(t.policyOn("AWS::S3::BucketPolicy", "Bucket", id)),
		"may give objects to others":       !strings.Contains(words(p["OwnershipControls"]), "BucketOwnerEnforced"),
		"keeps old versions for ever":      at(p, "VersioningConfiguration", "Status") == "Enabled" && !strings.Contains(words(p["LifecycleConfiguration"]), "NoncurrentVersionExpiration"),
	}
	for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		faults["may be made public: "+block+" is off"] = at(p, "PublicAccessBlockConfiguration", block) != true
	}
	return faults
}

// databaseFaults: connections without TLS are refused by the server's own parameter
// ("Using SSL with a PostgreSQL DB instance", Amazon RDS User Guide).
func databaseFaults(t template, _ string, p map[string]any) map[string]bool {
	tls := false
	for id, group := range t.of("AWS::RDS::DBParameterGroup") {
		if words(p["DBParameterGroupName"]) == "<"+name(id)+">" {
			tls = words(at(group.Properties, "Parameters", "rds.force_ssl")) == "1"
		}
	}
	retention, _ := p["BackupRetentionPeriod"].(float64)
	return map[string]bool{
		"is not encrypted":         p["StorageEncrypted"] != true,
		"takes connections plain":  !tls,
		"has a public address":     p["PubliclyAccessible"] != false,
		"has no backups":           retention < 1,
		"has a password in a text": p["MasterUserPassword"] != nil && !strings.Contains(words(p["MasterUserPassword"]), "{{resolve:secretsmanager:"),
	}
}

// launchFaults: what an image says of its volumes does not encrypt them.
func launchFaults(_ template, _ string, p map[string]any) map[string]bool {
	data := at(p, "LaunchTemplateData")
	volumes := asList(at(data, "BlockDeviceMappings"))
	plain := slices.ContainsFunc(volumes, func(v any) bool { return at(v, "Ebs", "Encrypted") != true })
	return map[string]bool{
		"has a volume that is not encrypted":   len(volumes) == 0 || plain,
		"gives credentials away without token": at(data, "MetadataOptions", "HttpTokens") != "required",
	}
}

// listenerFaults: HTTP only redirects.
func listenerFaults(_ template, _ string, p map[string]any) map[string]bool {
	if p["Protocol"] == "HTTPS" {
		// "Security policies for your Application Load Balancer" (Elastic Load Balancing).
		policy, _ := p["SslPolicy"].(string)
		return map[string]bool{
			"takes TLS before 1.2": !strings.HasPrefix(policy, "ELBSecurityPolicy-TLS13-1-2-") && !strings.HasPrefix(policy, "ELBSecurityPolicy-TLS13-1-3-"),
			"has no certificate":   p["Certificates"] == nil,
		}
	}
	redirects := true
	for _, action := range asList(p["DefaultActions"]) {
		redirects = redirects && at(action, "Type") == "redirect" && at(action, "RedirectConfig", "Protocol") == "HTTPS"
	}
	return map[string]bool{"answers in plain": !redirects || p["DefaultActions"] == nil}
}

// policyOn is policyOf for policies that are of one resource.
func (t template) policyOn(kind, property, logicalID string) []statement {
	var all []statement
	for _, policy := range t.of(kind) {
		if at(policy.Properties[property], "Ref") == logicalID {
			all = append(all, statements(policy.Properties["PolicyDocument"])...)
		}
	}
	return all
}

// hasLogs reports whether a reference is to a log group of the template.
func (t template) hasLogs(reference string) bool {
	for id := range t.of("AWS::Logs::LogGroup") {
		if reference == "<"+name(id)+">" {
			return true
		}
	}
	return false
}

// deadLetters are the dead-letter queues of a template: of queues, rules,
// subscriptions, schedules and functions.
func (t template) deadLetters() map[string]bool {
	found := map[string]bool{}
	add := func(arn any) {
		if arn != nil {
			found[strings.TrimSuffix(strings.Trim(words(arn), "<>"), ".Arn")] = true
		}
	}
	for _, r := range t.Resources {
		add(at(r.Properties, "RedrivePolicy", "deadLetterTargetArn"))
		add(at(r.Properties, "DeadLetterConfig", "TargetArn"))
		add(at(r.Properties, "Target", "DeadLetterConfig", "Arn"))
		for _, target := range asList(r.Properties["Targets"]) {
			add(at(target, "DeadLetterConfig", "Arn"))
		}
	}
	return found
}

// Whatever keeps data is encrypted, for a time, and reached by TLS only, in every
// variant.
func TestDataIsEncryptedAndTLSOnly(t *testing.T) {
	t.Parallel()
	rules := withData()
	for variant, template := range variants() {
		for id, r := range template.Resources {
			if given(variant, id) || slices.Contains(withoutData(), r.Type) {
				continue
			}
			check, known := rules[r.Type]
			if !known {
				t.Errorf("%s: %s is of type %s: say in withData() or withoutData() whether that stores data", variant, id, r.Type)
				continue
			}
			for fault, has := range check(template, id, r.Properties) {
				if has {
					t.Errorf("%s: %s %s", variant, id, fault)
				}
			}
		}
	}
}

// What was moved to a dead-letter queue is noticed, in every variant.
func TestDeadLetterQueuesHaveAlarms(t *testing.T) {
	t.Parallel()
	for variant, template := range variants() {
		queues := template.deadLetters()
		if len(queues) == 0 {
			t.Errorf("%s has no dead-letter queue", variant)
		}
		for queue := range queues {
			watches := "ApproximateNumberOfMessagesVisible Maximum Name=QueueName Value=<" + queue + ".QueueName>"
			found := 0
			for _, alarm := range template.of("AWS::CloudWatch::Alarm") {
				if strings.Contains(watched(alarm.Properties), watches) && alarm.Properties["AlarmActions"] != nil {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s: %d alarms watch %s, want one: messages wait there until they expire", variant, found, queue)
			}
		}
	}
}

// unconditional are the services that may use a resource by its policy without a condition that
// names a source of this account, each with the reason.
func unconditional() map[string]string {
	return map[string]string{
		"AWS::S3::BucketPolicy logdelivery.elasticloadbalancing.amazonaws.com": "it writes below the number of the load balancer's account only, and the policy allows this account's (\"Enable access logs for your Application Load Balancer\", Elastic Load Balancing)",

		"AWS::KMS::Key events.amazonaws.com": "a delivery of EventBridge has no source for the key's policy to see (\"Enable compatibility between event sources from AWS services and encrypted topics\", Amazon SNS Developer Guide); what it delivers to is the queue's policy to say",
		"AWS::KMS::Key sns.amazonaws.com":    "the topic has the same key, and a key cannot name in its policy what refers to it; what SNS delivers to is the queue's policy to say",
	}
}

// Resource policies let in AWS services, for resources of this account, and nobody else.
func TestResourcePoliciesAreClosedToOthers(t *testing.T) {
	t.Parallel()
	documents := map[string]string{
		"AWS::SQS::QueuePolicy": "PolicyDocument", "AWS::SNS::TopicPolicy": "PolicyDocument", "AWS::S3::BucketPolicy": "PolicyDocument",
		"AWS::KMS::Key": "KeyPolicy", "AWS::ECR::Repository": "RepositoryPolicyText", "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
		"AWS::Events::EventBusPolicy": "Statement",
	}
	accepted := unconditional()
	const root = "AWS=arn:<Partition>:iam::<AccountId>:root"
	for variant, template := range variants() {
		for id, r := range template.Resources {
			for _, s := range statements(r.Properties[documents[r.Type]]) {
				service, isService := strings.CutPrefix(s.Principal, "Service=")
				switch {
				case s.Effect == "Deny", s.Principal == root && r.Type == "AWS::KMS::Key":
				case !isService:
					t.Errorf("%s: %s lets in %s for %v", variant, id, s.Principal, s.Actions)
				case strings.Contains(s.Condition, "aws:SourceArn=<"), strings.Contains(s.Condition, "aws:SourceArn=arn:<Partition>:"),
					strings.Contains(s.Condition, "aws:SourceAccount=<AccountId>"),
					strings.HasPrefix(s.Condition, "ArnLike=kms:EncryptionContext:aws:logs:arn=arn:<Partition>:logs:<Region>:<AccountId>:"):
				case accepted[r.Type+" "+service] == "":
					t.Errorf("%s: %s lets in %s for %v on behalf of any account, if %q", variant, id, service, s.Actions, s.Condition)
				}
			}
		}
		for id, r := range template.of("AWS::Lambda::Permission") {
			if r.Properties["SourceArn"] == nil && r.Properties["SourceAccount"] == nil {
				t.Errorf("%s: %s lets %v invoke a function on behalf of any account", variant, id, r.Properties["Principal"])
			}
		}
	}
}
