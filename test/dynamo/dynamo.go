// Package dynamo runs the contracts of the functions' tables on every DynamoDB
// there is: the simulated region's and, where [Endpoint] names one, another.
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

// DB is what the functions' tables use of DynamoDB.
type DB interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Each runs a contract as a subtest on each DynamoDB, in an empty table of that
// name with string keys: the partition key and, if given, the sort key.
// Packages whose tests run at the same time need different names.
func Each(t *testing.T, table string, keys []string, contract func(*testing.T, DB)) {
	t.Helper()
	t.Run("the simulated region", func(t *testing.T) {
		r := region.New(region.Options{})
		r.AddTable(table, keys...)
		contract(t, r.DynamoDB())
	})
	if endpoint := os.Getenv(Endpoint); endpoint != "" {
		t.Run(endpoint, func(t *testing.T) { contract(t, newTable(t, endpoint, table, keys)) })
	}
}

// newTable makes the table at another endpoint. Its client tries nothing twice:
// a write that is tried again conflicts with itself.
func newTable(t *testing.T, endpoint, name string, keys []string) *dynamodb.Client {
	t.Helper()
	db := dynamodb.New(dynamodb.Options{
		Region: region.Name, BaseEndpoint: &endpoint, HTTPClient: boot.HTTPClient(time.Minute), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
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
