package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/pkg/fault"
)

// describeGroupsLimit is how many names DescribeAutoScalingGroups takes unless
// MaxRecords raises its page, and describeInstancesLimit how many IDs
// DescribeAutoScalingInstances takes (Amazon EC2 Auto Scaling API Reference).
const (
	describeGroupsLimit    = 50
	describeInstancesLimit = 50
)

// AutoScalingGroups describes Auto Scaling groups by name; without names, none.
func AutoScalingGroups(ctx context.Context, api autoscaling.DescribeAutoScalingGroupsAPIClient, names ...string) (map[string]*AutoScalingGroup, error) {
	found := map[string]*AutoScalingGroup{}
	names = unique(names)
	for chunk := range slices.Chunk(names, describeGroupsLimit) {
		pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(api, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: chunk})
		err := eachPage(ctx, pages, "describe Auto Scaling groups "+some(chunk), func(page *autoscaling.DescribeAutoScalingGroupsOutput) {
			for _, a := range page.AutoScalingGroups {
				found[aws.ToString(a.AutoScalingGroupName)] = autoScalingGroup(a)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// AutoScalingGroupsAfter is one page of the Auto Scaling groups of the account and
// region, and the token of the next page: empty after the last one, and for the
// first one to begin with.
func AutoScalingGroupsAfter(ctx context.Context, api autoscaling.DescribeAutoScalingGroupsAPIClient, token string) (groups []*AutoScalingGroup, next string, err error) {
	in := &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100)}
	if token != "" {
		in.NextToken = &token
	}
	page, err := api.DescribeAutoScalingGroups(ctx, in)
	if err != nil {
		return nil, "", fmt.Errorf("describe all Auto Scaling groups: %w", err)
	}
	for _, a := range page.AutoScalingGroups {
		groups = append(groups, autoScalingGroup(a))
	}
	return groups, aws.ToString(page.NextToken), nil
}

func autoScalingGroup(a autoscalingtypes.AutoScalingGroup) *AutoScalingGroup {
	g := &AutoScalingGroup{
		Name: aws.ToString(a.AutoScalingGroupName), ARN: aws.ToString(a.AutoScalingGroupARN),
		Created: aws.ToTime(a.CreatedTime), Desired: int(aws.ToInt32(a.DesiredCapacity)),
		Deleting: aws.ToString(a.Status) != "", // "Delete in progress" is its only value
		// The health-check type may be a list: "EC2,ELB".
		ELBChecked:  strings.Contains(aws.ToString(a.HealthCheckType), "ELB"),
		Tags:        map[string]string{},
		HasWarmPool: a.WarmPoolConfiguration != nil,
		Described:   a,
	}
	for _, p := range a.SuspendedProcesses {
		g.Suspended = append(g.Suspended, aws.ToString(p.ProcessName))
	}
	for _, i := range a.Instances {
		g.Instances = append(g.Instances, newInstance(i.InstanceId, string(i.LifecycleState), i.ProtectedFromScaleIn, aws.ToString(i.HealthStatus)))
	}
	for _, t := range a.Tags {
		g.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	// Which of the three lists a source is in depends on how it was attached.
	for _, s := range a.TrafficSources {
		g.Sources = append(g.Sources, newTrafficSource(s.Type, s.Identifier))
	}
	for _, arn := range a.TargetGroupARNs {
		g.Sources = append(g.Sources, TrafficSource{ELBV2, arn})
	}
	for _, name := range a.LoadBalancerNames {
		g.Sources = append(g.Sources, TrafficSource{ClassicELB, name})
	}
	slices.Sort(g.Suspended)
	slices.SortFunc(g.Sources, CompareTrafficSources)
	g.Sources = slices.Compact(g.Sources)
	return g
}

// TrafficSources are the states of an Auto Scaling group's traffic sources; nil
// for a group that does not exist.
func TrafficSources(ctx context.Context, api autoscaling.DescribeTrafficSourcesAPIClient, group string) (map[TrafficSource]string, error) {
	found := map[TrafficSource]string{}
	pages := autoscaling.NewDescribeTrafficSourcesPaginator(api, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: &group})
	err := eachPage(ctx, pages, "describe traffic sources of "+group, func(page *autoscaling.DescribeTrafficSourcesOutput) {
		for _, s := range page.TrafficSources {
			found[newTrafficSource(s.Type, s.Identifier)] = aws.ToString(s.State)
		}
	})
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return found, err
}

// HooksAPI is what [LifecycleHooks] calls.
type HooksAPI interface {
	DescribeLifecycleHooks(context.Context, *autoscaling.DescribeLifecycleHooksInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error)
}

// LifecycleHooks are the lifecycle hooks of an Auto Scaling group, CodeDeploy's
// own included, sorted by name; none for a group that does not exist. The API has
// no pages: a group has 50 hooks at most.
func LifecycleHooks(ctx context.Context, api HooksAPI, group string) ([]LifecycleHook, error) {
	out, err := api.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &group})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("describe lifecycle hooks of %s: %w", group, err)
	}
	var hooks []LifecycleHook
	for _, h := range out.LifecycleHooks {
		hooks = append(hooks, LifecycleHook{
			Name: aws.ToString(h.LifecycleHookName), Transition: aws.ToString(h.LifecycleTransition),
			Timeout: aws.ToInt32(h.HeartbeatTimeout), Global: aws.ToInt32(h.GlobalTimeout), DefaultResult: aws.ToString(h.DefaultResult),
			Metadata: aws.ToString(h.NotificationMetadata), TargetARN: aws.ToString(h.NotificationTargetARN), RoleARN: aws.ToString(h.RoleARN),
		})
	}
	slices.SortFunc(hooks, func(a, b LifecycleHook) int { return strings.Compare(a.Name, b.Name) })
	return hooks, nil
}

