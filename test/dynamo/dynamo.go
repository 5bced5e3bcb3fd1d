// Package dynamo runs the contract of the functions' store on every DynamoDB there
// is: the simulated region's and, where [Endpoint] names one, another.
package dynamo

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/pkg/boot"
	"deployhooks/test/region"
)

// Endpoint is the environment variable that names another DynamoDB: `make e2e`
// names the local cloud's.
const Endpoint = "DEPLOYHOOKS_DYNAMODB_ENDPOINT"

// OpenIndex is the sparse index of the tables made here, and the name of its
// partition key.
const OpenIndex = "open"

// DB is what the contract calls.
type DB interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Each runs a contract as a subtest on each DynamoDB, in an empty table of that
// name with string keys, the partition key and, if given, the sort key, and the
// index [OpenIndex]. Packages whose tests run at the same time need different names.
func Each(t *testing.T, table string, keys []string, contract func(*testing.T, DB)) {
	t.Helper()
	for name, options := range map[string]region.Options{"the simulated region": {}, "the simulated region, one item a page": {PageSize: 1}} {
		t.Run(name, func(t *testing.T) { contract(t, Simulated(options, table, keys).DynamoDB()) })
	}
	if endpoint := os.Getenv(Endpoint); endpoint != "" {
		t.Run(endpoint, func(t *testing.T) { contract(t, newTable(t, endpoint, table, keys)) })
	}
}

// Simulated is a simulated region with such a table.
func Simulated(options region.Options, table string, keys []string) *region.Region {
	r := region.New(options)
	r.AddTable(table, keys...)
	r.AddIndex(table, region.Index{Name: OpenIndex, Keys: []string{OpenIndex}})
	return r
}

// newTable makes the table at another endpoint. Its client tries nothing twice:
// a write that is tried again conflicts with itself.
func newTable(t *testing.T, endpoint, name string, keys []string) *dynamodb.Client {
	t.Helper()
	db := dynamodb.New(dynamodb.Options{
		Region: region.Name, BaseEndpoint: &endpoint, HTTPClient: boot.HTTPClient(time.Minute), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String(OpenIndex), AttributeType: types.ScalarAttributeTypeS}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(OpenIndex), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String(OpenIndex), KeyType: types.KeyTypeHash}},
		}},
	}
	for i, key := range keys {
		kind := []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &key, KeyType: kind})
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS})
	}
	if _, err := db.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Logf("table %s stays at %s: %v", name, endpoint, err)
		}
	})
	return db
}
