package event_test

import (
	"strings"
	"testing"

	"deployhooks/pkg/event"
)

func TestEventsOutOfScope(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    event.Event
	}{
		"an empty object":                {`{}`, event.Unknown{}},
		"an event of another service":    {`{"source":"aws.s3","detail-type":"Object Created","detail":{}}`, event.Unknown{Source: "aws.s3", Kind: "Object Created"}},
		"an event without a detail":      {`{"source":"com.example","detail-type":"Nothing"}`, event.Unknown{Source: "com.example", Kind: "Nothing"}},
		"the input of a CodeDeploy hook": {`{"DeploymentId":"d-1","LifecycleEventHookExecutionId":"x"}`, event.Unknown{}},
		"the test event of S3":           {`{"Service":"Amazon S3","Event":"s3:TestEvent"}`, event.Unknown{Source: "Amazon S3", Kind: "s3:TestEvent"}},
		"a notice of scaling": {`{"Service":"AWS Auto Scaling","Event":"autoscaling:EC2_INSTANCE_LAUNCH","AutoScalingGroupName":"web"}`,
			event.Unknown{Source: "AWS Auto Scaling", Kind: "autoscaling:EC2_INSTANCE_LAUNCH"}},
		"records of another service": {`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`, event.Unknown{Source: "aws:s3"}},
		"a deployment in a state that triggers have sent once": {`{"eventTriggerName":"t","applicationName":"shop","deploymentGroupName":"web","deploymentId":"d-1","status":"unknown"}`,
			event.Unknown{Source: "AWS CodeDeploy"}},
		"a trigger's report on one instance": {`{"deploymentId":"d-1","deploymentGroupName":7,"instanceId":"i-1","instanceStatus":"SUCCEEDED"}`, event.Unknown{}},
		"a deployment in a state yet to be invented": {`{"source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"application":"a","deploymentGroup":"g","deploymentId":"d-1","state":"BAKING"}}`,
			event.Unknown{Source: "aws.codedeploy", Kind: "CodeDeploy Deployment State-change Notification"}},
		"a transition yet to be invented": {`{"AutoScalingGroupName":"g","LifecycleHookName":"h","EC2InstanceId":"i-1","LifecycleTransition":"autoscaling:EC2_INSTANCE_RETAINING"}`,
			event.Unknown{Source: "AWS Auto Scaling"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			batch, err := event.Parse([]byte(test.payload))
			if err != nil {
				t.Fatalf("refused, so that it would fill the dead-letter queue: %v", err)
			}
			if got := batch.Messages[0].Event; got != test.want {
				t.Errorf("understood as %#v, want %#v", got, test.want)
			}
		})
	}
}

func TestNoRecords(t *testing.T) {
	batch, err := event.Parse([]byte(`{"Records":[]}`))
	if err != nil || len(batch.Messages) != 0 {
		t.Errorf("got %+v, %v, want nothing to do", batch, err)
	}
}

func TestFormsOfOneMessage(t *testing.T) {
	message := func(more string) string {
		return `{"accountId":"` + account + `","region":"` + region + `","eventTriggerName":"t","applicationName":"shop","deploymentGroupName":"web","deploymentId":"` + deployed + `",` + more + `}`
	}
	tests := map[string]struct {
		payload string
		want    event.Event
	}{
		"a rollback as an object":                {strings.Replace(message(`"status":"SUCCEEDED","rollbackInformation":{"RollbackTriggeringDeploymentId":"`+deployed+`"}`), deployed, rollback, 1), rolledBack(event.Succeeded)},
		"a rollback cut off":                     {message(`"status":"READY","rollbackInformation":"{\"RollbackTrig"`), deployment(event.Ready)},
		"a rollback of nothing":                  {message(`"status":"READY","rollbackInformation":{"RollbackTriggeringDeploymentId":7}`), deployment(event.Ready)},
		"ready":                                  {message(`"status":"READY"`), deployment(event.Ready)},
		"names in other scripts":                 {strings.Replace(message(`"status":"READY"`), "web", "wéb_/ウェブ", 1), func() event.Event { d := deployment(event.Ready); d.DeploymentGroup = "wéb_/ウェブ"; return d }()},
		"a name of two lines":                    {strings.Replace(message(`"status":"READY"`), "web", `w\neb`, 1), func() event.Event { d := deployment(event.Ready); d.DeploymentGroup = "w\neb"; return d }()},
		"names in escapes":                       {strings.Replace(message(`"status":"READY"`), "web", `w\u0065b`, 1), deployment(event.Ready)},
		"fields in escapes":                      {strings.Replace(message(`"status":"READY"`), "deploymentId", `deployment\u0049d`, 1), deployment(event.Ready)},
		"white space all around":                 {"\r\n\t " + message("\"status\" : \"READY\"\n") + "\n", deployment(event.Ready)},
		"a notification straight":                {`{"Type":"Notification","TopicArn":"t","Message":"{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"{\\\"Event\\\":\\\"autoscaling:TEST_NOTIFICATION\\\"}\"}"}`, event.Test{Service: "AWS Auto Scaling"}},
		"a Spot interruption without its action": {`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{"instance-id":"i-1"}}`, event.SpotInterruption{Instance: "i-1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			batch, err := event.Parse([]byte(test.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := batch.Messages[0].Event; got != test.want {
				t.Errorf("understood as\n%#v\nwant\n%#v", got, test.want)
			}
		})
	}
}
