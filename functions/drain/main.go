// Command drain is the Lambda function that takes instances out of service before
// they terminate. It only wires pkg/drain to AWS.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/pkg/boot"
	"deployhooks/pkg/drain"
	"deployhooks/pkg/notice"
)

type config struct {
	drain.Config
	Notices notice.Config
}

func main() {
	cfg := boot.MustLoad[config]()
	aws := boot.AWS()
	notices := notice.New(cfg.Notices, "drain", sns.NewFromConfig(aws), eventbridge.NewFromConfig(aws), os.Stdout, time.Now)
	clients := drain.Clients{
		Groups:      autoscaling.NewFromConfig(aws),
		Balancers:   elasticloadbalancingv2.NewFromConfig(aws),
		Classic:     elasticloadbalancing.NewFromConfig(aws),
		Deployments: codedeploy.NewFromConfig(aws),
		Commands:    ssm.NewFromConfig(aws),
		Queue:       sqs.NewFromConfig(aws),
		Database:    dynamodb.NewFromConfig(aws),
	}
	lambda.Start(drain.New(cfg.Config, clients, notices, boot.Logger(), time.Now))
}
