package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/pkg/fault"
)

// SQS is what a [Queue] calls.
type SQS interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Queue is a function's own queue, by which it continues its work later.
type Queue struct {
	URL    string
	Client SQS
}

// MaxDelay is the longest delay of a message (SendMessage, Amazon SQS API
// Reference).
const MaxDelay = 900 * time.Second

// Continue has the function continue its work after a delay, which is rounded up to
// whole seconds and cut to [MaxDelay]. The error is marked with fault.Own.
func (q Queue) Continue(ctx context.Context, work any, delay time.Duration) error {
	body, err := json.Marshal(map[string]any{"continue": work})
	if err != nil {
		return fault.Own(fmt.Errorf("requeue: %w", err))
	}
	delay = min(max(delay, 0), MaxDelay)
	_, err = q.Client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     &q.URL,
		MessageBody:  aws.String(string(body)),
		DelaySeconds: int32((delay + time.Second - 1) / time.Second), // never early
	})
	if err != nil {
		return fault.Own(fmt.Errorf("requeue: %w", err))
	}
	return nil
}
