package region

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQS has the methods of the SDK's sqs.Client.
type SQS struct{ r *Region }

// SQS is the region's Simple Queue Service.
func (r *Region) SQS() SQS { return SQS{r} }

// Limits of a message (API reference, SendMessage).
const (
	maxMessageBytes = 1 << 20
	maxDelaySeconds = 900
)

func sqsCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, sqs.ServiceID, operation, in, simulated, serve)
}

// SendMessage puts a message into a queue, with a delay of up to 900 s.
func (v SQS) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return sqsCall(ctx, v.r, "SendMessage", in, "QueueUrl MessageBody DelaySeconds", v.r.sendMessage)
}

// GetQueueUrl finds a queue by name.
func (v SQS) GetQueueUrl(ctx context.Context, in *sqs.GetQueueUrlInput, _ ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error) {
	return sqsCall(ctx, v.r, "GetQueueUrl", in, "QueueName QueueOwnerAWSAccountId", v.r.getQueueURL)
}

// ReceiveMessage hands out visible messages; it never waits.
func (v SQS) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return sqsCall(ctx, v.r, "ReceiveMessage", in, "QueueUrl MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds AttributeNames MessageSystemAttributeNames MessageAttributeNames", v.r.receiveMessage)
}

// DeleteMessage deletes a received message.
func (v SQS) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	return sqsCall(ctx, v.r, "DeleteMessage", in, "QueueUrl ReceiptHandle", v.r.deleteMessage)
}

// queueAt finds a queue by URL.
func (r *Region) queueAt(url *string) (*Queue, error) {
	u := aws.ToString(url)
	q := r.queues[u[strings.LastIndex(u, "/")+1:]]
	if q == nil {
		return nil, noQueue()
	}
	return q, nil
}

func noQueue() error {
	return &types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist.")}
}

func (r *Region) sendMessage(in *sqs.SendMessageInput) (*sqs.SendMessageOutput, error) {
	q, err := r.queueAt(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	body := aws.ToString(in.MessageBody)
	switch {
	case body == "":
		return nil, failure("MissingParameter", "The request must contain the parameter MessageBody.")
	case len(body) > maxMessageBytes:
		return nil, failure("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessageBytes)
	case in.DelaySeconds < 0 || in.DelaySeconds > maxDelaySeconds:
		return nil, failure("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= %d.", in.DelaySeconds, maxDelaySeconds)
	}
	m := r.enqueue(q, body, time.Duration(in.DelaySeconds)*time.Second)
	return &sqs.SendMessageOutput{MessageId: aws.String(m.ID), MD5OfMessageBody: aws.String(md5Hex(body))}, nil
}

func (r *Region) getQueueURL(in *sqs.GetQueueUrlInput) (*sqs.GetQueueUrlOutput, error) {
	q := r.queues[aws.ToString(in.QueueName)]
	if q == nil {
		return nil, noQueue()
	}
	return &sqs.GetQueueUrlOutput{QueueUrl: aws.String(q.URL())}, nil
}

func (r *Region) receiveMessage(in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	q, err := r.queueAt(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	visibility := q.settings.VisibilityTimeout
	if in.VisibilityTimeout > 0 {
		visibility = time.Duration(in.VisibilityTimeout) * time.Second
	}
	out := &sqs.ReceiveMessageOutput{}
	for _, m := range r.receive(q, max(int(in.MaxNumberOfMessages), 1), visibility) {
		r.at(m.visible, func() { r.poll(q) })
		out.Messages = append(out.Messages, types.Message{
			MessageId: aws.String(m.ID), Body: aws.String(m.Body), MD5OfBody: aws.String(md5Hex(m.Body)),
			ReceiptHandle: aws.String(q.receipt(m)),
			Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(m.Receives),
				"SentTimestamp":           strconv.FormatInt(m.Sent.UnixMilli(), 10),
			},
		})
	}
	return out, nil
}

func (r *Region) deleteMessage(in *sqs.DeleteMessageInput) (*sqs.DeleteMessageOutput, error) {
	q, err := r.queueAt(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m := q.receipts[aws.ToString(in.ReceiptHandle)]
	if m == nil {
		return nil, &types.ReceiptHandleIsInvalid{Message: aws.String("The input receipt handle is invalid.")}
	}
	if slices.Contains(q.messages, m) {
		q.remove(m)
	}
	return &sqs.DeleteMessageOutput{}, nil
}
