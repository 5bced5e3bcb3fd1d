package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/events"
	"deployhooks/pkg/event"
)

const (
	account  = "123456789012"
	region   = "eu-west-1"
	deployed = "d-4X8QK2M1Z"
	rollback = "d-7R3BNC95W"
	instance = "i-0a1b2c3d4e5f60718"
	other    = "i-0f9e8d7c6b5a41302"
	group    = "CodeDeploy_web_d-4X8QK2M1Z"
	token    = "c613620e-07e2-4ed2-a9e2-ef8258911ade"
)

// deployment is what every notification about the deployment comes to.
func deployment(state event.State) event.Deployment {
	return event.Deployment{Account: account, Region: region, Application: "shop", DeploymentGroup: "web", ID: deployed, State: state}
}

func rolledBack(state event.State) event.Deployment {
	d := deployment(state)
	d.ID = rollback
	return d
}

// terminating and launching are lifecycle actions as EventBridge delivers them.
func terminating(origin, destination string) event.LifecycleAction {
	return event.LifecycleAction{
		Account: account, Region: region, Token: token, AutoScalingGroup: group, Hook: "deployhooks-drain", Instance: instance,
		Transition: event.Terminating, Origin: origin, Destination: destination,
		Began: time.Date(2026, 3, 5, 10, 20, 1, 0, time.UTC),
	}
}

func launching(destination string) event.LifecycleAction {
	a := terminating("EC2", destination)
	a.Hook, a.Transition = "deployhooks-launch", event.Launching
	a.Began = time.Date(2026, 3, 5, 10, 5, 44, 0, time.UTC)
	return a
}

func replacingRootVolume() event.LifecycleAction {
	a := terminating("AutoScalingGroup", "AutoScalingGroup")
	a.Action = event.ReplaceRootVolume
	return a
}

// straight is the same action in the form that does not say its region, and
// that gives the time in milliseconds.
func straight(action event.LifecycleAction) event.LifecycleAction {
	action.Region = ""
	fraction := 904 * time.Millisecond
	if action.Transition == event.Launching {
		fraction = 118 * time.Millisecond
	}
	action.Began = action.Began.Add(fraction)
	return action
}

func retirement() event.Maintenance {
	return event.Maintenance{
		Account: account, Region: region, Code: "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
		Text:      "EC2 has detected degradation of the underlying hardware hosting your Amazon EC2 instance.",
		Instances: []string{instance},
	}
}

func request(action, body string) event.Request {
	return event.Request{Action: action, Body: json.RawMessage(body)}
}

func continuation(body string) event.Continuation {
	return event.Continuation{Body: json.RawMessage(body)}
}

func tenantRequest(id, operation, spec string) event.TenantRequest {
	r := event.TenantRequest{ID: id, Tenant: "acme", Operation: operation}
	if spec != "" {
		r.Spec = json.RawMessage(spec)
	}
	return r
}

// customResource is CloudFormation's request, with the number of its ID and of its hour.
func customResource(t event.RequestType, number, version, most string) event.CustomResource {
	properties := func(version, most string) []byte {
		return []byte(`{"ServiceToken":"arn:aws:sns:eu-west-1:123456789012:deployhooks-training-DeploymentGroupsTopic-EXAMPLE","ServiceTimeout":"3600",` +
			`"ApplicationName":"shop","DeploymentGroupName":"web","ServiceRoleArn":"arn:aws:iam::123456789012:role/codedeploy","AutoScalingGroup":"shop-seed",` +
			`"TargetGroups":["arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1a2b3c4d5e6f7081"],"TerminationWaitMinutes":"60",` +
			`"DeploymentConfig":"CodeDeployDefault.AllAtOnce","Alarms":["shop-5xx"],"LaunchTemplateId":"lt-0a1b2c3d4e5f60718","LaunchTemplateVersion":"` + version + `",` +
			`"MinSize":"2","MaxSize":"` + most + `","TargetCPUPercent":"50"}`)
	}
	r := event.CustomResource{
		Type: t, ID: "3f1c7a52-6b0e-4d2b-9a44-5b6c7d8e9f0" + number, LogicalID: "ShopDeploymentGroup", ResourceType: "Custom::BlueGreenDeploymentGroup",
		Stack:       "arn:aws:cloudformation:eu-west-1:123456789012:stack/deployhooks-training/8b5e1d20-2f4c-11f1-9d3a-0a1b2c3d4e5f",
		ResponseURL: "https://cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com/EXAMPLE?X-Amz-Signature=EXAMPLE",
		Properties:  properties(version, most),
	}
	if t != event.Create {
		r.PhysicalID = "shop/web"
	}
	if t == event.Update {
		r.OldProperties = properties("1", "4")
	}
	return r
}

