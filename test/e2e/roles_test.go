package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// TestRegionEnforcesTheDeployedRoles holds that a statement which is missing from a
// role fails the run: the calls that it allowed are denied.
func TestRegionEnforcesTheDeployedRoles(t *testing.T) {
	t.Parallel()
	r := region.New(region.Options{})
	handler := newHandler(r)
	server := httptest.NewServer(handler)
	defer server.Close()
	whole := policies.Read("repair", map[string]string{
		"Baselines.Arn": "arn:aws:dynamodb:eu-west-1:1:table/b", "Notices": "arn:aws:sns:eu-west-1:1:n",
		"RepairQueue.Arn": "arn:aws:sqs:eu-west-1:1:q", "RepairLogs.Arn": "arn:aws:logs:eu-west-1:1:log-group:l",
	})
	without := []byte(strings.ReplaceAll(string(whole), `"autoscaling:DescribeAutoScalingGroups",`, ""))
	repair := deployed{"arn:aws:lambda:eu-west-1:123456789012:function:repair", "arn:aws:iam::123456789012:role/repair"}
	lacking := deployed{"arn:aws:lambda:eu-west-1:123456789012:function:lacking", "arn:aws:iam::123456789012:role/lacking"}
	enforce(handler, r, repair, whole)
	enforce(handler, r, lacking, without)
	for name, c := range map[string]struct {
		key  string
		want string
	}{
		"the region's owner":               {region.Account, ""},
		"a function":                       {repair.accessKeyID(), ""},
		"one whose role lacks a statement": {lacking.accessKeyID(), "autoscaling:DescribeAutoScalingGroups"},
		"a function that nobody knows":     {deployed{"arn", "role"}.accessKeyID(), "autoscaling:DescribeAutoScalingGroups"},
	} {
		_, err := autoscaling.New(autoscaling.Options{
			Region: region.Name, BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider(c.key, "secret", "token"),
		}).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), "is not authorized to perform: "+c.want) {
			t.Errorf("%s: %v: what the deployed role allows is not what the functions run with", name, err)
		}
	}
}
