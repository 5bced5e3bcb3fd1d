package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// account plays the AWS APIs that smoke calls, on the wire, for one deployed stack. The
// fields are what a test makes wrong.
type account struct {
	place         string          // where the assembly says that the stack is
	regions       map[string]bool // that were asked, by the signatures
	status        string          // of the stack
	alarm         string          // state
	actions       bool            // whether the alarm's actions are enabled
	deadLetters   string          // how many messages
	deadRead      string          // how many more are being read
	undeployed    string          // the resource that is synthesised alone
	subscription  string          // ARN
	answer        string          // of the function
	functionError string
	service       bool // whether there is a role with a policy of AWS's own
	allowed       func(action, resource string, context map[string]string) bool

	invoked []string
}

const (
	stackARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/deployhooks/1"
	topicARN = "arn:aws:sns:eu-west-1:123456789012:notices"
	queueURL = "https://sqs.eu-west-1.amazonaws.com/123456789012/repair"
	queueARN = "arn:aws:sqs:eu-west-1:123456789012:repair"
	groups   = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:smoke:autoScalingGroupName/smoke"
	tagKey   = "aws:ResourceTag/env"
)

// template is the stack as it was synthesised.
const template = `{"Resources": {
	"Role": {"Type": "AWS::IAM::Role"},
	"Policy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": [
		{"Sid": "ReadOwnQueue", "Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}},
		{"Sid": "Change", "Effect": "Allow", "Action": ["autoscaling:AttachTrafficSources", "autoscaling:SetInstanceProtection"],
		 "Resource": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":autoscaling:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}, ":autoScalingGroup:*:autoScalingGroupName/*"]]},
		 "Condition": {"StringEquals": {"aws:ResourceTag/env": "production"}}},
		{"Sid": "Notify", "Effect": "Allow", "Action": "sns:Publish", "Resource": {"Fn::ImportValue": "hooks-topic"}},
		{"Sid": "Elsewhere", "Effect": "Allow", "Action": "sns:Publish", "Resource": {"Fn::ImportValue": "nowhere"}}]}}},
	"Queue": {"Type": "AWS::SQS::Queue"}, "DeadLetters": {"Type": "AWS::SQS::Queue"},
	"Alarm": {"Type": "AWS::CloudWatch::Alarm"}, "Topic": {"Type": "AWS::SNS::Topic"},
	"Web": {"Type": "Custom::BlueGreenDeploymentGroup"}}}`

// service are the resources of a service's role.
const service = `{"Resources": {
	"Service": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSCodeDeployRole"]}},
	"ServicePolicy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Service"}], "PolicyDocument": {"Statement": [
		{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}}},
`

// newAccount is an account in which everything is as it should be.
func newAccount() *account {
	return &account{
		place: "aws://unknown-account/unknown-region", regions: map[string]bool{},
		status: "UPDATE_COMPLETE", alarm: "OK", actions: true, deadLetters: "0", deadRead: "0", subscription: topicARN + ":1", answer: "[]",
		allowed: func(action, resource string, context map[string]string) bool {
			switch action {
			case "sqs:ReceiveMessage":
				return resource == queueARN
			case "sns:Publish":
				return resource == topicARN
			case "autoscaling:AttachTrafficSources", "autoscaling:SetInstanceProtection":
				return resource == groups && context[tagKey] == "production"
			}
			return false
		},
	}
}

