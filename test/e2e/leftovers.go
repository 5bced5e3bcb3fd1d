package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"deployhooks/infra/config"
)

// destroy removes the stacks and sees what is left.
func (e *environment) destroy(ctx context.Context) error {
	err := e.w.step("Remove both stacks (cdk destroy)", func() (string, error) {
		_, err := e.cloud.cdk(ctx, "destroy", "destroy", "--all", "--force", "--app", filepath.Join(e.w.tmp, "cdk.out"))
		return "", err
	})
	if err != nil {
		return err
	}
	return e.w.step("See what is left of them", func() (string, error) {
		left, err := e.left(ctx)
		if err != nil {
			return "", err
		}
		want := []string{"bucket " + e.cloud.outputs[config.TenantBucketOutput], "table " + e.cloud.outputs[config.TableOutput], "table " + e.cloud.outputs[config.TenantTableOutput]}
		slices.Sort(left)
		if !slices.Equal(left, want) {
			return "", fmt.Errorf("%v is left; only %v is meant to be", left, want)
		}
		return strings.Join(want, ", ") + ", on purpose, and nothing else", nil
	})
}

// left lists everything in the account that bears the stacks' names.
func (e *environment) left(ctx context.Context) ([]string, error) {
	kinds := []struct {
		kind, query string
		list        []string
	}{
		{"stack", "Stacks[].StackName", []string{"cloudformation", "describe-stacks"}},
		{"queue", "QueueUrls", []string{"sqs", "list-queues"}},
		{"topic", "Topics[].TopicArn", []string{"sns", "list-topics"}},
		{"subscription", "Subscriptions[].TopicArn", []string{"sns", "list-subscriptions"}},
		{"rule", "Rules[].Name", []string{"events", "list-rules"}},
		{"schedule", "Schedules[].Name", []string{"scheduler", "list-schedules"}},
		{"function", "Functions[].FunctionName", []string{"lambda", "list-functions"}},
		{"event source mapping", "EventSourceMappings[].EventSourceArn", []string{"lambda", "list-event-source-mappings"}},
		{"log group", "logGroups[].logGroupName", []string{"logs", "describe-log-groups"}},
		{"alarm", "MetricAlarms[].AlarmName", []string{"cloudwatch", "describe-alarms"}},
		{"dashboard", "DashboardEntries[].DashboardName", []string{"cloudwatch", "list-dashboards"}},
		{"role", "Roles[].RoleName", []string{"iam", "list-roles"}},
		{"table", "TableNames", []string{"dynamodb", "list-tables"}},
		{"bucket", "Buckets[].Name", []string{"s3api", "list-buckets"}},
		{"state machine", "stateMachines[].name", []string{"stepfunctions", "list-state-machines"}},
	}
	found := make([][]string, len(kinds))
	var all errgroup.Group
	all.SetLimit(4)
	for i, k := range kinds {
		all.Go(func() error { return e.cloud.aws(ctx, &found[i], append(k.list, "--query", k.query)...) })
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	var left []string
	for i, k := range kinds {
		for _, name := range found[i] {
			if strings.Contains(name, config.HooksName) {
				left = append(left, k.kind+" "+name)
			}
		}
	}
	return left, nil
}

// objects are the versions of the tenant's objects, by key.
func (t *tenants) objects(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	list := s3.NewListObjectVersionsPaginator(t.cloud.s3(), &s3.ListObjectVersionsInput{Bucket: aws.String(t.cloud.outputs[config.TenantBucketOutput]), Prefix: aws.String(tenant + "/")})
	for list.HasMorePages() {
		page, err := list.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			if aws.ToBool(v.IsLatest) {
				found[*v.Key] = *v.VersionId
			}
		}
	}
	return found, nil
}

// records are the records of the zone, besides its own, by name and type.
func (t *tenants) records(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	list := route53.NewListResourceRecordSetsPaginator(route53.NewFromConfig(t.cloud.config), &route53.ListResourceRecordSetsInput{HostedZoneId: &t.zone})
	for list.HasMorePages() {
		page, err := list.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.ResourceRecordSets {
			if *r.Name != domain+"." && len(r.ResourceRecords) > 0 {
				found[*r.Name+" "+string(r.Type)] = *r.ResourceRecords[0].Value
			}
		}
	}
	return found, nil
}

// left lists what there is of tenants in the account and on the database server.
func (t *tenants) left(ctx context.Context) (left []string, err error) {
	objects, err := t.objects(ctx)
	if err != nil {
		return nil, err
	}
	for key := range objects {
		left = append(left, "object "+key)
	}
	records, err := t.records(ctx)
	if err != nil {
		return nil, err
	}
	for name := range records {
		left = append(left, "record "+name)
	}
	for kind, list := range map[string][]string{
		"secret ":   {"secretsmanager", "list-secrets", "--query", "SecretList[].Name"},
		"identity ": {"sesv2", "list-email-identities", "--query", "EmailIdentities[].IdentityName"},
	} {
		var names []string
		if err := t.cloud.aws(ctx, &names, list...); err != nil {
			return nil, err
		}
		for _, name := range names {
			left = append(left, kind+name)
		}
	}
	databases, err := t.cloud.query(ctx, t.admin, "SELECT string_agg('database ' || datname, ',') FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
	left = append(left, strings.Split(databases, ",")...)
	slices.Sort(left)
	return left, err
}
