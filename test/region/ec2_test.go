package region_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"deployhooks/test/region"
)

// TestDescribeInstances: what EC2 says of instances, until an hour after their
// end.
func TestDescribeInstances(t *testing.T) {
	r := region.New(region.Options{PageSize: 3})
	shop(r)
	all := r.InService(group)
	count := func(in region.DescribeInstancesInput) (n int) {
		for {
			out, err := r.EC2().DescribeInstances(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			n += len(out.Reservations)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return n
			}
		}
	}
	filtered := func(name string, values ...string) int {
		return count(region.DescribeInstancesInput{Filters: []region.EC2Filter{{Name: &name, Values: values}}})
	}
	for name, tc := range map[string]struct{ got, want int }{
		"all, page by page":     {count(region.DescribeInstancesInput{}), 4},
		"one by its id":         {count(region.DescribeInstancesInput{InstanceIds: all[:1]}), 1},
		"the running ones":      {filtered("instance-state-name", "running"), 4},
		"those of the group":    {filtered("tag:aws:autoscaling:groupName", group[:4]+"*"), 4},
		"those of no group":     {filtered("tag:aws:autoscaling:groupName", "none"), 0},
		"those with a tag":      {filtered("tag-key", "aws:autoscaling:groupName"), 4},
		"those of two states":   {filtered("instance-state-name", "stopped", "terminated"), 0},
		"those of another zone": {filtered("availability-zone", "us-east-1a"), 0},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %d instances, want %d", name, tc.got, tc.want)
		}
	}
	for name, in := range map[string]region.DescribeInstancesInput{
		"InvalidInstanceID.NotFound": {InstanceIds: []string{"i-none"}},
		"InvalidParameterValue":      {Filters: []region.EC2Filter{{Name: aws.String("colour"), Values: []string{"red"}}}},
	} {
		if err := second(r.EC2().DescribeInstances(ctx, &in)); code(err) != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
	r.Scale(group, 3)
	r.Advance(20 * time.Minute)
	if n := filtered("instance-state-name", "terminated"); n != 1 {
		t.Errorf("%d terminated instances are shown", n)
	}
	r.Advance(time.Hour)
	if n := count(region.DescribeInstancesInput{}); n != 3 {
		t.Errorf("an hour after the termination of one, %d instances are shown: a region that runs for days drowns in them", n)
	}
}
