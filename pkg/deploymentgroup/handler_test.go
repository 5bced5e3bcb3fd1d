package deploymentgroup_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"deployhooks/pkg/deploymentgroup"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/invoke"
	"deployhooks/test/region"
)

func TestAnswer(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}})
	m := deploymentgroup.New(deploymentgroup.Config{Home: invoke.Home{Account: region.Account, Region: region.Name}}, deploymentgroup.Clients{
		Deployments: r.CodeDeploy(), Groups: r.AutoScaling(), Queue: r.SQS(),
	}, slog.New(slog.DiscardHandler), r.Now)
	for request, want := range map[string]string{
		`{"action":"status","application":"shop","deploymentGroup":"web"}`:   `{"deploymentGroup":"shop/web","exists":true,"autoScalingGroups":["shop-web"]}`,
		`{"action":"status","application":"shop","deploymentGroup":"other"}`: `{"deploymentGroup":"shop/other","exists":false}`,
		`{"action":"status","application":"shop"}`:                           `needs "application" and "deploymentGroup"`,
		`{"action":"status","app":"shop"}`:                                   "app is not a field of this request",
		`{"action":"delete","application":"shop","deploymentGroup":"web"}`:   `this function takes "status"`,
	} {
		answer, err := m.Invoke(t.Context(), []byte(request))
		var compact any
		_ = json.Unmarshal(answer, &compact)
		text, _ := json.Marshal(compact)
		var expected any
		if json.Unmarshal([]byte(want), &expected) == nil {
			if sorted, _ := json.Marshal(expected); string(text) != string(sorted) || err != nil {
				t.Errorf("%s is answered with %s, %v", request, text, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is answered with %s, %v, want %s", request, text, err, want)
		}
	}
	for _, c := range r.Calls() {
		if !strings.HasPrefix(c.Operation, "Get") && !strings.HasPrefix(c.Operation, "List") && !strings.HasPrefix(c.Operation, "BatchGet") {
			t.Errorf("a question makes the call %s", c.Operation)
		}
	}
	r.SetFaults(region.On("GetDeploymentGroup", 0, region.Fault{Before: region.AccessDenied("")}))
	if _, err := m.Invoke(t.Context(), []byte(`{"action":"status","application":"shop","deploymentGroup":"web"}`)); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "Allow codedeploy:GetDeploymentGroup") {
		t.Errorf("denied, it answers %v", err)
	}
}

func TestContinuationsAtFault(t *testing.T) {
	m := deploymentgroup.New(deploymentgroup.Config{}, deploymentgroup.Clients{}, slog.New(slog.DiscardHandler), nil)
	for _, body := range []string{`{"continue":{}}`, `{"continue":{"sweep":{}}}`, `{"continue":{"work":{"colour":"red"}}}`} {
		payload, _ := json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "m", "eventSource": "aws:sqs", "body": body}}})
		answer, err := m.Invoke(t.Context(), payload)
		if err != nil || !strings.Contains(string(answer), `"itemIdentifier":"m"`) {
			t.Errorf("%s is answered with %s, %v: it is lost instead of kept", body, answer, err)
		}
	}
}
