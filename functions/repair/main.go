// Command repair is the Lambda function that restores the load balancing of Auto
// Scaling groups after blue/green deployments. It only wires pkg/repair to AWS.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/pkg/boot"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair"
)

type config struct {
	repair.Config
	Notices notice.Config
}

func main() {
	cfg := boot.MustLoad[config]()
	aws := boot.AWS()
	notices := notice.New(cfg.Notices, "repair", sns.NewFromConfig(aws), eventbridge.NewFromConfig(aws), os.Stdout, time.Now)
	clients := repair.Clients{
		Deployments: codedeploy.NewFromConfig(aws),
		Groups:      autoscaling.NewFromConfig(aws),
		Balancers:   elasticloadbalancingv2.NewFromConfig(aws),
		Parameters:  ssm.NewFromConfig(aws),
		Queue:       sqs.NewFromConfig(aws),
		Database:    dynamodb.NewFromConfig(aws),
	}
	lambda.Start(repair.New(cfg.Config, clients, notices, boot.Logger(), time.Now))
}
