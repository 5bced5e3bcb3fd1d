package main

import (
	"fmt"
	"slices"
	"strings"

	"deployhooks/test/hooks"
	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// guide says in plain words what is served and what to try with it.
func (s *sample) guide() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The simulated AWS region %s of the account %s is served at %s\n\n", region.Name, region.Account, s.url)
	fmt.Fprintf(&b, "In it, CodeDeploy releases the application %s, deployment group %s, blue/green: %d instances of the\n"+
		"Auto Scaling group %s in the target group %s. %s\n"+
		"Other software has also registered them in the target group %s, which their Auto Scaling group does not know.\n%s\n\n",
		s.service.Application, s.service.DeploymentGroup, s.service.Instances, s.service.Group, s.service.TargetGroups[0], s.aboutUsers(), partners, s.aboutTime())
	b.WriteString(s.aboutHooks())
	b.WriteString("Point the AWS CLI, an SDK or a function at it, in a second terminal:\n\n" +
		"  unset AWS_PROFILE AWS_SESSION_TOKEN AWS_IGNORE_CONFIGURED_ENDPOINT_URLS\n")
	for _, line := range s.exports() {
		b.WriteString("  export " + line + "\n")
	}
	b.WriteString("\nVersion 1 of the AWS CLI ignores these for sqs: give its sqs commands --endpoint-url \"$AWS_ENDPOINT_URL_SQS\",\n" +
		"or they go to AWS, which refuses the credentials above. No other command goes there.\n\nThen try:\n")
	for _, t := range s.trials() {
		fmt.Fprintf(&b, "\n  # %s\n  %s\n", t.about, strings.ReplaceAll(t.command, "\n", "\n  "))
	}
	b.WriteString("\nServed are these operations, and any other is answered with an error:\n\n" + s.served())
	fmt.Fprintf(&b, `
Beside AWS's own APIs there are

  POST %[1]sadvance?seconds=N      lets virtual time pass
  POST %[1]sdeploy                 starts a deployment of %[2]s/%[3]s, or of ?application=A&deploymentGroup=D
  GET  %[1]sstate                  everything at a glance, as JSON
  GET  %[1]sevents?after=N         the events on the default bus but the first N, as JSON
  GET  %[1]snotifications?after=N  what CodeDeploy published to the topic %[4]s, likewise
  GET  %[1]snotices?after=N        what the hooks published to operators, likewise
  GET  %[1]s                       this text

`, s.url+controlPath, s.service.Application, s.service.DeploymentGroup, topic)
	return b.String()
}

func (s *sample) aboutUsers() string {
	if s.options.perSecond == 0 {
		return "Nobody uses it."
	}
	return fmt.Sprintf("Its users send %d requests a second.", s.options.perSecond)
}

func (s *sample) aboutTime() string {
	start := "Virtual time begins at " + s.region.Start().Format("2006-01-02 15:04:05 UTC")
	switch s.options.speed {
	case 0:
		return start + " and passes only on request."
	case 1:
		return start + " and passes as real time does."
	}
	return fmt.Sprintf("%s and passes %g times as fast as real time.", start, s.options.speed)
}

// aboutHooks says whether anybody repairs and drains, and how to have it so.
func (s *sample) aboutHooks() string {
	if !s.options.hooks {
		return "Nothing repairs what a release leaves broken, nor drains terminating instances; with --hooks the built\n" +
			"functions do (make region ARGS=--hooks).\n\n"
	}
	return "The built functions repair and drain run in it, receive every event and sweep, as they do when deployed. What they\n" +
		"notify operators of is printed here; their logs, in real time, are " + s.log(hooks.Repair) + " and " + s.log(hooks.Drain) + ".\n\n"
}

