package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"deployhooks/infra/config"
)

// destroy removes the stacks and sees what is left.
func (e *environment) destroy(ctx context.Context) error {
	err := e.w.step("Remove both stacks (cdk destroy)", func() (string, error) {
		return "", e.cloud.cdkDestroy(ctx, hooksAssembly)
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
		// Of the environment: its revisions and access logs, and the baselines of its hooks.
		ofTraining := func(name string) bool { return strings.Contains(name, trainingName) }
		kinds := map[string]int{}
		for _, name := range left {
			if ofTraining(name) {
				kind, _, _ := strings.Cut(name, " ")
				kinds[kind]++
			}
		}
		if retained := (map[string]int{"bucket": 2, "table": 1}); !maps.Equal(kinds, retained) {
			return "", fmt.Errorf("%v is left; of the environment only %v are meant to be", left, retained)
		}
		left = slices.DeleteFunc(left, ofTraining)
		slices.Sort(left)
		if !slices.Equal(left, want) {
			return "", fmt.Errorf("%v is left; only %v is meant to be", left, want)
		}
		return strings.Join(want, ", ") + ", on purpose, and nothing else", nil
	})
}

// left lists everything in the account that bears the stacks' names.
func (e *environment) left(ctx context.Context) ([]string, error) {
	kinds := []string{
		"stack", "queue", "topic", "subscription", "rule", "schedule", "function", "event source mapping", "log group", "alarm", "dashboard", "role",
		"table", "bucket", "state machine",
	}
	found := make([][]string, len(kinds))
	answers := make([]any, len(kinds))
	for i := range found {
		answers[i] = &found[i]
	}
	if err := e.cloud.ask(ctx, []question{
		{service: "cloudformation", operation: "describe_stacks", query: "Stacks[].StackName"},
		{service: "sqs", operation: "list_queues", query: "QueueUrls"},
		{service: "sns", operation: "list_topics", query: "Topics[].TopicArn"},
		{service: "sns", operation: "list_subscriptions", query: "Subscriptions[].TopicArn"},
		{service: "events", operation: "list_rules", query: "Rules[].Name"},
		{service: "scheduler", operation: "list_schedules", query: "Schedules[].Name"},
		{service: "lambda", operation: "list_functions", query: "Functions[].FunctionName"},
		{service: "lambda", operation: "list_event_source_mappings", query: "EventSourceMappings[].EventSourceArn"},
		{service: "logs", operation: "describe_log_groups", query: "logGroups[].logGroupName"},
		{service: "cloudwatch", operation: "describe_alarms", query: "MetricAlarms[].AlarmName"},
		{service: "cloudwatch", operation: "list_dashboards", query: "DashboardEntries[].DashboardName"},
		{service: "iam", operation: "list_roles", query: "Roles[].RoleName"},
		{service: "dynamodb", operation: "list_tables", query: "TableNames"},
		{service: "s3", operation: "list_buckets", query: "Buckets[].Name"},
		{service: "stepfunctions", operation: "list_state_machines", query: "stateMachines[].name"},
	}, answers...); err != nil {
		return nil, err
	}
	var left []string
	for i, kind := range kinds {
		for _, name := range found[i] {
			if strings.Contains(name, config.HooksName) {
				left = append(left, kind+" "+name)
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
	var secrets, identities []string
	if err := t.cloud.ask(ctx, []question{
		{service: "secretsmanager", operation: "list_secrets", query: "SecretList[].Name"},
		{service: "sesv2", operation: "list_email_identities", query: "EmailIdentities[].IdentityName"},
	}, &secrets, &identities); err != nil {
		return nil, err
	}
	for _, name := range secrets {
		if !strings.HasPrefix(name, config.EnvironmentStack(trainingName)) { // the database's of the environment
			left = append(left, "secret "+name)
		}
	}
	for _, name := range identities {
		left = append(left, "identity "+name)
	}
	databases, err := t.cloud.query(ctx, t.admin, "SELECT string_agg('database ' || datname, ',') FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
	left = append(left, strings.Split(databases, ",")...)
	slices.Sort(left)
	return left, err
}
