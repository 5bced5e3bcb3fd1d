// Command backup is the Lambda function that proves an environment's backups and fills it
// from those of another. It only wires pkg/backup to AWS.
package main

import (
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"deployhooks/functions/internal/tasks"
	"deployhooks/pkg/backup"
	"deployhooks/pkg/boot"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
)

type config struct {
	backup.Config
	Notices notice.Config
	// Table is the DynamoDB table of the records.
	Table string `env:"TABLE,required,notEmpty"`
}

func main() {
	cfg := boot.MustLoad[config]()
	aws := boot.AWS()
	backups := backup.New(backup.Parts{
		Config:      cfg.Config,
		RDS:         rds.NewFromConfig(aws),
		Secrets:     secretsmanager.NewFromConfig(aws),
		Store:       store.NewDynamoDB[backup.Record](dynamodb.NewFromConfig(aws), backup.Layout(cfg.Table)),
		Authorities: backup.Authorities(http.DefaultClient, aws.Region),
		Notices:     notice.New(cfg.Notices, "backup", sns.NewFromConfig(aws), eventbridge.NewFromConfig(aws), os.Stdout, time.Now),
		Now:         time.Now,
		Log:         boot.Logger(),
	})
	tasks.Start(backups.Run)
}
