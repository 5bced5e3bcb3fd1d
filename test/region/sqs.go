package region

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQS has the methods of the SDK's sqs.Client.
type SQS struct{ r *Region }

// SQS is the region's Simple Queue Service.
func (r *Region) SQS() SQS { return SQS{r} }

// Limits of messages, batches and receives (API reference, SendMessage,
// SendMessageBatch, ReceiveMessage and ChangeMessageVisibility).
const (
	maxMessageBytes  = 1 << 20
	maxDelaySeconds  = 900
	maxVisibility    = 43200 * time.Second
	messagesPerBatch = 10
	maxReceiveWait   = 20
	maxBatchEntryID  = 80
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

// ChangeMessageVisibility has a received message shown again after a while, or
// at once.
func (v SQS) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	return sqsCall(ctx, v.r, "ChangeMessageVisibility", in, "QueueUrl ReceiptHandle VisibilityTimeout", v.r.changeMessageVisibility)
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
	m, err := r.sendOne(q, in.MessageBody, in.DelaySeconds)
	if err != nil {
		return nil, err
	}
	return &sqs.SendMessageOutput{MessageId: aws.String(m.ID), MD5OfMessageBody: aws.String(md5Hex(m.Body))}, nil
}

// sendOne puts one message into a queue, if it is one that SQS takes.
func (r *Region) sendOne(q *Queue, text *string, delaySeconds int32) (*message, error) {
	body := aws.ToString(text)
	switch {
	case body == "":
		return nil, failure("MissingParameter", "The request must contain the parameter MessageBody.")
	case len(body) > maxMessageBytes:
		return nil, failure("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessageBytes)
	case delaySeconds < 0 || delaySeconds > maxDelaySeconds:
		return nil, failure("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= %d.", delaySeconds, maxDelaySeconds)
	case !goodMessage(body):
		return nil, &types.InvalidMessageContents{Message: aws.String("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")}
	}
	return r.enqueue(q, body, time.Duration(delaySeconds)*time.Second), nil
}

// goodMessage: the characters that SQS takes (API reference, SendMessage).
func goodMessage(body string) bool {
	if !utf8.ValidString(body) {
		return false
	}
	for _, c := range body {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
			return false
		}
	}
	return true
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
	if err := goodReceive(in); err != nil {
		return nil, err
	}
	visibility := q.settings.VisibilityTimeout
	if in.VisibilityTimeout > 0 {
		visibility = time.Duration(in.VisibilityTimeout) * time.Second
	}
	wanted := slices.Clone(in.MessageSystemAttributeNames)
	//lint:ignore SA1019 older clients send it
	for _, name := range in.AttributeNames {
		wanted = append(wanted, types.MessageSystemAttributeName(name))
	}
	out := &sqs.ReceiveMessageOutput{}
	for _, m := range r.receive(q, max(int(in.MaxNumberOfMessages), 1), visibility) {
		r.at(m.visible, func() { r.poll(q) })
		out.Messages = append(out.Messages, types.Message{
			MessageId: aws.String(m.ID), Body: aws.String(m.Body), MD5OfBody: aws.String(md5Hex(m.Body)),
			ReceiptHandle: aws.String(q.receipt(m)), Attributes: m.attributes(wanted),
		})
	}
	return out, nil
}

func goodReceive(in *sqs.ReceiveMessageInput) error {
	bad := func(parameter string, value int32, reason string) error {
		return failure("InvalidParameterValue", "Value %d for parameter %s is invalid. Reason: %s.", value, parameter, reason)
	}
	switch {
	case in.MaxNumberOfMessages < 0 || in.MaxNumberOfMessages > messagesPerBatch:
		return bad("MaxNumberOfMessages", in.MaxNumberOfMessages, "Must be between 1 and 10, if provided")
	case in.VisibilityTimeout < 0 || seconds(&in.VisibilityTimeout) > maxVisibility:
		return bad("VisibilityTimeout", in.VisibilityTimeout, "VisibilityTimeout must be an integer between 0 and 43200")
	case in.WaitTimeSeconds < 0 || in.WaitTimeSeconds > maxReceiveWait:
		return bad("WaitTimeSeconds", in.WaitTimeSeconds, "Must be >= 0 and <= 20, if provided")
	}
	known := types.MessageSystemAttributeName("").Values()
	for _, name := range in.MessageSystemAttributeNames {
		if !slices.Contains(known, name) {
			return &types.InvalidAttributeName{Message: aws.String("Unknown Attribute " + string(name) + ".")}
		}
	}
	//lint:ignore SA1019 older clients send it
	for _, name := range in.AttributeNames {
		if !slices.Contains(known, types.MessageSystemAttributeName(name)) {
			return &types.InvalidAttributeName{Message: aws.String("Unknown Attribute " + string(name) + ".")}
		}
	}
	return nil
}

// attributes are the system attributes of a message that a receiver asked for.
func (m *message) attributes(wanted []types.MessageSystemAttributeName) map[string]string {
	all := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"SenderId":                         "AIDAIENQZJOLO23YVJ4VO",
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
	}
	if !slices.Contains(wanted, types.MessageSystemAttributeNameAll) {
		maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(wanted, types.MessageSystemAttributeName(name)) })
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

func (r *Region) changeMessageVisibility(in *sqs.ChangeMessageVisibilityInput) (*sqs.ChangeMessageVisibilityOutput, error) {
	q, err := r.queueAt(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m := q.receipts[aws.ToString(in.ReceiptHandle)]
	switch {
	case in.VisibilityTimeout < 0 || seconds(&in.VisibilityTimeout) > maxVisibility:
		return nil, failure("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", in.VisibilityTimeout)
	case m == nil:
		return nil, &types.ReceiptHandleIsInvalid{Message: aws.String("The input receipt handle is invalid.")}
	case m.deleted || !m.visible.After(r.clock.now):
		return nil, &types.MessageNotInflight{Message: aws.String("The message referred to isn't in flight.")}
	}
	m.visible = r.clock.now.Add(seconds(&in.VisibilityTimeout))
	r.at(m.visible, func() { r.poll(q) })
	return &sqs.ChangeMessageVisibilityOutput{}, nil
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
