package wire_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"deployhooks/test/region/wire"
)

// FuzzBodies: whatever a body holds, the answer is a success or the caller's
// own fault, and nothing panics.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"TableName":"t","Item":{"a":{"S":"x"},"b":{"L":[{"NULL":true},{"M":{"c":{"B":"AA=="}}}]},"d":{"NS":["1"]}}}`,
		`{"Item":{"a":null,"b":{"S":null},"c":{"L":[null]}}}`,
		`{"Item":[1e400,"x",true]}`,
		"AutoScalingGroupName=g&LaunchTemplate.Version=1&Tags.member.1.Key=k&Tags.member.1.PropagateAtLaunch=true",
		"TargetGroupARNs.member.1=a&TargetGroupARNs.member.=b&TargetGroupARNs=c",
		"MixedInstancesPolicy.LaunchTemplate.Overrides.member.1.InstanceRequirements.VCpuCount.Min=1&MinSize=-",
		"Tags.member.99999999999999999999=1&Tags..=2&.=3",
	} {
		f.Add(seed)
	}
	groups, tables := &view{}, &view{}
	groups.willAnswer(&autoscaling.CreateAutoScalingGroupOutput{}, nil)
	tables.willAnswer(&dynamodb.PutItemOutput{}, nil)
	handler := wire.New(
		wire.AutoScaling(autoscaling.NewFromConfig(groups.config())),
		wire.DynamoDB(dynamodb.NewFromConfig(tables.config())))
	f.Fuzz(func(t *testing.T, body string) {
		form := httptest.NewRequest("POST", "/", strings.NewReader("Action=CreateAutoScalingGroup&Version=2011-01-01&"+body))
		form.Header.Set("Content-Type", formType)
		document := httptest.NewRequest("POST", "/", strings.NewReader(body))
		document.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
		for _, r := range []*http.Request{form, document} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Errorf("status %d for %q: %s", w.Code, body, w.Body)
			}
		}
	})
}
