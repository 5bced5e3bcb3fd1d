package main

import (
	"fmt"
	"strings"

	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// guide says in plain words what is served and what to try with it.
func (s *sample) guide() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The simulated AWS region %s of the account %s is served at %s\n\n", region.Name, region.Account, s.url)
	fmt.Fprintf(&b, "In it, CodeDeploy releases the application %s, deployment group %s, blue/green: %d instances of the\n"+
		"Auto Scaling group %s in the target group %s. %s\n%s\n\n",
		s.service.Application, s.service.DeploymentGroup, s.service.Instances, s.service.Group, s.service.TargetGroups[0], s.aboutUsers(), s.aboutTime())
	b.WriteString(s.aboutHooks())
	b.WriteString("Point the AWS CLI, an SDK or a function at it, in a second terminal:\n\n")
	for _, line := range s.exports() {
		b.WriteString("  export " + line + "\n")
	}
	b.WriteString("\nThen try:\n")
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
  GET  %[1]snotices?after=N        what the hooks published to people, likewise
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
		return start + " and passes only when told."
	case 1:
		return start + " and passes as real time does."
	}
	return fmt.Sprintf("%s and passes %g times as fast as real time.", start, s.options.speed)
}

// aboutHooks says whether anybody repairs, and how to have it so.
func (s *sample) aboutHooks() string {
	if !s.options.hooks {
		return "Nothing repairs what a release leaves broken; with --hooks the repair function does (make region ARGS=--hooks).\n\n"
	}
	return "The built repair function runs in it, hears the events of every release and sweeps every five minutes. What it\n" +
		"tells people is printed here; its log is " + s.log + ".\n\n"
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
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_REGION="+region.Name, "AWS_DEFAULT_REGION="+region.Name)
}

// trial is something to try in a shell.
type trial struct{ about, command string }

// trials tell the story of the fault that this project repairs.
func (s *sample) trials() []trial {
	group := fmt.Sprintf("--application-name %s --deployment-group-name %s", s.service.Application, s.service.DeploymentGroup)
	arn := s.region.TargetGroupARN(s.service.TargetGroups[0])
	current := "$(aws deploy get-deployment-group " + group + " \\\n    --query 'deploymentGroupInfo.autoScalingGroups[0].name' --output text)"
	trials := []trial{
		{"the Auto Scaling group and what it is attached to", "aws autoscaling describe-auto-scaling-groups \\\n    --query 'AutoScalingGroups[].[AutoScalingGroupName,DesiredCapacity,TargetGroupARNs]'"},
		{"the instances behind the load balancer", "aws elbv2 describe-target-health --target-group-arn " + arn},
		{"release it, and let a quarter of an hour pass", "aws deploy create-deployment " + group + "\ncurl -sX POST '" + s.url + controlPath + "advance?seconds=900'"},
	}
	sources := "aws autoscaling describe-traffic-sources --auto-scaling-group-name \"" + current + "\""
	if s.options.hooks {
		return append(trials,
			trial{"the new Auto Scaling group: attached, by the hooks", sources},
			trial{"what they told people", "curl -s '" + s.url + controlPath + "notices'"},
		)
	}
	return append(trials,
		trial{"the new Auto Scaling group: attached to nothing", sources},
		trial{"attach it by hand, as the hooks do", "aws autoscaling attach-traffic-sources --auto-scaling-group-name \"" + current + "\" \\\n    --traffic-sources Identifier=" + arn + ",Type=elbv2"},
	)
}
