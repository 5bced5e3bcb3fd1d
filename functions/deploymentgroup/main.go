// Command deploymentgroup is the Lambda function behind the custom resource for blue/green
// deployment groups. It only wires pkg/deploymentgroup to AWS.
package main

import (
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/pkg/boot"
	"deployhooks/pkg/deploymentgroup"
)

// responseTimeout bounds one try to send a response.
const responseTimeout = 10 * time.Second

func main() {
	cfg := boot.MustLoad[deploymentgroup.Config]()
	aws := boot.AWS()
	clients := deploymentgroup.Clients{
		Deployments: codedeploy.NewFromConfig(aws),
		Groups:      autoscaling.NewFromConfig(aws),
		Queue:       sqs.NewFromConfig(aws),
		Web:         &http.Client{Timeout: responseTimeout},
	}
	lambda.Start(deploymentgroup.New(cfg, clients, boot.Logger(), time.Now))
}
