package region

import (
	"context"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SendMessageBatch puts up to ten messages into a queue, each for itself: the
// answer tells those that were refused.
func (v SQS) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	return sqsCall(ctx, v.r, "SendMessageBatch", in, "QueueUrl Entries", v.r.sendMessageBatch)
}

// DeleteMessageBatch deletes up to ten received messages.
func (v SQS) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	return sqsCall(ctx, v.r, "DeleteMessageBatch", in, "QueueUrl Entries", v.r.deleteMessageBatch)
}

var batchEntryID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// goodBatch checks a batch as a whole: one bad identifier refuses all of it.
func goodBatch(ids []*string) error {
	if len(ids) == 0 {
		return &types.EmptyBatchRequest{Message: aws.String("There should be at least one SendMessageBatchRequestEntry in the request.")}
	}
	if len(ids) > messagesPerBatch {
		return &types.TooManyEntriesInBatchRequest{Message: aws.String("Maximum number of entries per request are 10.")}
	}
	seen := map[string]bool{}
	for _, given := range ids {
		id := aws.ToString(given)
		if !batchEntryID.MatchString(id) || len(id) > maxBatchEntryID {
			return &types.InvalidBatchEntryId{Message: aws.String("A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")}
		}
		if seen[id] {
			return &types.BatchEntryIdsNotDistinct{Message: aws.String("Id " + id + " repeated.")}
		}
		seen[id] = true
	}
	return nil
}

func (r *Region) sendMessageBatch(in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
	q, err := r.queueAt(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var ids []*string
	var size int
	for _, e := range in.Entries {
		ids = append(ids, e.Id)
		size += len(aws.ToString(e.MessageBody))
		if len(e.MessageAttributes) > 0 || len(e.MessageSystemAttributes) > 0 || e.MessageGroupId != nil || e.MessageDeduplicationId != nil {
			return nil, failure("NotImplemented", "the simulated region does not know attributes of messages, nor FIFO queues")
		}
	}
	if err := goodBatch(ids); err != nil {
		return nil, err
	}
	if size > maxMessageBytes {
		return nil, &types.BatchRequestTooLong{Message: aws.String("Batch requests cannot be longer than 1048576 bytes.")}
	}
	out := &sqs.SendMessageBatchOutput{Successful: []types.SendMessageBatchResultEntry{}, Failed: []types.BatchResultErrorEntry{}}
	for n, e := range in.Entries {
		if r.gate.partial && n == len(in.Entries)-1 {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError"), Message: aws.String("We encountered an internal error. Please try again."), SenderFault: false})
			continue
		}
		m, err := r.sendOne(q, e.MessageBody, e.DelaySeconds)
		if err != nil {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String(codeOf(err)), Message: aws.String(messageOf(err)), SenderFault: true})
			continue
		}
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id, MessageId: aws.String(m.ID), MD5OfMessageBody: aws.String(md5Hex(m.Body))})
	}
	return out, nil
}

func (r *Region) deleteMessageBatch(in *sqs.DeleteMessageBatchInput) (*sqs.DeleteMessageBatchOutput, error) {
	var ids []*string
	for _, e := range in.Entries {
		ids = append(ids, e.Id)
	}
	if err := goodBatch(ids); err != nil {
		return nil, err
	}
	out := &sqs.DeleteMessageBatchOutput{Successful: []types.DeleteMessageBatchResultEntry{}, Failed: []types.BatchResultErrorEntry{}}
	for _, e := range in.Entries {
		if _, err := r.deleteMessage(&sqs.DeleteMessageInput{QueueUrl: in.QueueUrl, ReceiptHandle: e.ReceiptHandle}); err != nil {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String(codeOf(err)), Message: aws.String(messageOf(err)), SenderFault: true})
			continue
		}
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

// codeOf is the code of an error that a service answers.
func codeOf(err error) string {
	if e, ok := err.(interface{ ErrorCode() string }); ok {
		return e.ErrorCode()
	}
	return "InternalError"
}
