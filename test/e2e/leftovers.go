package main

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"deployhooks/infra/config"
)

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
