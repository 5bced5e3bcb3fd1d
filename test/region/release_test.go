package region_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/test/region"
)

func shop(r *region.Region) region.Service {
	return r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4})
}

// TestReleaseLosesItsAttachment is the scenario that this project is about.
func TestReleaseLosesItsAttachment(t *testing.T) {
	ctx := context.Background()
	r := region.New(region.Options{})
	svc := shop(r)
	users := r.StartTraffic(region.Traffic{TargetGroup: "web"})
	var states []string
	q := r.Queue("repair").Match(ofCodeDeploy)
	q.Serve(func(payload []byte) ([]byte, error) {
		var batch struct{ Records []struct{ Body string } }
		if err := json.Unmarshal(payload, &batch); err != nil {
			t.Error(err)
		}
		for _, rec := range batch.Records {
			var e struct {
				Source string
				Detail struct{ State string }
			}
			if err := json.Unmarshal([]byte(rec.Body), &e); err != nil {
				t.Error(err)
			}
			states = append(states, e.Source+" "+e.Detail.State)
		}
		return []byte(`{"batchItemFailures":[]}`), nil
	})

	blue := r.GroupOf(svc)
	id := r.RunDeployment(svc, region.Deployment{})
	r.Advance(time.Minute)
	green := r.GroupOf(svc)
	if green == blue || !r.Deployed(id) {
		t.Fatalf("the release did not move %s to a new group: %s, %s in stage %s", blue, r.Status(id), green, r.StageOf(id))
	}
	if want := []string{"aws.codedeploy START", "aws.codedeploy SUCCESS"}; !slices.Equal(states, want) {
		t.Errorf("the queue saw %v, want %v", states, want)
	}
	if got := r.Attached(green); len(got) != 0 {
		t.Errorf("the copy came out attached to %v; the fault that this project repairs is gone", got)
	}
	if failed := users.Total().Failed; failed != 0 {
		t.Errorf("the release itself failed %d requests", failed)
	}

	_, err := r.AutoScaling().AttachTrafficSources(ctx, &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: aws.String(green),
		TrafficSources:       []asg.TrafficSourceIdentifier{{Identifier: aws.String(r.TargetGroupARN("web")), Type: aws.String("elbv2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Minute)
	out, err := r.AutoScaling().DescribeTrafficSources(ctx, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: aws.String(green)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.TrafficSources) != 1 || aws.ToString(out.TrafficSources[0].State) != "InService" {
		t.Errorf("after attaching, the traffic sources are %v", out.TrafficSources)
	}
	d, err := r.CodeDeploy().GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: aws.String(id)})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.DeploymentInfo.TargetInstances.AutoScalingGroups; !slices.Equal(got, []string{green}) {
		t.Errorf("GetDeployment names %v as the replacement, want %s", got, green)
	}
}

// TestAttachmentDecidesOverScaling shows what the lost attachment costs.
func TestAttachmentDecidesOverScaling(t *testing.T) {
	for _, tc := range []struct {
		name   string
		attach bool
	}{
		{"unattached, a scale-in cuts requests off and a scale-out serves nobody", false},
		{"attached, nothing fails", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := shop(r)
			users := r.StartTraffic(region.Traffic{TargetGroup: "web", PerSecond: 20, Takes: 3 * time.Second})
			r.RunDeployment(svc, region.Deployment{AttachItself: tc.attach})
			green := r.GroupOf(svc)
			r.Scale(green, 6)
			r.Advance(3 * time.Minute)
			seconds := users.Seconds()
			serving := seconds[len(seconds)-1].Serving
			r.Scale(green, 3)
			r.Advance(5 * time.Minute)
			failed := users.Total().Failed
			if tc.attach && (failed != 0 || serving != 6) {
				t.Errorf("attached, %d requests failed and %d of 6 instances served", failed, serving)
			}
			if !tc.attach && (failed == 0 || serving != 4) {
				t.Errorf("unattached, %d requests failed and %d of 6 instances served", failed, serving)
			}
		})
	}
}
