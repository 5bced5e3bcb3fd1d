package repair

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"deployhooks/test/harness/repairs"
	"deployhooks/test/region"
)

// bank is a service beside shop's, in an application of its own.
func bank() region.Service {
	return region.Service{Application: "bank", DeploymentGroup: "api", TargetGroups: []string{"api"}, Instances: 2}
}

// TestUnreadableRecord holds that a record that cannot be read concerns its own
// deployment group only, and that operators can overwrite it.
func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm func(attributes map[string]dynamodbtypes.AttributeValue)
	}{
		{"damaged", func(attributes map[string]dynamodbtypes.AttributeValue) {
			for name, v := range attributes {
				if s, ok := v.(*dynamodbtypes.AttributeValueMemberS); ok && strings.HasPrefix(s.Value, "{") {
					attributes[name] = &dynamodbtypes.AttributeValueMemberS{Value: s.Value[:len(s.Value)/2]}
				}
			}
		}},
		{"of a newer version", func(attributes map[string]dynamodbtypes.AttributeValue) {
			attributes["schema"] = &dynamodbtypes.AttributeValueMemberN{Value: "99"}
		}},
		{"of another type", func(attributes map[string]dynamodbtypes.AttributeValue) {
			for name, v := range attributes {
				if s, ok := v.(*dynamodbtypes.AttributeValueMemberS); ok && strings.HasPrefix(s.Value, "{") {
					attributes[name] = &dynamodbtypes.AttributeValueMemberBOOL{Value: true}
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{})
			other := f.AddService(bank())
			f.Advance(11 * time.Minute)
			f.changeRecord("shop", "web", c.harm)
			f.loseEvents() // the sweep alone has to do it
			f.Deploy(other, region.Deployment{})
			f.settle()
			if len(f.Attached(f.GroupOf(other))) != 1 {
				t.Errorf("the record of shop/web cannot be read, and bank/api is not repaired: one damaged item blinds the sweep\nnotified: %q", f.Subjects())
			}
			if f.mentions("shop/web") == 0 {
				t.Errorf("the record of shop/web cannot be read, and operators do not know: %q", f.Subjects())
			}
			if n := len(f.Subjects()); n > 4 {
				t.Errorf("one damaged record is %d notifications: %q", n, f.Subjects())
			}
			f.ask(`{"action":"status","application":"bank","deploymentGroup":"api"}`, &statusResult{})
			var all []statusResult
			if f.ask(`{"action":"status"}`, &all); len(all) != 2 {
				t.Errorf("status answers for %d of 2 deployment groups", len(all))
			}
			var plans []result
			if f.ask(`{"action":"plan"}`, &plans); len(plans) != 2 {
				t.Errorf("plan answers for %d of 2 deployment groups", len(plans))
			}
			f.ask(`{"action":"forget","application":"shop","deploymentGroup":"web"}`, &statusResult{})
			f.SetDelivery(nil)
			f.release(region.Deployment{})
			f.settle()
			f.mustServe()
		})
	}
}

// TestRepairWithAnUnreadableRecord holds that even the deployment group whose
// record cannot be read is not left without its load balancer silently.
func TestRepairWithAnUnreadableRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{})
	f.Advance(11 * time.Minute)
	f.changeRecord("shop", "web", func(attributes map[string]dynamodbtypes.AttributeValue) {
		attributes["schema"] = &dynamodbtypes.AttributeValueMemberN{Value: "99"}
	})
	f.release(region.Deployment{})
	f.settle()
	if f.mentions("shop/web", "forget") == 0 {
		t.Errorf("the record cannot be read, and operators are not notified of the remedy: %q", f.Texts())
	}
}