// served lists every operation of every service.
func (s *sample) served() string {
	const width = 110
	var b strings.Builder
	for _, service := range wire.ServicesOf(s.region) {
		line := "  " + service.ID + ":"
		for _, operation := range service.Operations() {
			if len(line)+1+len(operation) > width {
				b.WriteString(line + "\n")
				line = "   "
			}
			line += " " + operation
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// exports are the variables that send every call of every SDK and of the AWS
// CLI here, also to services that the region does not have, as NAME=value.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (s *sample) exports() []string {
	lines := []string{"AWS_ENDPOINT_URL=" + s.url}
	for _, service := range wire.ServicesOf(s.region) {
		name := strings.ToUpper(strings.ReplaceAll(service.ID, " ", "_"))
		lines = append(lines, "AWS_ENDPOINT_URL_"+name+"="+s.url)
	}
	return append(lines,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION="+region.Name, "AWS_DEFAULT_REGION="+region.Name)
}

// trial is something to try in a shell.
type trial struct{ about, command string }

// trials show the faults that this project repairs, in order.
func (s *sample) trials() []trial {
	return slices.Concat(s.releaseTrials(), s.drainTrials(), s.standbyTrials())
}

// standbyTrials show what Auto Scaling has done, and take an instance out of
// service for a while.
func (s *sample) standbyTrials() []trial {
	group := "group=\"" + s.current() + "\"\n"
	return []trial{
		{"what Auto Scaling has launched and terminated, and why", group +
			"aws autoscaling describe-scaling-activities --auto-scaling-group-name \"$group\" --max-items 8 \\\n    --query 'Activities[].[StatusCode,Description]' --output text"},
		{"take an instance out of service, and put it back", group +
			"instance=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names \"$group\" \\\n" +
			"    --query \"AutoScalingGroups[0].Instances[?LifecycleState=='InService'].InstanceId | [0]\" --output text)\n" +
			"aws autoscaling enter-standby --auto-scaling-group-name \"$group\" --instance-ids \"$instance\" --should-decrement-desired-capacity\n" +
			s.pass(600) + "\n" +
			"aws autoscaling describe-auto-scaling-instances --instance-ids \"$instance\" --query 'AutoScalingInstances[].LifecycleState' --output text\n" +
			"aws autoscaling exit-standby --auto-scaling-group-name \"$group\" --instance-ids \"$instance\"\n" + s.pass(120)},
		{"the requests that failed so far, with the instance and the reason", "curl -s '" + s.url + controlPath + "state'"},
	}
}

// releaseTrials show a release whose Auto Scaling group comes out attached to
// nothing.
func (s *sample) releaseTrials() []trial {
	arn := s.region.TargetGroupARN(s.service.TargetGroups[0])
	trials := []trial{
		{"the Auto Scaling group and what it is attached to", "aws autoscaling describe-auto-scaling-groups \\\n    --query 'AutoScalingGroups[].[AutoScalingGroupName,DesiredCapacity,TargetGroupARNs]'"},
		{"the instances behind the load balancer", "aws elbv2 describe-target-health --target-group-arn " + arn},
		{"what EC2 says of the instances", "aws ec2 describe-instances --filters Name=instance-state-name,Values=running \\\n    --query 'Reservations[].Instances[].[InstanceId,State.Name,Placement.AvailabilityZone]' --output text"},
		{"release it, and let a quarter of an hour pass", "aws deploy create-deployment " + s.deploymentGroup() + "\n" + s.pass(900)},
	}
	sources := "aws autoscaling describe-traffic-sources --auto-scaling-group-name \"" + s.current() + "\""
	if s.options.hooks {
		return append(trials,
			trial{"the new Auto Scaling group: attached, by repair", sources},
			trial{"what it notified operators of", "curl -s '" + s.url + controlPath + "notices'"},
		)
	}
	return append(trials,
		trial{"the new Auto Scaling group: attached to nothing", sources},
		trial{"attach it by hand, as repair does", "aws autoscaling attach-traffic-sources --auto-scaling-group-name \"" + s.current() + "\" \\\n    --traffic-sources Identifier=" + arn + ",Type=elbv2"},
	)
}

// drainHook is the lifecycle hook that the README says to put on a group.
const drainHook = "deployhooks-drain"

// drainTrials show a scale-in of an instance that has requests in flight.
func (s *sample) drainTrials() []trial {
	arn := s.region.TargetGroupARN(partners)
	instances := "aws autoscaling describe-auto-scaling-groups \\\n    --query 'AutoScalingGroups[].Instances[].[InstanceId,LifecycleState]' --output text"
	targets := "aws elbv2 describe-target-health --target-group-arn " + arn + " \\\n    --query 'TargetHealthDescriptions[].[Target.Id,TargetHealth.State]' --output text"
	scaleIn := trial{"have instances wait for drain before they terminate, and scale in by one", "group=\"" + s.current() + "\"\n" +
		"aws autoscaling put-lifecycle-hook --auto-scaling-group-name \"$group\" --lifecycle-hook-name " + drainHook + " \\\n" +
		"    --lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 900 --default-result CONTINUE\n" +
		fmt.Sprintf("aws autoscaling set-desired-capacity --auto-scaling-group-name \"$group\" --desired-capacity %d\n", s.service.Instances-1) +
		s.pass(20)}
	if s.options.hooks {
		return []trial{
			scaleIn,
			{"the instance: in Terminating:Wait, and draining in " + partners, instances + "\n" + targets},
			{"ten minutes later: drained by drain, and terminated", s.pass(600) + "\n" + instances + "\ngrep 'drain ended' " + s.log(hooks.Drain)},
		}
	}
	return []trial{
		scaleIn,
		{"the instance: in Terminating:Wait, and healthy in " + partners + ", which still sends it requests", instances + "\n" + targets},
		{"drain it and complete its lifecycle action by hand, as drain does", "instance=$(aws autoscaling describe-auto-scaling-instances \\\n" +
			"    --query \"AutoScalingInstances[?LifecycleState=='Terminating:Wait'].InstanceId\" --output text)\n" +
			"aws elbv2 deregister-targets --target-group-arn " + arn + " --targets \"Id=$instance\"\n" +
			s.pass(300) + "\n" +
			"aws autoscaling complete-lifecycle-action --auto-scaling-group-name \"" + s.current() + "\" \\\n" +
			"    --lifecycle-hook-name " + drainHook + " --instance-id \"$instance\" --lifecycle-action-result CONTINUE\n" +
			s.pass(60) + "\n" + instances},
	}
}

// deploymentGroup names the service to the CLI.
func (s *sample) deploymentGroup() string {
	return fmt.Sprintf("--application-name %s --deployment-group-name %s", s.service.Application, s.service.DeploymentGroup)
}

// current is the command that answers the name of the service's Auto Scaling
// group, which is another after each release.
func (s *sample) current() string {
	return "$(aws deploy get-deployment-group " + s.deploymentGroup() + " \\\n    --query 'deploymentGroupInfo.autoScalingGroups[0].name' --output text)"
}

// pass is the command that lets time pass.
func (s *sample) pass(seconds int) string {
	return fmt.Sprintf("curl -sX POST '%sadvance?seconds=%d'", s.url+controlPath, seconds)
}
