package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/pkg/fault"
)

// describeTargetGroupsLimit is how many target groups a DescribeTargetGroups by
// name or by ARN can answer: its page holds 400, and AWS documents no limit for
// the two lists (Elastic Load Balancing API Reference), so this stays far below.
const describeTargetGroupsLimit = 100

// TargetGroups finds target groups by name or by ARN, and what of them does not
// exist, sorted: AWS answers a list with one such name with an error, so the list is
// halved until it is found. With an error, both answers hold what is known.
func TargetGroups(ctx context.Context, api elb.DescribeTargetGroupsAPIClient, namesOrARNs ...string) (found []TargetGroup, missing []string, err error) {
	var names, arns []string
	for _, s := range unique(namesOrARNs) {
		if strings.HasPrefix(s, "arn:") {
			arns = append(arns, s)
		} else {
			names = append(names, s)
		}
	}
	for chunk := range slices.Chunk(names, describeTargetGroupsLimit) {
		f, m, e := targetGroups(ctx, api, chunk, func(in *elb.DescribeTargetGroupsInput, list []string) { in.Names = list })
		found, missing, err = append(found, f...), append(missing, m...), errors.Join(err, e)
	}
	for chunk := range slices.Chunk(arns, describeTargetGroupsLimit) {
		f, m, e := targetGroups(ctx, api, chunk, func(in *elb.DescribeTargetGroupsInput, list []string) { in.TargetGroupArns = list })
		found, missing, err = append(found, f...), append(missing, m...), errors.Join(err, e)
	}
	slices.Sort(missing)
	return found, missing, err
}

func targetGroups(ctx context.Context, api elb.DescribeTargetGroupsAPIClient, list []string, by func(*elb.DescribeTargetGroupsInput, []string)) (found []TargetGroup, missing []string, err error) {
	in := &elb.DescribeTargetGroupsInput{}
	by(in, list)
	pages := elb.NewDescribeTargetGroupsPaginator(api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		switch {
		case len(list) > 0 && (fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid)): // Invalid: no name or ARN of a target group
			if len(list) == 1 {
				return nil, list, nil
			}
			half := len(list) / 2
			f1, m1, err1 := targetGroups(ctx, api, list[:half], by)
			f2, m2, err2 := targetGroups(ctx, api, list[half:], by)
			return append(f1, f2...), append(m1, m2...), errors.Join(err1, err2)
		case err != nil:
			return found, nil, fmt.Errorf("describe target groups %s: %w", some(list), err)
		}
		for _, t := range page.TargetGroups {
			found = append(found, TargetGroup{
				ARN: aws.ToString(t.TargetGroupArn), Name: aws.ToString(t.TargetGroupName),
				TargetType: string(t.TargetType), Protocol: string(t.Protocol), InUse: len(t.LoadBalancerArns) > 0,
			})
		}
	}
	return found, nil, nil
}

// EveryTargetGroup lists all target groups of the account and region.
func EveryTargetGroup(ctx context.Context, api elb.DescribeTargetGroupsAPIClient) ([]TargetGroup, error) {
	found, _, err := targetGroups(ctx, api, nil, func(*elb.DescribeTargetGroupsInput, []string) {})
	return found, err
}

// Targets are all registrations in a target group, whatever their ports; exists is
// false where there is no such target group. The question is unfiltered: an
// instance may be registered with ports that only the whole list shows, and one
// answer serves every instance. The API has no pages.
func Targets(ctx context.Context, api elb.DescribeTargetHealthAPIClient, arn string) (targets []Target, exists bool, err error) {
	out, err := api.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("describe health of target group %s: %w", TargetGroupName(arn), err)
	}
	for _, d := range out.TargetHealthDescriptions {
		var t Target
		if d.Target != nil {
			t.Instance, t.Port = aws.ToString(d.Target.Id), aws.ToInt32(d.Target.Port)
		}
		if d.TargetHealth != nil {
			t.State, t.Reason = string(d.TargetHealth.State), string(d.TargetHealth.Reason)
		}
		targets = append(targets, t)
	}
	return targets, true, nil
}

// AttributesAPI is what [DeregistrationDelay] calls.
type AttributesAPI interface {
	DescribeTargetGroupAttributes(context.Context, *elb.DescribeTargetGroupAttributesInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error)
}

// delayAttribute is the target group attribute of the deregistration delay, and
// MaxDeregistrationDelay its largest value ("Edit target group attributes for
// your Application Load Balancer", Elastic Load Balancing).
const (
	delayAttribute         = "deregistration_delay.timeout_seconds"
	MaxDeregistrationDelay = time.Hour
)

// DeregistrationDelay is a target group's deregistration delay, 0 to 3600 s; 0 for
// a target group that has none. One that does not exist is an error.
func DeregistrationDelay(ctx context.Context, api AttributesAPI, arn string) (time.Duration, error) {
	out, err := api.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &arn})
	if err != nil {
		return 0, fmt.Errorf("describe attributes of target group %s: %w", TargetGroupName(arn), err)
	}
	for _, a := range out.Attributes {
		if aws.ToString(a.Key) == delayAttribute {
			seconds, err := strconv.Atoi(aws.ToString(a.Value))
			if err != nil {
				return 0, fmt.Errorf("deregistration delay of target group %s is no whole number: %w", TargetGroupName(arn), err)
			}
			return time.Duration(seconds) * time.Second, nil
		}
	}
	return 0, nil
}
