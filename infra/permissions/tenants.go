package permissions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"deployhooks/infra/config"
	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// TenantLocation is where the tenants' functions run.
type TenantLocation struct {
	Location
	// Bucket is the ARN of the tenants' bucket.
	Bucket string
	// Machines are the names of the state machines of operations, ManualMachine that of
	// the one that waits for people.
	Machines      []string
	ManualMachine string
}

// Machine is the ARN of a state machine by its name.
func (l TenantLocation) Machine(name string) string { return l.arns("states", "stateMachine:"+name)[0] }

// executions are all executions of a state machine.
func (l TenantLocation) executions(machine string) string {
	return l.arns("states", "execution:"+machine+":*")[0]
}

// blueprints are the compiled blueprints in the bucket.
func (l TenantLocation) blueprints() []string {
	return []string{l.Bucket + "/" + bucket.Blueprints + "/*"}
}

// registry are the statements on the registry's table; see [Drain] for the transactions.
// Names are released, and so items deleted, by intake and the class control alone; only
// intake lists.
func (l TenantLocation) registry(more ...string) Statement {
	return Allow("KeepTenants", []string{l.Table}, append(more, "dynamodb:BatchGetItem", "dynamodb:PutItem")...)
}

// Intake are the statements of the intake function's role. The asset is the compiled
// blueprint as the CDK has uploaded it.
func Intake(cfg config.Hooks, l TenantLocation, asset string) []Statement {
	var machines, executions []string
	for _, name := range l.Machines {
		machines, executions = append(machines, l.Machine(name)), append(executions, l.executions(name))
	}
	all := []Statement{
		l.registry("dynamodb:DeleteItem", "dynamodb:Query"),
		Allow("ReadOpenOperations", []string{l.Table + "/index/" + OpenIndex}, "dynamodb:Query"),
		Allow("ReadUploadedBlueprint", []string{asset}, "s3:GetObject"),
		Allow("KeepBlueprints", l.blueprints(), "s3:GetObject", "s3:PutObject"),
		// Without it S3 answers a missing object with 403, and intake would not know that the
		// deployed blueprint is yet to be added ("Permissions", GetObject, Amazon S3 API Reference).
		Allow("FindMissingBlueprints", []string{l.Bucket}, "s3:ListBucket"),
		Allow("StartOperations", machines, "states:StartExecution"),
		Allow("FollowOperations", executions, "states:DescribeExecution"),
		// It has no resource-level permissions (Service Authorization Reference, AWS Step
		// Functions); what it may end is who has the token.
		Allow("ResumeManualTasks", everything(), "states:SendTaskSuccess"),
	}
	return append(all, l.notify(cfg)...)
}

// Worker are the statements of the role of a class's worker: the registry, the
// blueprints, and what the steps of the class say they need.
func Worker(cfg config.Hooks, l TenantLocation, class step.Class, needs []step.Permission) []Statement {
	var deletes []string
	if class == step.Control {
		deletes = []string{"dynamodb:DeleteItem"}
	}
	all := []Statement{l.registry(deletes...), Allow("ReadBlueprints", l.blueprints(), "s3:GetObject")}
	for i, p := range merged(needs) {
		var resources []string
		for _, r := range p.Resources {
			resources = append(resources, l.fill(r))
		}
		all = append(all, Allow(fmt.Sprintf("Steps%d", i+1), resources, p.Actions...))
	}
	if class == step.Control {
		all = append(all, l.notify(cfg)...)
	}
	return all
}

// fill replaces the placeholders of [step.Permission].
func (l TenantLocation) fill(resource string) string {
	return strings.NewReplacer("{partition}", l.Partition, "{region}", l.Region, "{account}", l.Account, "{bucket}", l.Bucket, "{manual}", l.ManualMachine).Replace(resource)
}

// merged has one permission for each set of resources.
func merged(all []step.Permission) (out []step.Permission) {
	for _, p := range all {
		resources := slices.Sorted(slices.Values(p.Resources))
		i := slices.IndexFunc(out, func(o step.Permission) bool { return slices.Equal(o.Resources, resources) })
		if i < 0 {
			out, i = append(out, step.Permission{Resources: resources}), len(out)
		}
		out[i].Actions = append(out[i].Actions, p.Actions...)
	}
	slices.SortFunc(out, func(a, b step.Permission) int {
		return cmp.Compare(strings.Join(a.Resources, " "), strings.Join(b.Resources, " "))
	})
	return out
}
