package infra

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/environment/spec"
)

// CodeDeploy deletes the Auto Scaling group of the template after the first release. An
// update of a group that is gone fails, and the whole stack rolls back.
func TestNoOrdinaryChangeTouchesTheFirstAutoScalingGroup(t *testing.T) {
	t.Parallel()
	before, after := environment("production", ""), environment("changed", "")
	for kind, prefix := range map[string]string{"AWS::AutoScaling::AutoScalingGroup": "ServicewebSeed", "AWS::AutoScaling::LifecycleHook": "ServicewebDrain"} {
		if diff := cmp.Diff(before.only(kind, prefix).Properties, after.only(kind, prefix).Properties); diff != "" {
			t.Errorf("after a release nobody can deploy the stack any more (-before +after):\n%s", diff)
		}
	}
	seed := before.only("AWS::AutoScaling::AutoScalingGroup", "ServicewebSeed").Properties
	if words(at(seed, "LaunchTemplate", "Version")) != "1" || seed["AutoScalingGroupName"] != nil || seed["DesiredCapacity"] != nil {
		t.Errorf("the first group follows the launch template, or has a name or a size: %v", seed)
	}
	group := after.only("Custom::BlueGreenDeploymentGroup", "Serviceweb").Properties
	for property, want := range map[string]string{
		"MinSize": "6", "MaxSize": "40", "TargetCPUPercent": "40", "TerminationWaitMinutes": "5",
		"LaunchTemplateVersion": "<ServicewebTemplate.LatestVersionNumber>", "AutoScalingGroup": "<ServicewebSeed>",
	} {
		if got := words(group[property]); got != want {
			t.Errorf("%s of the current group becomes %s, want %s", property, got, want)
		}
	}
}

// A load balancer's rules cannot swap priorities in one update, so none may change.
func TestAnotherServiceMovesNoRule(t *testing.T) {
	t.Parallel()
	before, after := environment("production", ""), environment("changed", "")
	rule := func(in template) any {
		return in.only("AWS::ElasticLoadBalancingV2::ListenerRule", "Serviceweb").Properties["Priority"]
	}
	if rule(before) != rule(after) {
		t.Errorf("the priority of web changes from %v to %v when another service is added", rule(before), rule(after))
	}
}

// Only one process asks for the group's instances: CloudFormation deletes the custom
// resource, and with it the copies, before what they need, and makes it after.
func TestDeploymentGroupComesAfterWhatInstancesNeed(t *testing.T) {
	t.Parallel()
	production := environment("production", "")
	needs := production.only("Custom::BlueGreenDeploymentGroup", "Serviceweb").DependsOn
	for _, prefix := range []string{"ServicewebRoleDefaultPolicy", "ServicewebRule", "ServicewebDrainHook", "VpcPrivateSubnet1DefaultRoute", "DeploymentGroupsRequestsRoleDefaultPolicy"} {
		if !slices.ContainsFunc(needs, func(id string) bool { return strings.HasPrefix(id, prefix) }) {
			t.Errorf("the first instances start, or the last stop, without %s", prefix)
		}
	}
}

// A release that crashes after its reroute refuses connections and answers no 5xx itself.
func TestErrorsAlarmSeesAServiceThatIsDown(t *testing.T) {
	t.Parallel()
	metrics := words(environment("production", "").only("AWS::CloudWatch::Alarm", "ServicewebErrorsAlarm").Properties["Metrics"])
	for _, want := range []string{"FILL(errors, 0) + FILL(refused, 0)", "MetricName=HTTPCode_Target_5XX_Count", "MetricName=TargetConnectionErrorCount"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no alarm stops the deployment: the metrics are %s, without %s", metrics, want)
		}
	}
}

// CloudFormation changes the function's role before it deletes what the file no longer has: a
// role for the services of the file alone leaves the instances of one that was removed running
// for ever.
func TestRemovedServiceCanBeDeleted(t *testing.T) {
	t.Parallel()
	var may int
	for _, p := range environment("production", "").permissions("DeploymentGroupsRequestsRole") {
		for _, resource := range p.Resources {
			if strings.HasSuffix(resource, ":deploymentgroup:production-*/*") {
				may += len(p.Actions)
			} else if strings.Contains(resource, "deploymentgroup:production-web") {
				t.Errorf("%v is allowed on %s only", p.Actions, resource)
			}
		}
	}
	if may == 0 {
		t.Error("the function may change no deployment group of the environment")
	}
}

