// Command intake is the Lambda function that takes requests about tenants and answers
// operators. It only wires pkg/tenant/intake to AWS.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/pkg/boot"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/library"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/spec"
)

type config struct {
	intake.Config
	Library library.Config
	Notices notice.Config
}

func main() {
	cfg := boot.MustLoad[config]()
	aws := boot.AWS()
	lambda.Start(intake.New(cfg.Config, intake.Parts{
		Registry:   registry.New(registry.NewDynamoDB(dynamodb.NewFromConfig(aws), cfg.Table), time.Now),
		Blueprints: library.New(cfg.Library, s3.NewFromConfig(aws)).Read,
		Validate:   spec.Validate,
		Engine:     intake.StepFunctions{Client: sfn.NewFromConfig(aws)},
		Notices:    notice.New(cfg.Notices, "intake", sns.NewFromConfig(aws), eventbridge.NewFromConfig(aws), os.Stdout, time.Now),
	}, boot.Logger(), time.Now))
}
