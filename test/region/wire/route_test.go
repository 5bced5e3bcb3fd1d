package wire_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"deployhooks/test/region/wire"
)

const (
	formType = "application/x-www-form-urlencoded; charset=utf-8"
	jsonType = "application/x-amz-json-1.1"
	noTarget = ""
)

func signed(service string) string {
	return "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
}

// sample serves four APIs whose views answer every call with an empty output.
func sample(t *testing.T) string {
	t.Helper()
	groups, balancers, deployments, tables := &view{}, &view{}, &view{}, &view{}
	groups.willAnswer(&autoscaling.DescribeAutoScalingGroupsOutput{NextToken: aws.String("from Auto Scaling")}, nil)
	balancers.willAnswer(&elasticloadbalancingv2.DescribeTargetGroupsOutput{NextMarker: aws.String("from ELB")}, nil)
	deployments.willAnswer(&codedeploy.ListApplicationsOutput{Applications: []string{"from CodeDeploy"}}, nil)
	tables.willAnswer(&dynamodb.PutItemOutput{}, nil)
	handler := wire.New(
		wire.AutoScaling(autoscaling.NewFromConfig(groups.config())),
		wire.ELBV2(elasticloadbalancingv2.NewFromConfig(balancers.config())),
		wire.CodeDeploy(codedeploy.NewFromConfig(deployments.config())),
		wire.DynamoDB(dynamodb.NewFromConfig(tables.config())),
	)
	handler.Control = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "control of %s", r.URL.Path)
	})
	return serve(t, handler).URL
}

func TestWhereRequestsGo(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name          string
		method, path  string
		contentType   string
		target        string
		authorization string
		body          string
		status        int
		want          []string
	}{
		{"a form, by its version", "POST", "/", formType, noTarget, signed("autoscaling"),
			"Action=DescribeAutoScalingGroups&Version=2011-01-01", 200,
			[]string{"<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><DescribeAutoScalingGroupsResult>", "from Auto Scaling", "<RequestId>"}},
		{"a form that is not signed", "POST", "/", formType, noTarget, "",
			"Action=DescribeTargetGroups&Version=2015-12-01", 200, []string{"from ELB"}},
		{"a form without a version, by its signature", "POST", "/", formType, noTarget, signed("elasticloadbalancing"),
			"Action=DescribeTargetGroups", 200, []string{"from ELB"}},
		{"a Query request by GET", "GET", "/?Action=DescribeTargetGroups&Version=2015-12-01", "", noTarget, "",
			"", 200, []string{"from ELB"}},
		{"JSON, by its target", "POST", "/", jsonType, "CodeDeploy_20141006.ListApplications", signed("codedeploy"),
			"{}", 200, []string{`{"applications":["from CodeDeploy"]}`}},
		{"JSON without a body", "POST", "/", jsonType, "CodeDeploy_20141006.ListApplications", "",
			"", 200, []string{"from CodeDeploy"}},
		{"another version of a service: classic load balancers", "POST", "/", formType, noTarget, signed("elasticloadbalancing"),
			"Action=DescribeLoadBalancers&Version=2012-06-01", 400, []string{"<Code>InvalidAction</Code>", "elasticloadbalancing 2012-06-01", "served here"}},
		{"a service that is not served, in Query", "POST", "/", formType, noTarget, signed("sts"),
			"Action=GetCallerIdentity&Version=2011-06-15", 400, []string{"<Type>Sender</Type><Code>InvalidAction</Code>", "sts 2011-06-15"}},
		{"a service that is not served, in JSON", "POST", "/", jsonType, "Logs_20140328.PutLogEvents", "",
			"{}", 400, []string{`"__type":"UnknownOperationException"`, "Logs_20140328"}},
		{"an operation that does not exist, in Query", "POST", "/", formType, noTarget, "",
			"Action=Describe&Version=2011-01-01", 400, []string{"<Code>InvalidAction</Code>", "Describe of Auto Scaling"}},
		{"an operation that does not exist, in JSON", "POST", "/", jsonType, "CodeDeploy_20141006.Options", "",
			"{}", 400, []string{`"__type":"UnknownOperationException"`, "Options of CodeDeploy"}},
		{"a form that names no operation", "POST", "/", formType, noTarget, signed("autoscaling"),
			"Version=2011-01-01", 400, []string{"InvalidAction", "to Auto Scaling names no operation"}},
		{"nothing that AWS would understand", "POST", "/", "text/plain", noTarget, "",
			"hello", 400, []string{"InvalidAction", "names no service"}},
		{"a form with a list where a text belongs", "POST", "/", formType, noTarget, "",
			"Action=DescribeAutoScalingGroups&Version=2011-01-01&NextToken.member.1=a", 400, []string{"MalformedInput", "NextToken: a structure found where a string belongs"}},
		{"a form with a word where a number belongs", "POST", "/", formType, noTarget, "",
			"Action=DescribeAutoScalingGroups&Version=2011-01-01&MaxRecords=many", 400, []string{"MalformedInput", "MaxRecords:", "many", "is not a int32"}},
		{"a form with a list element that has no number", "POST", "/", formType, noTarget, "",
			"Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupNames.member.one=a&AutoScalingGroupNames.member.two=a", 400, []string{"MalformedInput", "is no number of a list"}},
		{"a form with a name that nests too deep", "POST", "/", formType, noTarget, "",
			"Action=DescribeAutoScalingGroups&Version=2011-01-01&" + strings.Repeat("a.", 40) + "b=c", 400, []string{"MalformedInput", "deeper than 32"}},
		{"a body cut off", "POST", "/", jsonType, "CodeDeploy_20141006.ListApplications", "",
			`{"nextToken": "a`, 400, []string{"SerializationException", "the body is not JSON"}},
		{"a number where a string belongs", "POST", "/", jsonType, "CodeDeploy_20141006.ListApplications", "",
			`{"nextToken": 1}`, 400, []string{"SerializationException", "nextToken: a number found where a string belongs"}},
		{"a list where an object belongs", "POST", "/", jsonType, "CodeDeploy_20141006.ListApplications", "",
			`[]`, 400, []string{"SerializationException", "a list found where an object belongs"}},
		{"an attribute value that is two things", "POST", "/", jsonType, "DynamoDB_20120810.PutItem", "",
			`{"Item": {"a": {"S": "x", "N": "1"}}}`, 400, []string{"SerializationException", "Item: a: more than one member of the union AttributeValue is set"}},
		{"an attribute value of an unknown kind", "POST", "/", jsonType, "DynamoDB_20120810.PutItem", "",
			`{"Item": {"a": {"X": "x"}}}`, 400, []string{"SerializationException", `Item: a: \"X\" is no member of the union AttributeValue`}},
		{"a body longer than any request to AWS", "POST", "/", jsonType, "CodeDeploy_20141006.ListApplications", "",
			strings.Repeat(" ", wire.MaxRequestBytes+1), 413, []string{"RequestEntityTooLarge", "16777216 bytes"}},
		{"a path beside the APIs", "GET", "/_region/state", "", noTarget, "",
			"", 200, []string{"control of /_region/state"}},
		{"a browser", "GET", "/", "", noTarget, "",
			"", 200, []string{"control of /"}},
	}
	url := sample(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"Content-Type": c.contentType, "X-Amz-Target": c.target, "Authorization": c.authorization} {
				if value != "" {
					req.Header.Set(name, value)
				}
			}
			response, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", response.StatusCode, c.status, body)
			}
			for _, want := range c.want {
				if !strings.Contains(strings.ReplaceAll(string(body), "&#34;", `"`), want) {
					t.Errorf("the answer lacks %q: %s", want, body)
				}
			}
		})
	}
}

