package wire_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// post sends a request to an operation of a JSON service, or a form.
func post(t *testing.T, url, target, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", formType)
	if target != "" {
		req.Header.Set("Content-Type", jsonType)
		req.Header.Set("X-Amz-Target", target)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// TestEmptyLists: a client that is not written in Go tells an empty list from
// one that is missing: the AWS CLI then shows [] or nothing, and jq fails.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	r := region.New(region.Options{})
	r.AddTable("drains", "drain")
	queue := r.Queue("drain")
	url := serve(t, wire.New(wire.ServicesOf(r)...)).URL
	for _, tc := range []struct{ name, target, body, want string }{
		{"CodeDeploy", "CodeDeploy_20141006.ListApplications", "{}", `{"applications":[]}`},
		{"SSM", "AmazonSSM.ListCommands", "{}", `{"Commands":[]}`},
		{"DynamoDB", "DynamoDB_20120810.Scan", `{"TableName":"drains"}`, `"Items":[]`},
		{"DynamoDB, where the items are not asked for", "DynamoDB_20120810.Scan", `{"TableName":"drains","Select":"COUNT"}`, `{"Count":0,"ScannedCount":0}`},
		{"SQS, which leaves out messages", "AmazonSQS.ReceiveMessage", `{"QueueUrl":"` + queue.URL() + `"}`, `{}`},
		{"SQS, nothing failed", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"` + queue.URL() + `","Entries":[{"Id":"a","MessageBody":"b"}]}`, `"Failed":[]`},
		{"Auto Scaling", "", "Action=DescribeAutoScalingGroups&Version=2011-01-01", "<AutoScalingGroups></AutoScalingGroups>"},
		{"Elastic Load Balancing", "", "Action=DescribeTargetGroups&Version=2015-12-01", "<TargetGroups></TargetGroups>"},
	} {
		status, answer := post(t, url, tc.target, tc.body)
		if status != http.StatusOK || !strings.Contains(answer, tc.want) {
			t.Errorf("%s answers %d %s, want in it %s", tc.name, status, answer, tc.want)
		}
	}
}

// TestUnknownFieldsAreRefused: a misspelt field, or one that is newer than what
// is served, must not be taken as if it had been done.
func TestUnknownFieldsAreRefused(t *testing.T) {
	t.Parallel()
	url := serve(t, wire.New(wire.ServicesOf(region.New(region.Options{}))...)).URL
	for _, tc := range []struct{ name, target, body, want string }{
		{"JSON", "CodeDeploy_20141006.ListDeployments", `{"applicationname":"shop"}`, "applicationname: there is no such member"},
		{"JSON, within a structure", "CodeDeploy_20141006.ListDeployments", `{"createTimeRange":{"begin":1}}`, "createTimeRange: begin: there is no such member"},
		{"a form", "", "Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupName=web", "AutoScalingGroupName: there is no such member"},
		{"a form, within a list", "", "Action=DescribeAutoScalingGroups&Version=2011-01-01&Filters.member.1.Nam=web", "Filters: 1: Nam: there is no such member"},
	} {
		if status, answer := post(t, url, tc.target, tc.body); status != http.StatusBadRequest || !strings.Contains(answer, tc.want) {
			t.Errorf("%s: answered %d %s, want in it %s", tc.name, status, answer, tc.want)
		}
	}
}
