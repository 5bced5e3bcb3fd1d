package config

import "fmt"

const (
	// environmentLimit is what Lambda takes for all variables of a function
	// together, in bytes (Lambda developer guide, "Lambda quotas").
	environmentLimit = 4096
	// resourceNames is what is left of it for what only the deployment knows: the
	// queue's URL, the table's name and the topics' ARNs, at their longest.
	resourceNames = 1200
	// patternLimit is the longest event pattern, in bytes (EventBridge user
	// guide, "Amazon EventBridge quotas").
	patternLimit = 2048
	// patternWithoutNames is what a pattern of deployments has besides the
	// applications.
	patternWithoutNames = 121
	// statementLimit keeps a statement of names within a managed policy, which
	// takes 6,144 characters (IAM user guide, "IAM and AWS STS quotas") and which
	// the CDK splits larger policies into, statement by statement.
	statementLimit = 5500
	// arnWithoutName is the longest that an ARN of CodeDeploy or Systems Manager
	// is without the name in it, quotes and comma included.
	arnWithoutName = 90
)

// excesses are the settings that CloudFormation would refuse for their size.
func excesses(h Hooks) []error {
	var faults []error
	excess := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	const fewer = "name fewer applications, or give deployhooks:deploymentGroups or deployhooks:repairTag instead"
	for _, f := range []struct {
		name, remedy string
		environment  map[string]string
	}{
		{"repair", fewer, h.RepairEnvironment()},
		{"drain", "make the command an SSM document (deployhooks:drainDocument), or name fewer target groups and documents", h.DrainEnvironment()},
	} {
		size := resourceNames
		for name, value := range f.environment {
			size += len(name) + len(value)
		}
		if size > environmentLimit {
			excess("the environment of %s would have up to %d bytes, and Lambda takes %d: %s", f.name, size, environmentLimit, f.remedy)
		}
	}
	if size := patternWithoutNames + len(jsonList(h.Repair.Applications)); size > patternLimit {
		excess("context key %sapplications: the event pattern would have %d bytes, and EventBridge takes %d: "+fewer, Prefix, size, patternLimit)
	}
	for key, names := range map[string][]string{
		"applications": h.Repair.Applications, "hookRoleArns": h.Repair.HookRoleARNs, "drainTagDocuments": h.Drain.TagDocuments,
	} {
		size := 0
		for _, name := range names {
			size += arnWithoutName + len(name)
		}
		if size > statementLimit {
			excess("context key %s%s: %d names make an IAM statement of up to %d bytes, more than the %d that fit a policy: name fewer", Prefix, key, len(names), size, statementLimit)
		}
	}
	return faults
}