// Instances of another environment, or of nobody's, are out of scope.
func TestHooksOfAnEnvironmentKeepToIt(t *testing.T) {
	t.Parallel()
	for function, variable := range map[string]string{"Repair": "TAG", "Drain": "TAG"} {
		if got := environment("production", "-hooks").environment(function)[variable]; got != spec.Tag+"=production" {
			t.Errorf("%s acts on what has the tag %q", function, got)
		}
	}
	seed := environment("production", "").only("AWS::AutoScaling::AutoScalingGroup", "ServicewebSeed").Properties
	if tags := words(seed["Tags"]); !strings.Contains(tags, "Key="+spec.Tag+" PropagateAtLaunch=true Value=production") {
		t.Errorf("no hook acts on the groups of the environment, which have the tags %s", tags)
	}
}

func TestInstancesOfTrainingAreInOneZone(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"training": 1, "production": 3} {
		seed := environment(name, "").only("AWS::AutoScaling::AutoScalingGroup", "ServicewebSeed").Properties
		if got := len(asList(seed["VPCZoneIdentifier"])); got != want {
			t.Errorf("instances of %s are in %d zones, want %d", name, got, want)
		}
	}
	if got := len(environment("production", "").of("AWS::EC2::NatGateway")); got != 3 {
		t.Errorf("production has %d NAT gateways: the loss of a zone cuts instances in others off", got)
	}
}

// Subnets keep their addresses when a zone is added: CloudFormation would replace them,
// with all that is in them.
func TestAnotherZoneMovesNoSubnet(t *testing.T) {
	t.Parallel()
	subnets := func(name string) map[string]string {
		all := map[string]string{}
		for id, r := range environment(name, "").of("AWS::EC2::Subnet") {
			_, host, _ := strings.Cut(words(r.Properties["CidrBlock"]), ".")
			_, all[id], _ = strings.Cut(host, ".")
		}
		return all
	}
	two, three := subnets("training"), subnets("production") // both of a /16
	for id, addresses := range two {
		if three[id] != addresses {
			t.Errorf("%s has %s with two zones, and %s with three", id, addresses, three[id])
		}
	}
}

// What outlives the stack has no name of its own, which a stack that is deployed again, or
// for the first time after a failure, would find taken.
func TestEnvironmentCanBeDeployedAgain(t *testing.T) {
	t.Parallel()
	names := map[string]string{"AWS::ECR::Repository": "RepositoryName", "AWS::S3::Bucket": "BucketName"}
	for _, name := range []string{"training", "staging"} {
		for id, r := range environment(name, "").Resources {
			property := names[r.Type]
			switch {
			case r.DeletionPolicy != "Retain" || r.Type == "AWS::AutoScaling::LifecycleHook": // which belongs to a group
			case property == "":
				t.Errorf("%s: say what names %s, of type %s", name, id, r.Type)
			case r.Properties[property] != nil:
				t.Errorf("%s: %s is named %v, and outlives the stack", name, id, r.Properties[property])
			}
		}
	}
}

// What users send is never read or changed on the way, and what they must not send never
// arrives.
func TestLoadBalancerSpeaksHTTPSOnly(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"training", "production", "staging"} {
		in := environment(name, "")
		https, http := listener(in, "443"), listener(in, "80")
		if got := words(https["SslPolicy"]); got != "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" {
			t.Errorf("%s: the TLS policy is %s", name, got)
		}
		if got := words(https["DefaultActions"]); !strings.Contains(got, "StatusCode=404") {
			t.Errorf("%s: an unknown host gets %s", name, got)
		}
		if got := words(http["DefaultActions"]); !strings.Contains(got, "Port=443 Protocol=HTTPS StatusCode=HTTP_301") {
			t.Errorf("%s: HTTP gets %s", name, got)
		}
		attributes := words(in.only("AWS::ElasticLoadBalancingV2::LoadBalancer", "").Properties["LoadBalancerAttributes"])
		for _, want := range []string{"drop_invalid_header_fields.enabled Value=true", "access_logs.s3.enabled Value=true"} {
			if !strings.Contains(attributes, want) {
				t.Errorf("%s: the load balancer has no %s", name, want)
			}
		}
	}
}

