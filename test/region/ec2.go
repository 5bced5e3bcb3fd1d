package region

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// EC2 has the one method of the SDK's ec2.Client that people want beside Auto
// Scaling. Its types are made here: the SDK's EC2 client takes minutes to
// compile.
type EC2 struct{ r *Region }

// EC2 is the region's EC2.
func (r *Region) EC2() EC2 { return EC2{r} }

// EC2Options stands for the SDK's ec2.Options.
type EC2Options struct{}

// DescribeInstancesInput has the fields of the SDK's that are simulated.
type DescribeInstancesInput struct {
	Filters     []EC2Filter
	InstanceIds []string
	MaxResults  *int32
	NextToken   *string
}

// EC2Filter is a filter of EC2's Describe calls.
type EC2Filter struct {
	Name   *string
	Values []string
}

// DescribeInstancesOutput is one page of instances.
type DescribeInstancesOutput struct {
	Reservations []EC2Reservation
	NextToken    *string
}

// EC2Reservation is a launch: here always of one instance.
type EC2Reservation struct {
	ReservationId, OwnerId *string
	Instances              []EC2Instance
}

// EC2Instance is an instance as EC2 describes it.
type EC2Instance struct {
	InstanceId *string
	LaunchTime *time.Time
	Placement  EC2Placement
	State      EC2State
	Tags       []EC2Tag
	VpcId      *string
}

// EC2Placement is where an instance is.
type EC2Placement struct{ AvailabilityZone *string }

// EC2State is an instance's state: a code and its name.
type EC2State struct {
	Code int32
	Name *string
}

// EC2Tag is a tag of an instance.
type EC2Tag struct{ Key, Value *string }

// terminatedShows is how long an instance is shown after it was terminated:
// "Terminated instances remain visible after termination (for approximately one
// hour)" (API reference, TerminateInstances).
const terminatedShows = time.Hour

// stateCodes are EC2's codes of its states (API reference, InstanceState).
var stateCodes = map[ec2State]int32{pending: 0, running: 16, shuttingDown: 32, terminated: 48, stopped: 80}

// DescribeInstances lists instances by ID, by filter, or all.
func (v EC2) DescribeInstances(ctx context.Context, in *DescribeInstancesInput, _ ...func(*EC2Options)) (*DescribeInstancesOutput, error) {
	return call(ctx, v.r, ec2ServiceID, "DescribeInstances", in, "Filters InstanceIds MaxResults NextToken", v.r.describeInstances)
}

func (r *Region) describeInstances(in *DescribeInstancesInput) (*DescribeInstancesOutput, error) {
	switch n := deref(in.MaxResults); {
	case in.MaxResults != nil && (n < 5 || n > 1000):
		return nil, failure("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value from 5 to 1000.", n)
	case in.MaxResults != nil && len(in.InstanceIds) > 0:
		return nil, failure("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	for _, id := range in.InstanceIds {
		if r.instances[id] == nil {
			return nil, failure("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
	}
	var found []EC2Reservation
	for _, i := range sorted(r.instances) {
		if len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, i.id) {
			continue
		}
		matches := true
		for _, f := range in.Filters {
			is, err := r.hasFiltered(i, f)
			if err != nil {
				return nil, err
			}
			matches = matches && is
		}
		if matches {
			found = append(found, r.reservation(i))
		}
	}
	found, next, err := page(r, found, in.NextToken, deref(in.MaxResults), 1000, failure("InvalidPaginationToken", "The pagination token is not valid"))
	if err != nil {
		return nil, err
	}
	return &DescribeInstancesOutput{Reservations: found, NextToken: next}, nil
}

// hasFiltered reports whether an instance has what a filter asks for; * and ?
// are wildcards in values.
func (r *Region) hasFiltered(i *instance, f EC2Filter) (bool, error) {
	tags := r.instanceTags(i.id)
	var values []string
	switch name := aws.ToString(f.Name); {
	case name == "instance-id":
		values = []string{i.id}
	case name == "instance-state-name":
		values = []string{string(i.ec2)}
	case name == "availability-zone":
		values = []string{i.zone}
	case name == "tag-key":
		for key := range tags {
			values = append(values, key)
		}
	case strings.HasPrefix(name, "tag:"):
		if value, ok := tags[name[len("tag:"):]]; ok {
			values = []string{value}
		}
	default:
		return false, failure("InvalidParameterValue", "The filter '%s' is invalid", name)
	}
	return slices.ContainsFunc(values, func(v string) bool {
		return slices.ContainsFunc(f.Values, func(pattern string) bool { return matchesPattern(pattern, v) })
	}), nil
}

func (r *Region) reservation(i *instance) EC2Reservation {
	d := EC2Instance{
		InstanceId: aws.String(i.id), LaunchTime: aws.Time(i.launched), Placement: EC2Placement{aws.String(i.zone)},
		State: EC2State{stateCodes[i.ec2], aws.String(string(i.ec2))}, VpcId: aws.String(cmp.Or(i.group.vpc, vpc)),
	}
	for key, value := range r.instanceTags(i.id) {
		d.Tags = append(d.Tags, EC2Tag{aws.String(key), aws.String(value)})
	}
	slices.SortFunc(d.Tags, func(a, b EC2Tag) int { return cmp.Compare(*a.Key, *b.Key) })
	return EC2Reservation{ReservationId: aws.String("r-" + i.id[len("i-"):]), OwnerId: aws.String(Account), Instances: []EC2Instance{d}}
}

// forgetLater has EC2 show an instance that was terminated for a while more.
func (r *Region) forgetLater(i *instance) {
	r.after(terminatedShows, func() { delete(r.instances, i.id) })
}
