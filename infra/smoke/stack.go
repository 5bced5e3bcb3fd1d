package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"deployhooks/infra/assembly"
)

// deployed is a stack as it was synthesised, with what CloudFormation made of it.
type deployed struct {
	assembly.Stack
	place    arn.ARN           // of the stack
	outputs  map[string]string // by key
	physical map[string]string // physical IDs by logical ones
	exports  map[string]string // of all stacks of the account and region, by name
}

// stack checks one stack.
func (s *smoke) stack(ctx context.Context, synthesised assembly.Stack) {
	d, err := s.find(ctx, synthesised)
	if err != nil {
		s.note(synthesised.Name, "deployed", synthesised.Name, failed, err.Error())
		return
	}
	s.note(d.Name, "deployed", d.Name, ok, fmt.Sprintf("%d resources", len(d.physical)))
	for _, check := range []func(context.Context, *deployed){s.checkFunctions, s.checkAlarms, s.checkDeadLetters, s.checkSubscriptions, s.checkRoles} {
		check(ctx, d)
	}
}

func (s *smoke) note(stack, check, subject string, state state, found string) {
	s.results = append(s.results, result{state, stack, check, subject, found})
}

// find reads a stack. One that is in the middle of a change, or whose last one failed, is
// an error.
func (s *smoke) find(ctx context.Context, synthesised assembly.Stack) (*deployed, error) {
	out, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &synthesised.Name})
	if err != nil {
		return nil, err
	}
	stack := out.Stacks[0]
	switch stack.StackStatus {
	case cloudformationtypes.StackStatusCreateComplete, cloudformationtypes.StackStatusUpdateComplete, cloudformationtypes.StackStatusImportComplete:
	default:
		return nil, fmt.Errorf("the stack is in %s, see its events", stack.StackStatus)
	}
	d := &deployed{Stack: synthesised, outputs: map[string]string{}, physical: map[string]string{}, exports: map[string]string{}}
	if d.place, err = arn.Parse(aws.ToString(stack.StackId)); err != nil {
		return nil, err
	}
	if synthesised.Account != "" && d.place.AccountID != synthesised.Account {
		return nil, fmt.Errorf("the credentials are of account %s, and it belongs to %s", d.place.AccountID, synthesised.Account)
	}
	for _, o := range stack.Outputs {
		d.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	pages := cloudformation.NewListStackResourcesPaginator(s.stacks, &cloudformation.ListStackResourcesInput{StackName: &synthesised.Name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.StackResourceSummaries {
			d.physical[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		}
	}
	exports := cloudformation.NewListExportsPaginator(s.stacks, &cloudformation.ListExportsInput{})
	for exports.HasMorePages() {
		page, err := exports.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Exports {
			d.exports[aws.ToString(e.Name)] = aws.ToString(e.Value)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(synthesised.Resources)) {
		if d.physical[id] == "" && synthesised.Resources[id].Type != "AWS::CDK::Metadata" {
			return nil, fmt.Errorf("%s is synthesised and not deployed: deploy again", id)
		}
	}
	return d, nil
}

// of are the logical IDs of a type, sorted.
func (d *deployed) of(kind string) (ids []string) {
	for id, r := range d.Resources {
		if r.Type == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// text is a value of the template with its references resolved, and whether that was
// possible.
func (d *deployed) text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case map[string]any:
		if ref, is := v["Ref"].(string); is {
			return d.ref(ref)
		}
		if get, is := v["Fn::GetAtt"].([]any); is && len(get) == 2 && get[1] == "Arn" {
			return d.arn(fmt.Sprint(get[0]))
		}
		if text, is := v["Fn::Sub"].(string); is {
			return d.substitute(text)
		}
		if name, is := v["Fn::ImportValue"].(string); is {
			value, known := d.exports[name]
			return value, known
		}
		if join, is := v["Fn::Join"].([]any); is && len(join) == 2 {
			parts, _ := join[1].([]any)
			var all []string
			for _, part := range parts {
				text, resolved := d.text(part)
				if !resolved {
					return "", false
				}
				all = append(all, text)
			}
			return strings.Join(all, fmt.Sprint(join[0])), true
		}
	}
	return "", false
}

// substitute replaces ${…}, which may be what Ref takes.
func (d *deployed) substitute(text string) (string, bool) {
	resolved := true
	return os.Expand(text, func(name string) string {
		value, known := d.ref(name)
		resolved = resolved && known
		return value
	}), resolved
}

func (d *deployed) ref(name string) (string, bool) {
	switch name {
	case "AWS::Partition":
		return d.place.Partition, true
	case "AWS::Region":
		return d.place.Region, true
	case "AWS::AccountId":
		return d.place.AccountID, true
	}
	id, known := d.physical[name]
	return id, known
}

// arn is the ARN of a resource, of the types that statements of roles name. The physical
// ID of some is their ARN already (Return values of each type, AWS CloudFormation template
// reference).
func (d *deployed) arn(logicalID string) (string, bool) {
	id, known := d.physical[logicalID]
	if !known || strings.HasPrefix(id, "arn:") {
		return id, known
	}
	of := func(service, resource string) (string, bool) {
		return arn.ARN{Partition: d.place.Partition, Service: service, Region: d.place.Region, AccountID: d.place.AccountID, Resource: resource}.String(), true
	}
	switch d.Resources[logicalID].Type {
	case "AWS::SQS::Queue": // its ID is its URL
		return of("sqs", id[strings.LastIndex(id, "/")+1:])
	case "AWS::DynamoDB::Table":
		return of("dynamodb", "table/"+id)
	case "AWS::Logs::LogGroup":
		return of("logs", "log-group:"+id+":*")
	case "AWS::Lambda::Function":
		return of("lambda", "function:"+id)
	case "AWS::Events::EventBus":
		return of("events", "event-bus/"+id)
	case "AWS::KMS::Key":
		return of("kms", "key/"+id)
	case "AWS::IAM::Role":
		return arn.ARN{Partition: d.place.Partition, Service: "iam", AccountID: d.place.AccountID, Resource: "role/" + id}.String(), true
	case "AWS::S3::Bucket":
		return arn.ARN{Partition: d.place.Partition, Service: "s3", Resource: id}.String(), true
	}
	return "", false
}