// smoke runs the command against the account.
func (a *account) smoke(t *testing.T) (string, error) {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	folder, template := t.TempDir(), template
	if a.service {
		template = strings.Replace(template, `{"Resources": {`, service, 1)
	}
	for name, text := range map[string]string{
		"manifest.json":             `{"artifacts": {"deployhooks": {"type": "aws:cloudformation:stack", "environment": "` + a.place + `", "properties": {"templateFile": "deployhooks.template.json"}}}}`,
		"deployhooks.template.json": template,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err := run(t.Context(), []string{folder}, &out)
	return out.String(), err
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 3 && scope[3] != "iam" {
		a.regions[scope[2]] = true
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/"):
		var request struct{ Action string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.invoked = append(a.invoked, strings.Split(r.URL.Path, "/")[3]+" "+request.Action)
		if a.functionError != "" {
			w.Header().Set("X-Amz-Function-Error", a.functionError)
		}
		fmt.Fprint(w, a.answer)
	case r.Header.Get("X-Amz-Target") == "AmazonSQS.GetQueueAttributes":
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"Attributes": {"ApproximateNumberOfMessages": %q, "ApproximateNumberOfMessagesNotVisible": %q}}`, a.deadLetters, a.deadRead)
	default:
		a.query(w, r)
	}
}

// query answers in AWS's query protocol.
func (a *account) query(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action := r.Form.Get("Action")
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, a.result(action, r))
}

func (a *account) result(action string, r *http.Request) string {
	switch action {
	case "DescribeStacks":
		return `<Stacks><member><StackId>` + stackARN + `</StackId><StackName>deployhooks</StackName><StackStatus>` + a.status + `</StackStatus>
			<Outputs><member><OutputKey>RepairFunctionName</OutputKey><OutputValue>repair</OutputValue></member>
			<member><OutputKey>DeploymentGroupFunctionName</OutputKey><OutputValue>groups</OutputValue></member></Outputs></member></Stacks>`
	case "ListStackResources":
		var b strings.Builder
		for logical, physical := range map[string]string{"Role": "repair-role", "Policy": "p", "Queue": queueURL, "DeadLetters": queueURL + "-dead", "Alarm": "alarm", "Topic": topicARN, "Web": "shop/web"} {
			if logical == a.undeployed {
				continue
			}
			fmt.Fprintf(&b, "<member><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId></member>", logical, physical)
		}
		if a.service {
			fmt.Fprint(&b, "<member><LogicalResourceId>Service</LogicalResourceId><PhysicalResourceId>service-role</PhysicalResourceId></member>",
				"<member><LogicalResourceId>ServicePolicy</LogicalResourceId><PhysicalResourceId>s</PhysicalResourceId></member>")
		}
		return "<StackResourceSummaries>" + b.String() + "</StackResourceSummaries>"
	case "ListExports":
		return "<Exports><member><Name>hooks-topic</Name><Value>" + topicARN + "</Value></member></Exports>"
	case "DescribeAlarms":
		return fmt.Sprintf("<MetricAlarms><member><AlarmName>alarm</AlarmName><StateValue>%s</StateValue><StateReason>too many</StateReason><ActionsEnabled>%v</ActionsEnabled></member></MetricAlarms>", a.alarm, a.actions)
	case "ListSubscriptionsByTopic":
		if a.subscription == "" {
			return "<Subscriptions/>"
		}
		return "<Subscriptions><member><SubscriptionArn>" + a.subscription + "</SubscriptionArn><Endpoint>ops@example.com</Endpoint></member></Subscriptions>"
	case "SimulatePrincipalPolicy":
		return a.simulated(r)
	}
	return ""
}

// simulated answers as IAM does, with two results to a page.
func (a *account) simulated(r *http.Request) string {
	values := func(prefix string) (all []string) {
		for i := 1; r.Form.Has(fmt.Sprintf("%s.member.%d", prefix, i)); i++ {
			all = append(all, r.Form.Get(fmt.Sprintf("%s.member.%d", prefix, i)))
		}
		return all
	}
	context := map[string]string{}
	for i := 1; ; i++ {
		entry := fmt.Sprintf("ContextEntries.member.%d.", i)
		if !r.Form.Has(entry + "ContextKeyName") {
			break
		}
		context[r.Form.Get(entry+"ContextKeyName")] = r.Form.Get(entry + "ContextKeyValues.member.1")
	}
	actions := values("ActionNames")
	begin := 0
	if marker := r.Form.Get("Marker"); marker != "" {
		begin = slices.Index(actions, marker)
	}
	var b strings.Builder
	for _, action := range actions[begin:min(begin+2, len(actions))] {
		decision := "implicitDeny"
		if r.Form.Get("PolicySourceArn") == "arn:aws:iam::123456789012:role/repair-role" && a.allowed(action, values("ResourceArns")[0], context) {
			decision = "allowed"
		}
		fmt.Fprintf(&b, "<member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision></member>", action, decision)
	}
	more := "<IsTruncated>false</IsTruncated>"
	if begin+2 < len(actions) {
		more = "<IsTruncated>true</IsTruncated><Marker>" + actions[begin+2] + "</Marker>"
	}
	return "<EvaluationResults>" + b.String() + "</EvaluationResults>" + more
}