// Member is an instance and the Auto Scaling group that it belongs to.
type Member struct {
	Instance
	AutoScalingGroup string
}

// Members finds the Auto Scaling groups of instances. An instance in no group is
// missing from the answer; so may be one that waits to return to a warm pool.
func Members(ctx context.Context, api autoscaling.DescribeAutoScalingInstancesAPIClient, ids ...string) (map[string]Member, error) {
	found := map[string]Member{}
	ids = unique(ids)
	for chunk := range slices.Chunk(ids, describeInstancesLimit) {
		pages := autoscaling.NewDescribeAutoScalingInstancesPaginator(api, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: chunk})
		err := eachPage(ctx, pages, "find the Auto Scaling groups of "+some(chunk), func(page *autoscaling.DescribeAutoScalingInstancesOutput) {
			for _, i := range page.AutoScalingInstances {
				found[aws.ToString(i.InstanceId)] = Member{
					newInstance(i.InstanceId, aws.ToString(i.LifecycleState), i.ProtectedFromScaleIn, aws.ToString(i.HealthStatus)), aws.ToString(i.AutoScalingGroupName),
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// WarmPool are the instances of an Auto Scaling group's warm pool; none where
// there is no warm pool, or no group.
func WarmPool(ctx context.Context, api autoscaling.DescribeWarmPoolAPIClient, group string) ([]Instance, error) {
	var found []Instance
	pages := autoscaling.NewDescribeWarmPoolPaginator(api, &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: &group})
	err := eachPage(ctx, pages, "describe warm pool of "+group, func(page *autoscaling.DescribeWarmPoolOutput) {
		for _, i := range page.Instances {
			found = append(found, newInstance(i.InstanceId, string(i.LifecycleState), i.ProtectedFromScaleIn, aws.ToString(i.HealthStatus)))
		}
	})
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return found, err
}

// paginator is one of the SDK's.
type paginator[Page, Options any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Options)) (*Page, error)
}

// eachPage visits the pages of the answer to a question.
func eachPage[Page, Options any](ctx context.Context, pages paginator[Page, Options], question string, visit func(*Page)) error {
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", question, err)
		}
		visit(page)
	}
	return nil
}

// unique returns the names once each, sorted. It leaves its argument alone.
func unique(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// some names a few of many in an error; all where there is no list.
func some(names []string) string {
	if len(names) == 0 {
		return "(all)"
	}
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}