// notified is a request in an envelope that says when it was published.
func notified(r event.CustomResource, hour int) event.CustomResource {
	r.Time = time.Date(2026, 3, 5, hour, 12, 40, 312e6, time.UTC)
	return r
}

func execution(status string) event.Execution {
	return event.Execution{
		Account: account, Region: region, Machine: "arn:aws:states:eu-west-1:123456789012:stateMachine:deployhooks-converge", Name: "acme-launch-5f0c2a9d41e7b836",
		Status: status, Input: `{"tenant":"acme","operation":"acme-launch-5f0c2a9d41e7b836","attempt":1}`,
	}
}

const sweepBody = `{"sweep":{}}`

// golden is what each file of the events directory is parsed to. The IDs of messages
// from SQS have a test of their own.
var golden = map[string][]event.Event{
	"autoscaling-eventbridge-launch":                        {launching("AutoScalingGroup")},
	"autoscaling-eventbridge-launch-successful":             {event.Unknown{Source: "aws.autoscaling", Kind: "EC2 Instance Launch Successful"}},
	"autoscaling-eventbridge-launch-to-warm-pool":           {launching("WarmPool")},
	"autoscaling-eventbridge-terminate":                     {terminating("AutoScalingGroup", "EC2")},
	"autoscaling-eventbridge-terminate-from-warm-pool":      {terminating("WarmPool", "EC2")},
	"autoscaling-eventbridge-terminate-replace-root-volume": {replacingRootVolume()},
	"autoscaling-message-terminate-replace-root-volume":     {straight(replacingRootVolume())},
	"autoscaling-eventbridge-terminate-to-warm-pool":        {terminating("AutoScalingGroup", "WarmPool")},
	"autoscaling-eventbridge-terminate-without-origin":      {terminating("", "")},
	"autoscaling-message-launch":                            {straight(launching("AutoScalingGroup"))},
	"autoscaling-message-terminate":                         {straight(terminating("AutoScalingGroup", "EC2"))},
	"autoscaling-message-terminate-with-metadata":           {straight(terminating("AutoScalingGroup", "EC2"))},
	"autoscaling-message-test":                              {event.Test{Service: "AWS Auto Scaling"}},
	"autoscaling-sns-terminate":                             {straight(terminating("AutoScalingGroup", "EC2"))},
	"autoscaling-sqs-eventbridge-terminate":                 {terminating("AutoScalingGroup", "EC2")},
	"autoscaling-sqs-sns-terminate":                         {straight(terminating("AutoScalingGroup", "EC2"))},
	"autoscaling-sqs-terminate":                             {straight(terminating("AutoScalingGroup", "EC2"))},
	"autoscaling-sqs-test":                                  {event.Test{Service: "AWS Auto Scaling"}},

	"codedeploy-eventbridge-failure":                   {deployment(event.Failed)},
	"codedeploy-eventbridge-instance-failure":          {event.Unknown{Source: "aws.codedeploy", Kind: "CodeDeploy Instance State-change Notification"}},
	"codedeploy-eventbridge-instance-success":          {event.Unknown{Source: "aws.codedeploy", Kind: "CodeDeploy Instance State-change Notification"}},
	"codedeploy-eventbridge-ready":                     {deployment(event.Ready)},
	"codedeploy-eventbridge-start":                     {deployment(event.Started)},
	"codedeploy-eventbridge-stop":                      {deployment(event.Stopped)},
	"codedeploy-eventbridge-success":                   {deployment(event.Succeeded)},
	"codedeploy-message-created":                       {deployment(event.Started)},
	"codedeploy-message-documented-failed":             {deployment(event.Failed)},
	"codedeploy-message-documented-instance-succeeded": {event.Unknown{}},
	"codedeploy-message-documented-succeeded":          {deployment(event.Succeeded)},
	"codedeploy-message-failed":                        {deployment(event.Failed)},
	"codedeploy-message-in-progress":                   {deployment(event.Started)},
	"codedeploy-message-rollback-created":              {rolledBack(event.Started)},
	"codedeploy-message-rollback-succeeded":            {rolledBack(event.Succeeded)},
	"codedeploy-message-stopped":                       {deployment(event.Stopped)},
	"codedeploy-message-succeeded":                     {deployment(event.Succeeded)},
	"codedeploy-sns-eventbridge-success":               {deployment(event.Succeeded)},
	"codedeploy-sns-succeeded":                         {deployment(event.Succeeded)},
	"codedeploy-sns-test":                              {event.Test{Service: "AWS CodeDeploy"}},
	"codedeploy-sqs-eventbridge-start":                 {deployment(event.Started)},
	"codedeploy-sqs-eventbridge-success":               {deployment(event.Succeeded)},
	"codedeploy-sqs-raw-succeeded":                     {deployment(event.Succeeded)},
	"codedeploy-sqs-raw-test":                          {event.Test{Service: "AWS CodeDeploy"}},
	"codedeploy-sqs-sns-succeeded":                     {deployment(event.Succeeded)},
	"codedeploy-sqs-sns-test":                          {event.Test{Service: "AWS CodeDeploy"}},

	"ec2-eventbridge-rebalance-recommendation": {event.RebalanceRecommendation{Account: account, Region: region, Instance: instance}},
	"ec2-eventbridge-spot-interruption":        {event.SpotInterruption{Account: account, Region: region, Instance: instance, Time: warned}},
	"ec2-eventbridge-instance-stopping":        {event.StateChange{Account: account, Region: region, Instance: instance, State: "stopping"}},
	"ec2-eventbridge-instance-shutting-down":   {event.StateChange{Account: account, Region: region, Instance: instance, State: "shutting-down"}},
	"health-eventbridge-scheduled-change":      {retirement()},

	"deployhooks-direct-abandon":         {request("abandon", `{"action":"abandon","tenant":"acme"}`)},
	"deployhooks-direct-cancel":          {request("cancel", `{"action":"cancel","tenant":"acme"}`)},
	"deployhooks-direct-complete":        {request("complete", `{"action":"complete","tenant":"acme","step":"store-accounts","by":"mobile@example.com"}`)},
	"deployhooks-direct-retry":           {request("retry", `{"action":"retry","tenant":"acme"}`)},
	"deployhooks-direct-tenant":          {request("tenant", `{"action":"tenant","tenant":"acme"}`)},
	"deployhooks-direct-tenants":         {request("tenants", `{"action":"tenants"}`)},
	"deployhooks-direct-plan":            {request("plan", `{"action":"plan","application":"shop","deploymentGroup":"web"}`)},
	"deployhooks-direct-repair":          {request("repair", `{"action":"repair","application":"shop","deploymentGroup":"web"}`)},
	"deployhooks-direct-status":          {request("status", `{"action":"status"}`)},
	"deployhooks-direct-sweep":           {request("sweep", `{"action":"sweep"}`)},
	"deployhooks-eventbridge-outcome":    {event.Unknown{Source: "deployhooks.repair", Kind: "Deployment Hook Outcome"}},
	"deployhooks-sqs-continue-reconcile": {continuation(`{"reconcile":{"application":"shop","deploymentGroup":"web"}}`)},
	"deployhooks-sqs-continue-sweep":     {continuation(sweepBody)},

	"cloudformation-message-create": {customResource(event.Create, "1", "1", "4")},
	"cloudformation-message-update": {customResource(event.Update, "2", "2", "8")},
	"cloudformation-message-delete": {customResource(event.Delete, "3", "2", "8")},
	"cloudformation-sqs-sns-create": {notified(customResource(event.Create, "1", "1", "4"), 10)},
	"cloudformation-sqs-sns-update": {notified(customResource(event.Update, "2", "2", "8"), 11)},
	"cloudformation-sqs-sns-delete": {notified(customResource(event.Delete, "3", "2", "8"), 12)},

	"portal-message-change": {tenantRequest("", "change", `{"schemaVersion":1,"name":"acme","title":"Acme Markets","contacts":{"owner":{"name":"Ana Silva","email":"ana@acme.example"}},"locale":"de-DE","protected":false}`)},
	"portal-message-launch": {tenantRequest("order-1001", "launch", `{"schemaVersion":1,"name":"acme","title":"Acme Markets","contacts":{"owner":{"name":"Ana Silva","email":"ana@acme.example"}},"locale":"en-GB","protected":false}`)},
	"portal-message-remove": {tenantRequest("", "remove", "")},
	"portal-sqs-raw-remove": {tenantRequest("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "remove", "")},                                                                                                                                                                 // the SQS message's ID
	"portal-sqs-sns-change": {tenantRequest("2e6f0c94-8d17-5a3b-bc21-6a0e9d5f7b18", "change", `{"schemaVersion":1,"name":"acme","title":"Acme Markets","contacts":{"owner":{"name":"Ana Silva","email":"ana@acme.example"}},"locale":"de-DE","protected":false}`)}, // the SNS message's ID
	"portal-sqs-sns-launch": {tenantRequest("order-1001", "launch", `{"schemaVersion":1,"name":"acme","title":"Acme Markets","contacts":{"owner":{"name":"Ana Silva","email":"ana@acme.example"}},"locale":"en-GB","protected":false}`)},

	"stepfunctions-eventbridge-aborted":   {execution("ABORTED")},
	"stepfunctions-eventbridge-succeeded": {execution("SUCCEEDED")},

	"events-eventbridge-scheduled":      {event.Unknown{Source: "aws.events", Kind: "Scheduled Event"}},
	"sns-sqs-subscription-confirmation": {event.Unknown{Source: "aws.sns", Kind: "SubscriptionConfirmation"}},

	"several-sns": {
		deployment(event.Started),
		straight(terminating("AutoScalingGroup", "EC2")),
		rolledBack(event.Succeeded),
	},
	"several-sqs": {
		deployment(event.Started),
		deployment(event.Succeeded),
		event.SpotInterruption{Account: account, Region: region, Instance: other, Time: warned},
		straight(terminating("AutoScalingGroup", "EC2")),
		continuation(sweepBody),
	},
	"several-sqs-one-cut-off": {deployment(event.Started), nil, continuation(sweepBody)},
}

// warned is when EC2 took back the Spot instances of the payloads.
var warned = time.Date(2026, 3, 5, 11, 30, 0, 0, time.UTC)

func TestPayloadsOfTheEventsDirectory(t *testing.T) {
	for _, name := range events.Names() {
		t.Run(name, func(t *testing.T) {
			want, ok := golden[name]
			if !ok {
				t.Fatal("this payload has no expectation: a function would receive something that nobody has thought about")
			}
			batch, err := event.Parse(read(t, name))
			if err != nil {
				t.Fatalf("a payload that AWS sends is refused: %v", err)
			}
			var got []event.Event
			for _, message := range batch.Messages {
				got = append(got, compacted(t, message.Event))
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("understood as\n%+v\nwant\n%+v", got, want)
			}
			if queued := strings.Contains(name, "-sqs"); batch.Queued != queued {
				t.Errorf("Queued = %t: failures would be reported in the wrong way", batch.Queued)
			}
		})
	}
	for name := range golden {
		if !slices.Contains(events.Names(), name) {
			t.Errorf("%s.json is expected but not there", name)
		}
	}
}

func TestQueuedMessagesKeepTheirIDsAndCounts(t *testing.T) {
	batch, err := event.Parse(read(t, "several-sqs"))
	if err != nil {
		t.Fatal(err)
	}
	var payload struct{ Records []struct{ MessageID string } }
	if err := json.Unmarshal(read(t, "several-sqs"), &payload); err != nil {
		t.Fatal(err)
	}
	receives := []int{3, 1, 1, 1, 2}
	for i, message := range batch.Messages {
		if want := payload.Records[i].MessageID; message.ID != want || want == "" {
			t.Errorf("message %d has the ID %q, want %q: the wrong message would be retried", i, message.ID, want)
		}
		if message.Receives != receives[i] {
			t.Errorf("message %d has been received %d times, want %d", i, message.Receives, receives[i])
		}
	}
}

func TestMalformedMessageFailsAlone(t *testing.T) {
	batch, err := event.Parse(read(t, "several-sqs-one-cut-off"))
	if err != nil {
		t.Fatalf("the whole batch is refused for one bad message: %v", err)
	}
	bad := batch.Messages[1]
	if bad.ID == "" || bad.Receives != 4 || bad.Event != nil {
		t.Errorf("the bad message is %+v: it could not be reported by its ID", bad)
	}
	wantFaults(t, bad.Err, "Records[1].body is not JSON: it is cut off after 420 bytes")
	for _, i := range []int{0, 2} {
		if batch.Messages[i].Err != nil {
			t.Errorf("message %d fails because of its neighbour: %v", i, batch.Messages[i].Err)
		}
	}
}

// TestLetterCase holds that neither the keys nor the states of CodeDeploy's
// notifications depend on their letter case: its documentation and its
// practice differ.
func TestLetterCase(t *testing.T) {
	cases := map[string]func(string) string{"upper": strings.ToUpper, "lower": strings.ToLower, "title": title}
	for _, name := range events.Names() {
		if !strings.HasPrefix(name, "codedeploy-message-") && !strings.HasPrefix(name, "autoscaling-message-") {
			continue
		}
		for how, change := range cases {
			t.Run(name+"/"+how, func(t *testing.T) {
				var fields map[string]any
				if err := json.Unmarshal(read(t, name), &fields); err != nil {
					t.Fatal(err)
				}
				changed := map[string]any{}
				for key, value := range fields {
					if key == "status" || key == "instanceStatus" {
						value = change(value.(string))
					}
					changed[change(key)] = value
				}
				batch, err := event.Parse(marshal(t, changed))
				if err != nil {
					t.Fatalf("refused in another letter case: %v", err)
				}
				if got := batch.Messages[0].Event; !reflect.DeepEqual(got, golden[name][0]) {
					t.Errorf("understood as %+v, want %+v", got, golden[name][0])
				}
			})
		}
	}
}

func title(s string) string { return strings.ToUpper(s[:1]) + strings.ToLower(s[1:]) }

// never is the time of an event that does not say its own.
var never time.Time

// read returns a payload of the events directory.
func read(t testing.TB, name string) []byte {
	t.Helper()
	payload, err := events.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// compacted removes the white space from a request's body, which the files have for
// their readers.
func compacted(t testing.TB, e event.Event) event.Event {
	t.Helper()
	compact := func(text []byte) []byte {
		var body bytes.Buffer
		if err := json.Compact(&body, text); err != nil {
			t.Fatal(err)
		}
		return body.Bytes()
	}
	switch e := e.(type) {
	case event.Request:
		e.Body = compact(e.Body)
		return e
	case event.TenantRequest:
		if e.Spec != nil {
			e.Spec = compact(e.Spec)
		}
		return e
	case event.CustomResource:
		for _, properties := range []*[]byte{&e.Properties, &e.OldProperties} {
			if *properties != nil {
				*properties = compact(*properties)
			}
		}
		return e
	}
	return e
}