// listener is the load balancer's at a port.
func listener(in template, port string) map[string]any {
	for _, r := range in.of("AWS::ElasticLoadBalancingV2::Listener") {
		if words(r.Properties["Port"]) == port {
			return r.Properties
		}
	}
	panic("no listener at port " + port)
}

// A mistake cannot delete production's data, and a person can delete training.
func TestProtectionFollowsTheFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"training": false, "production": true} {
		in := environment(name, "")
		attributes := words(in.only("AWS::ElasticLoadBalancingV2::LoadBalancer", "").Properties["LoadBalancerAttributes"])
		if got := strings.Contains(attributes, "deletion_protection.enabled Value=true"); got != want {
			t.Errorf("%s: the load balancer's protection is %v", name, got)
		}
		database := in.only("AWS::RDS::DBInstance", "Database")
		if database.Properties["DeletionProtection"] != want || database.DeletionPolicy != "Snapshot" {
			t.Errorf("%s: the database's protection is %v, and at its end: %s", name, database.Properties["DeletionProtection"], database.DeletionPolicy)
		}
	}
}

// Whoever reads a launch template or user data finds no secret; instances may read that of
// their database, and nothing of another service's.
func TestSecretsReachServicesByPermission(t *testing.T) {
	t.Parallel()
	staging := environment("staging", "")
	for id, r := range staging.of("AWS::EC2::LaunchTemplate") {
		if data := words(at(r.Properties, "LaunchTemplateData", "UserData")); strings.Contains(data, "resolve:") || strings.Contains(strings.ToLower(data), "password") {
			t.Errorf("%s has a secret in its user data: %s", id, data)
		}
	}
	for service, other := range map[string]string{"web": "searchapi", "searchapi": "web"} {
		var secrets, objects []string
		for _, s := range staging.permissions("Service" + service + "RoleDefault") {
			if slices.Contains(s.Actions, "secretsmanager:GetSecretValue") {
				secrets = append(secrets, s.Resources...)
			}
			if slices.Contains(s.Actions, "s3:GetObject") {
				objects = append(objects, s.Resources...)
			}
			if strings.Contains(strings.Join(s.Resources, " "), "Images"+other) {
				t.Errorf("%s pulls the images of %s", service, other)
			}
		}
		if len(secrets) != 1 || !strings.HasPrefix(secrets[0], "<DatabaseSecretAttachment") {
			t.Errorf("%s reads the secrets %v", service, secrets)
		}
		name := map[string]string{"web": "web", "searchapi": "search-api"}[service]
		if want := []string{"<Revisions.Arn>/staging-" + name + "/*"}; !slices.Equal(objects, want) {
			t.Errorf("%s reads revisions %v, want %v", service, objects, want)
		}
	}
}

// The worker that makes tenants' databases runs where the database lets it in.
func TestTenantsReachTheDatabaseOfTheirEnvironment(t *testing.T) {
	t.Parallel()
	network := words(environment("staging", "-tenants").only("AWS::Lambda::Function", "DatabaseFunction").Properties["VpcConfig"])
	if strings.Count(network, "PrivateSubnet") != 3 || !strings.Contains(network, "DatabaseClients") {
		t.Errorf("the worker of class database runs in %s", network)
	}
	ingress := words(environment("staging", "").only("AWS::EC2::SecurityGroupIngress", "DatabaseSecurityGroupfromdeployhooksstagingDatabaseClients").Properties)
	if !strings.Contains(ingress, "<DatabaseClients.GroupId>") {
		t.Errorf("the database lets in %s", ingress)
	}
}

// The number of resources with which an environment's file is refused is that of the
// templates.
func TestResourcesAreThoseThatAreCounted(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"training": environmentFolder + "/training.yaml", "production": environmentFolder + "/production.yaml", "staging": "../../infra/environment/spec/testdata/everything.yaml"} {
		e, err := spec.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := spec.Resources(e), len(environment(name, "").Resources); got != want {
			t.Errorf("%s is said to have %d resources, and has %d: correct the numbers in infra/environment/spec/size.go, or a large environment ends with a stack trace", name, got, want)
		}
	}
}
