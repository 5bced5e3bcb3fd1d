package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
)

// forbidden are calls that would turn a role against the account. A role whose template
// allows one may have it.
func forbidden() []string {
	return []string{
		"autoscaling:DeleteAutoScalingGroup", "codedeploy:StopDeployment", "dynamodb:DeleteTable", "ec2:TerminateInstances", "events:DeleteRule",
		"iam:AttachRolePolicy", "iam:CreateAccessKey", "iam:PassRole", "iam:PutRolePolicy", "kms:ScheduleKeyDeletion", "lambda:UpdateFunctionCode",
		"logs:DeleteLogGroup", "rds:DeleteDBInstance", "s3:DeleteBucket", "s3:PutBucketPolicy", "secretsmanager:GetSecretValue", "sqs:PurgeQueue",
		"ssm:SendCommand", "sts:AssumeRole",
	}
}

// known are the calls that some role may have to be denied: the forbidden ones, and all
// that the hooks may call when they change things, which roles in plan mode must not.
func known() ([]string, error) {
	all := forbidden()
	cfg, err := config.Parse(nil)
	if err != nil {
		return nil, err
	}
	for _, s := range slices.Concat(permissions.Repair(cfg, permissions.Location{}), permissions.Drain(cfg, permissions.Location{})) {
		all = append(all, s.Actions...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// statement is what a role's policy allows, with its references resolved.
type statement struct {
	sid        string
	actions    []string
	resources  []string
	conditions map[string]map[string]string // by operator and key
	resolved   bool                         // whether the rest is complete; actions are in any case
}

func (s *smoke) checkRoles(ctx context.Context, d *deployed) {
	for _, id := range d.of("AWS::IAM::Role") {
		role, there := d.arn(id)
		statements := d.statements(id)
		if !there || len(statements) == 0 {
			continue
		}
		name := d.physical[id]
		for _, st := range statements {
			if slices.ContainsFunc(st.actions, func(a string) bool { return strings.Contains(a, "*") }) { // IAM API reference, SimulatePrincipalPolicy
				s.note(d.Name, "may", name+" "+st.sid, waiting, "not checked: IAM simulates no actions with wildcards")
				continue
			}
			if !st.resolved {
				s.note(d.Name, "may", name+" "+st.sid, waiting, "not checked: it names what only CloudFormation can resolve")
				continue
			}
			denied, err := s.denied(ctx, role, st, st.conditions)
			switch {
			case err != nil:
				s.note(d.Name, "may", name+" "+st.sid, failed, err.Error())
			case len(denied) > 0:
				s.note(d.Name, "may", name+" "+st.sid, failed, "denied: "+strings.Join(denied, ", ")+"; look for a permissions boundary or a policy of the organization")
			default:
				s.note(d.Name, "may", name+" "+st.sid, ok, fmt.Sprintf("%d actions", len(st.actions)))
			}
		}
		if managed, _ := d.Resources[id].Properties["ManagedPolicyArns"].([]any); len(managed) > 0 {
			s.note(d.Name, "may not", name, waiting, "not checked: it has AWS's own policies as well")
			continue
		}
		state, found := s.checkDenied(ctx, role, statements)
		s.note(d.Name, "may not", name, state, found)
	}
}

// statements are those of the policies of a role that allow.
func (d *deployed) statements(role string) (all []statement) {
	for _, id := range d.of("AWS::IAM::Policy") {
		properties := d.Resources[id].Properties
		roles, _ := properties["Roles"].([]any)
		if !slices.ContainsFunc(roles, func(r any) bool { ref, _ := r.(map[string]any); return ref["Ref"] == role }) {
			continue
		}
		document, _ := properties["PolicyDocument"].(map[string]any)
		for i, entry := range list(document["Statement"]) {
			fields, _ := entry.(map[string]any)
			if st := d.statement(fields); fields["Effect"] == "Allow" {
				if st.sid == "" {
					st.sid = fmt.Sprintf("statement %d", i+1)
				}
				all = append(all, st)
			}
		}
	}
	return all
}

func (d *deployed) statement(fields map[string]any) (st statement) {
	st.sid, _ = fields["Sid"].(string)
	resolve := func(values any, to *[]string) bool {
		for _, v := range list(values) {
			text, resolved := d.text(v)
			if !resolved {
				return false
			}
			*to = append(*to, text)
		}
		return true
	}
	if !resolve(fields["Action"], &st.actions) || !resolve(fields["Resource"], &st.resources) {
		return st
	}
	conditions, _ := fields["Condition"].(map[string]any)
	for operator, entry := range conditions {
		keys, _ := entry.(map[string]any)
		for key, value := range keys {
			text, resolved := d.text(value)
			if !resolved {
				return st
			}
			if st.conditions == nil {
				st.conditions = map[string]map[string]string{}
			}
			if st.conditions[operator] == nil {
				st.conditions[operator] = map[string]string{}
			}
			st.conditions[operator][key] = text
		}
	}
	st.resolved = true
	return st
}

// list is a value that may stand alone.
func list(v any) []any {
	if all, is := v.([]any); is {
		return all
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// sample is a name that stands for what a wildcard does.
const sample = "smoke"

// denied are the actions of a statement that IAM would deny the role, on the resources.
func (s *smoke) denied(ctx context.Context, role string, st statement, conditions map[string]map[string]string) ([]string, error) {
	var denied []string
	for _, resource := range st.resources {
		if resource != "*" {
			resource = strings.ReplaceAll(resource, "*", sample)
		}
		decisions, err := s.simulate(ctx, role, st.actions, resource, conditions)
		if err != nil {
			return nil, err
		}
		for _, action := range st.actions {
			if decisions[action] != iamtypes.PolicyEvaluationDecisionTypeAllowed {
				denied = append(denied, action+" on "+resource)
			}
		}
	}
	return denied, nil
}

// checkDenied checks that a role may do nothing that is known and that its template does
// not allow, and nothing outside its tag.
func (s *smoke) checkDenied(ctx context.Context, role string, statements []statement) (state, string) {
	unwanted, err := known()
	if err != nil {
		return failed, err.Error()
	}
	for _, st := range statements {
		unwanted = slices.DeleteFunc(unwanted, func(a string) bool { return slices.Contains(st.actions, a) })
	}
	decisions, err := s.simulate(ctx, role, unwanted, "*", nil)
	if err != nil {
		return failed, err.Error()
	}
	var granted []string
	for action, decision := range decisions {
		if decision == iamtypes.PolicyEvaluationDecisionTypeAllowed {
			granted = append(granted, action)
		}
	}
	for _, st := range statements {
		other := outside(st.conditions)
		if other == nil || !st.resolved {
			continue
		}
		denied, err := s.denied(ctx, role, st, other)
		if err != nil {
			return failed, err.Error()
		}
		if want := len(st.actions) * len(st.resources); len(denied) < want {
			granted = append(granted, fmt.Sprintf("%s outside its condition %v", st.sid, st.conditions))
		}
	}
	if len(granted) > 0 {
		slices.Sort(granted)
		return failed, "allowed: " + strings.Join(granted, ", ") + "; look for policies that were added to the role"
	}
	return ok, fmt.Sprintf("%d actions are denied", len(unwanted))
}

// outside are values that conditions of equality do not let through; nil where there is
// none of these.
func outside(conditions map[string]map[string]string) map[string]map[string]string {
	keys := map[string]string{}
	for key, value := range conditions["StringEquals"] {
		keys[key] = value + "-other"
	}
	if len(keys) == 0 {
		return nil
	}
	return map[string]map[string]string{"StringEquals": keys}
}

// simulate asks IAM what it would decide.
func (s *smoke) simulate(ctx context.Context, role string, actions []string, resource string, conditions map[string]map[string]string) (map[string]iamtypes.PolicyEvaluationDecisionType, error) {
	in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &role, ActionNames: actions, ResourceArns: []string{resource}}
	for _, keys := range conditions {
		for key, value := range keys {
			in.ContextEntries = append(in.ContextEntries, iamtypes.ContextEntry{
				ContextKeyName: aws.String(key), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{strings.ReplaceAll(value, "*", sample)},
			})
		}
	}
	decisions := map[string]iamtypes.PolicyEvaluationDecisionType{}
	pages := iam.NewSimulatePrincipalPolicyPaginator(s.iam, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("simulate %s: %w", role, err)
		}
		for _, r := range page.EvaluationResults {
			decisions[aws.ToString(r.EvalActionName)] = r.EvalDecision
		}
	}
	return decisions, nil
}
