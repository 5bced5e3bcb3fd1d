package region_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/test/region"
)

func TestDeploymentGroupsThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	r.AddService(region.Service{Application: "other", DeploymentGroup: "x", Group: "group"})
	client := r.CodeDeploy()
	app, name := aws.String("läden/eins"), aws.String("web_blau/grün")
	if err := second(client.CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: app})); err != nil {
		t.Fatal(err)
	}
	create := &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: app, DeploymentGroupName: name, ServiceRoleArn: aws.String("arn:aws:iam::123456789012:role/codedeploy"),
		AutoScalingGroups: []string{"group"},
		DeploymentStyle:   &cd.DeploymentStyle{DeploymentType: cd.DeploymentTypeBlueGreen, DeploymentOption: cd.DeploymentOptionWithTrafficControl},
		BlueGreenDeploymentConfiguration: &cd.BlueGreenDeploymentConfiguration{
			GreenFleetProvisioningOption: &cd.GreenFleetProvisioningOption{Action: cd.GreenFleetProvisioningActionCopyAutoScalingGroup},
		},
	}
	if err := second(client.CreateDeploymentGroup(ctx, create)); err != nil {
		t.Fatal(err)
	}
	made, err := client.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{ApplicationName: app, DeploymentGroupName: name})
	if err != nil {
		t.Fatal(err)
	}
	r.RunUntil(func() bool { return r.Ended(*made.DeploymentId) }, time.Hour)
	out, err := client.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: app, DeploymentGroupName: name})
	if err != nil {
		t.Fatal(err)
	}
	info := out.DeploymentGroupInfo
	if len(info.AutoScalingGroups) != 1 || *info.AutoScalingGroups[0].Name != "CodeDeploy_web_blau/grün_"+*made.DeploymentId || info.AutoScalingGroups[0].Hook == nil {
		t.Errorf("after a release it names %+v", info.AutoScalingGroups)
	}
	if info.LastSuccessfulDeployment == nil || *info.LastSuccessfulDeployment.DeploymentId != *made.DeploymentId || info.LastAttemptedDeployment.Status != cd.DeploymentStatusSucceeded {
		t.Errorf("its last deployment is %+v", info.LastSuccessfulDeployment)
	}

	r.Advance(time.Minute)
	if err := second(client.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: app, CurrentDeploymentGroupName: name, NewDeploymentGroupName: aws.String("new"), AutoScalingGroups: []string{"group"},
	})); code(err) != "InvalidAutoScalingGroupException" {
		t.Errorf("naming the group that the release has deleted gives %v", err)
	}
	if err := second(client.DeleteDeploymentGroup(ctx, &codedeploy.DeleteDeploymentGroupInput{ApplicationName: app, DeploymentGroupName: name})); err != nil {
		t.Fatal(err)
	}
	if got, err := client.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: made.DeploymentId}); err != nil || *got.DeploymentInfo.DeploymentGroupName != *name {
		t.Errorf("the deployment of a deleted deployment group is %+v, %v", got, err)
	}
}

func TestListsOfDeployments(t *testing.T) {
	r := region.New(region.Options{PageSize: 2})
	svc := shop(r)
	other := r.AddService(region.Service{Application: "shop", DeploymentGroup: "api"})
	var ids []string
	for range 3 {
		ids = append(ids, r.RunDeployment(svc, region.Deployment{FailAt: region.StageInstall}))
	}
	open := r.Deploy(other, region.Deployment{HangAt: region.StageInstall})
	r.Advance(time.Minute)
	list := func(in codedeploy.ListDeploymentsInput) []string {
		var all []string
		p := codedeploy.NewListDeploymentsPaginator(r.CodeDeploy(), &in)
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, out.Deployments...)
		}
		return all
	}
	slices.Reverse(ids) // latest first
	active := []cd.DeploymentStatus{cd.DeploymentStatusCreated, cd.DeploymentStatusQueued, cd.DeploymentStatusInProgress, cd.DeploymentStatusBaking, cd.DeploymentStatusReady}
	for _, tc := range []struct {
		name string
		in   codedeploy.ListDeploymentsInput
		want []string
	}{
		{"all", codedeploy.ListDeploymentsInput{}, append([]string{open}, ids...)},
		{"of one deployment group", codedeploy.ListDeploymentsInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web")}, ids},
		{"active ones of the application", codedeploy.ListDeploymentsInput{ApplicationName: aws.String("shop"), IncludeOnlyStatuses: active}, []string{open}},
		{"active ones of one deployment group", codedeploy.ListDeploymentsInput{ApplicationName: aws.String("shop"), DeploymentGroupName: aws.String("web"), IncludeOnlyStatuses: active}, nil},
	} {
		if got := list(tc.in); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestBatchOfDeploymentGroups(t *testing.T) {
	r := region.New(region.Options{PageSize: 1})
	shop(r)
	r.AddService(region.Service{Application: "shop", DeploymentGroup: "api"})
	names := func() (all []string) {
		p := codedeploy.NewListDeploymentGroupsPaginator(r.CodeDeploy(), &codedeploy.ListDeploymentGroupsInput{ApplicationName: aws.String("shop")})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, out.DeploymentGroups...)
		}
		return all
	}()
	if !slices.Equal(names, []string{"api", "web"}) {
		t.Errorf("the deployment groups are %v", names)
	}
	out, err := r.CodeDeploy().BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{ApplicationName: aws.String("shop"), DeploymentGroupNames: append(names, "none")})
	if err != nil || len(out.DeploymentGroupsInfo) != 2 || !strings.Contains(aws.ToString(out.ErrorMessage), "none") {
		t.Errorf("two that are there and one that is not give %+v, %v", out, err)
	}
	if err := second(r.CodeDeploy().BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{ApplicationName: aws.String("shop"), DeploymentGroupNames: make([]string, 101)})); code(err) != "BatchLimitExceededException" {
		t.Errorf("101 names give %v", err)
	}
}