// TestFormsOfLists: clients and services name the elements of a list
// differently, and leave gaps.
func TestFormsOfLists(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"Names.member.1=a&Names.member.2=b":  {"a", "b"},
		"Names.member.10=b&Names.member.9=a": {"a", "b"},
		"Names.Name.1=a&Names.Name.2=b":      {"a", "b"},
		"Names.1=a&Names.2=b":                {"a", "b"},
		"Names.member.3=a&Names.member.7=b":  {"a", "b"},
		"Names=":                             {},
	}
	v := &view{}
	v.willAnswer(&elasticloadbalancingv2.DescribeTargetGroupsOutput{}, nil)
	url := serve(t, wire.New(wire.ELBV2(elasticloadbalancingv2.NewFromConfig(v.config())))).URL
	for form, want := range cases {
		response, err := http.Post(url, formType, strings.NewReader("Action=DescribeTargetGroups&Version=2015-12-01&"+form))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		input, ok := v.received().(*elasticloadbalancingv2.DescribeTargetGroupsInput)
		if !ok {
			t.Fatalf("%s: the view was not called: %s", form, response.Status)
		}
		if diff := compare(want, input.Names); diff != "" {
			t.Errorf("%s: another list than was sent (-want +got):\n%s", form, diff)
		}
	}
}

func TestServicesThatCannotBeServed(t *testing.T) {
	t.Parallel()
	cases := map[string]wire.Service{
		"no client":               wire.SSM(nil),
		"a client of nothing":     wire.SSM(struct{}{}),
		"no name":                 {},
		"Query without a version": {ID: "SNS", Signing: "sns", Protocol: wire.Query, Client: &view{}},
		"JSON without a target":   {ID: "SSM", Signing: "ssm", Protocol: wire.JSON11, Client: &view{}},
		"a protocol from nowhere": {ID: "SSM", Signing: "ssm", Protocol: "smoke", Target: "x", Client: &view{}},
	}
	for name, service := range cases {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("New takes it: requests would fail one by one, far from the mistake")
				}
			}()
			wire.New(service)
		})
	}
}

// half is a region that serves some of the APIs.
type half struct{}

func (half) AutoScaling() *autoscaling.Client {
	return autoscaling.NewFromConfig(config("http://view.invalid"))
}

func (half) CodeDeploy() *codedeploy.Client {
	return codedeploy.NewFromConfig(config("http://view.invalid"))
}

// SSM is no view: it wants something.
func (half) SSM(string) int { return 0 }

func TestServicesOf(t *testing.T) {
	t.Parallel()
	var got []string
	for _, s := range wire.ServicesOf(half{}) {
		got = append(got, s.ID)
	}
	if want := "Auto Scaling, CodeDeploy"; strings.Join(got, ", ") != want {
		t.Errorf("serves %q, want %q", got, want)
	}
}