// TestApplicationThatCannotBeRead holds that one application that CodeDeploy does
// not answer for leaves the others swept.
func TestApplicationThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"ListDeploymentGroups", "BatchGetDeploymentGroups", "GetDeploymentGroup", "ListDeployments"} {
		for name, fault := range map[string]region.Fault{
			"503":              {Before: region.Unavailable()},
			"throttled":        {Before: region.Throttled()},
			"denied":           {Before: region.AccessDenied("")},
			"an unknown error": {Before: strange()},
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, setting{rate: 1})
				other := f.AddService(bank())
				f.Advance(6 * time.Minute)
				f.loseEvents()
				f.SetFaults(func(c region.Call) region.Fault {
					if c.Operation == operation && applicationOf(c) == "bank" {
						return fault
					}
					return region.Fault{}
				})
				f.Deploy(other, region.Deployment{})
				f.release(region.Deployment{})
				f.settle()
				f.mustBeAttached()
				if len(f.Subjects()) < 2 {
					t.Errorf("CodeDeploy has not answered for bank for 40 minutes, and operators do not know: %q", f.Subjects())
				}
				f.Advance(5 * time.Hour)
				if n := len(f.Subjects()); n > 8 {
					t.Errorf("one application that does not answer is %d notifications: %q", n, f.Subjects())
				}
				f.SetFaults(nil)
				f.settle()
				if len(f.Attached(f.GroupOf(other))) != 1 {
					t.Error("CodeDeploy answers again, and the group is not attached")
				}
			})
		}
	}
}

// TestFailuresThatLastAreNotified holds that every failure that lasts is a
// notification within fifteen minutes, whatever its error code, and that what
// cannot succeed is not delivered again without end.
func TestFailuresThatLastAreNotified(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		"GetDeployment", "GetDeploymentGroup", "ListDeployments", "DescribeAutoScalingGroups", "DescribeTrafficSources", "DescribeLifecycleHooks",
		"DescribeTargetHealth", "DescribeTargetGroups", "AttachTrafficSources", "PutParameter",
	} {
		for name, fault := range map[string]region.Fault{
			"unknown code": {Before: strange()},
			"503":          {Before: region.Unavailable()},
			"throttled":    {Before: region.Throttled()},
			"denied":       {Before: region.AccessDenied("")},
			"timed out":    {Before: region.TimedOut()},
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, setting{rate: 1})
				struck := false
				f.SetFaults(func(c region.Call) region.Fault {
					if c.Operation != operation {
						return region.Fault{}
					}
					struck = true
					return fault
				})
				id := f.deploy(region.Deployment{})
				f.RunUntil(func() bool { return f.Ended(id) }, time.Hour)
				f.Advance(15 * time.Minute)
				if !struck {
					t.Skip("nothing asks that here")
				}
				if f.mentions("shop") == 0 {
					t.Errorf("%s has failed for fifteen minutes, and operators do not know: %q", operation, f.Subjects())
				}
				deliveries := f.Invocations
				f.Advance(2 * time.Hour)
				if n := f.Invocations - deliveries; n > 2*(12+20) {
					t.Errorf("%d invocations in two hours: what cannot succeed is delivered again without end", n)
				}
				if n := len(f.Subjects()); n > 4 {
					t.Errorf("one failure is %d notifications: %q", n, f.Subjects())
				}
			})
		}
	}
}

// strange is an answer that no documentation of AWS has.
func strange() error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: "PenguinException", Message: "The penguin is on the ice", Fault: smithy.FaultClient},
	}
}

// applicationOf is the application that a call to CodeDeploy is about.
func applicationOf(c region.Call) string {
	switch in := c.Input.(type) {
	case *codedeploy.ListDeploymentGroupsInput:
		return aws.ToString(in.ApplicationName)
	case *codedeploy.BatchGetDeploymentGroupsInput:
		return aws.ToString(in.ApplicationName)
	case *codedeploy.GetDeploymentGroupInput:
		return aws.ToString(in.ApplicationName)
	case *codedeploy.ListDeploymentsInput:
		return aws.ToString(in.ApplicationName)
	}
	return ""
}

// changeRecord changes what the function remembers of a deployment group, behind
// its back.
func (f *fixture) changeRecord(application, group string, change func(map[string]dynamodbtypes.AttributeValue)) {
	f.t.Helper()
	table := aws.String(repairs.TableName)
	key := map[string]dynamodbtypes.AttributeValue{
		"application":     &dynamodbtypes.AttributeValueMemberS{Value: application},
		"deploymentGroup": &dynamodbtypes.AttributeValueMemberS{Value: group},
	}
	out, err := f.DynamoDB().GetItem(f.t.Context(), &dynamodb.GetItemInput{TableName: table, Key: key})
	if err != nil || out.Item == nil {
		f.t.Fatalf("nothing is remembered of %s: %v", fmt.Sprint(application, "/", group), err)
	}
	change(out.Item)
	if _, err := f.DynamoDB().PutItem(f.t.Context(), &dynamodb.PutItemInput{TableName: table, Item: out.Item}); err != nil {
		f.t.Fatal(err)
	}
}
