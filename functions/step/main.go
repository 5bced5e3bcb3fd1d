// Command step is the Lambda function that the state machines of tenants call: it runs
// one task. It is deployed once for each privilege class. It only wires
// pkg/tenant/workflow and the kinds of steps to AWS.
package main

import (
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/functions/internal/tasks"
	"deployhooks/pkg/boot"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/library"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/dns"
	"deployhooks/pkg/tenant/step/manual"
	"deployhooks/pkg/tenant/workflow"
)

type config struct {
	// Class is the only one whose steps the function runs.
	Class step.Class `env:"CLASS,required,notEmpty"`
	// Table is the DynamoDB table of the registry.
	Table string `env:"TABLE,required,notEmpty"`
	// ManualMachine is the ARN of the state machine that waits for people.
	ManualMachine string `env:"MANUAL_MACHINE"`
	// BucketARN is the ARN of the tenants' bucket.
	BucketARN string `env:"BUCKET_ARN,required,notEmpty"`
	Library   library.Config
}

func main() {
	cfg := boot.MustLoad[config]()
	aws := boot.AWS()
	objects := s3.NewFromConfig(aws)
	tenants := registry.New(registry.NewDynamoDB(dynamodb.NewFromConfig(aws), cfg.Table), time.Now)
	parts := workflow.Parts{
		Class:    cfg.Class,
		Registry: tenants,
		Kinds: kinds.All(kinds.Clients{
			Registry:   tenants,
			Engine:     manual.StepFunctions{Client: sfn.NewFromConfig(aws), Machine: cfg.ManualMachine},
			Bucket:     bucket.Bucket{Name: cfg.Library.Bucket, ARN: cfg.BucketARN, S3: objects},
			Secrets:    secretsmanager.NewFromConfig(aws),
			Identities: sesv2.NewFromConfig(aws),
			DNS:        dns.Clients{Route53: route53.NewFromConfig(aws)},
			Web:        http.DefaultClient,
			Resolver:   net.DefaultResolver,
		}),
		Blueprints: library.New(cfg.Library, objects).Read,
		Now:        time.Now,
		Log:        boot.Logger(),
	}
	if cfg.Class == step.Control { // no other has a topic, nor the permission to publish
		parts.Notices = notice.New(boot.MustLoad[notice.Config](), "step", sns.NewFromConfig(aws), eventbridge.NewFromConfig(aws), os.Stdout, time.Now)
	}
	tasks.Start(workflow.NewWorker(parts).Run)
}