func TestCodeDeployErrors(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	done := r.RunDeployment(svc, region.Deployment{})
	c := r.CodeDeploy()
	shop, none := aws.String("shop"), aws.String("none")
	for name, tc := range map[string]struct {
		err  error
		code string
	}{
		"an application that is not there":         {second(c.ListDeploymentGroups(ctx, &codedeploy.ListDeploymentGroupsInput{ApplicationName: none})), "ApplicationDoesNotExistException"},
		"an application without a name":            {second(c.CreateApplication(ctx, &codedeploy.CreateApplicationInput{})), "ApplicationNameRequiredException"},
		"the same application again":               {second(c.CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: shop})), "ApplicationAlreadyExistsException"},
		"a deployment group that is not there":     {second(c.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: shop, DeploymentGroupName: none})), "DeploymentGroupDoesNotExistException"},
		"a deployment that is not there":           {second(c.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: aws.String("d-NOTTHERE1")})), "DeploymentDoesNotExistException"},
		"an ID that is none":                       {second(c.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: none})), "InvalidDeploymentIdException"},
		"stopping what is over":                    {second(c.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &done})), "DeploymentAlreadyCompletedException"},
		"continuing what is over":                  {second(c.ContinueDeployment(ctx, &codedeploy.ContinueDeploymentInput{DeploymentId: &done})), "DeploymentAlreadyCompletedException"},
		"a status that does not exist":             {second(c.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{IncludeOnlyStatuses: []cd.DeploymentStatus{"Odd"}})), "InvalidDeploymentStatusException"},
		"a deployment group without its ASG":       {second(c.CreateDeploymentGroup(ctx, &codedeploy.CreateDeploymentGroupInput{ApplicationName: shop, DeploymentGroupName: aws.String("x"), AutoScalingGroups: []string{"none"}})), "InvalidAutoScalingGroupException"},
		"a token that was not handed out":          {second(c.ListApplications(ctx, &codedeploy.ListApplicationsInput{NextToken: none})), "InvalidNextTokenException"},
		"deleting a deployment group that is gone": {second(c.DeleteDeploymentGroup(ctx, &codedeploy.DeleteDeploymentGroupInput{ApplicationName: shop, DeploymentGroupName: none})), ""},
	} {
		if code(tc.err) != tc.code {
			t.Errorf("%s: %v, want %q", name, tc.err, tc.code)
		}
	}
}

func TestStoppedThroughTheAPI(t *testing.T) {
	r := region.New(region.Options{})
	svc := shop(r)
	blue := r.GroupOf(svc)
	id := r.Deploy(svc, region.Deployment{})
	// In the reroute, because only there is something to roll back.
	r.RunUntil(func() bool { return r.StageOf(id) == region.StageReroute }, time.Hour)
	r.Advance(2 * time.Second)
	if err := second(r.CodeDeploy().StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Bool(true)})); err != nil {
		t.Fatal(err)
	}
	r.Advance(10 * time.Minute)
	if rollback := r.RollbackOf(id); r.Status(id) != cd.DeploymentStatusStopped || !r.Deployed(rollback) || r.GroupOf(svc) != blue {
		t.Errorf("stopped with a rollback it is %s, its rollback %q %s, in charge %s", r.Status(id), rollback, r.Status(rollback), r.GroupOf(svc))
	}
}
