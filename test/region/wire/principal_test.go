package wire_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// TestRequestsAreAttributedByTheirAccessKey: each built function runs with its
// own policy, over a handler that serves them all.
func TestRequestsAreAttributedByTheirAccessKey(t *testing.T) {
	t.Parallel()
	r := region.New(region.Options{})
	queue := r.Queue("drain")
	drain := r.Principal("drain", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"autoscaling:Describe*","Resource":"*"}]}`))
	sender := r.Principal("repair", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}]}`))
	handler := wire.New(wire.ServicesOf(r)...)
	for _, p := range []*region.Principal{drain, sender} {
		handler.Attribute(p.AccessKeyID(), wire.ServicesOf(p)...)
	}
	url := serve(t, handler).URL
	for _, tc := range []struct {
		name, key      string
		describe, send string
	}{
		{"a caller that nobody knows", "test", "", ""},
		{"one who may describe", drain.AccessKeyID(), "", "AccessDeniedException"},
		{"one who may send", sender.AccessKeyID(), "AccessDenied", ""},
	} {
		cfg := aws.Config{Region: region.Name, BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider(tc.key, "secret", "token"), RetryMaxAttempts: 1}
		_, err := autoscaling.NewFromConfig(cfg).DescribeAutoScalingGroups(context.Background(), &autoscaling.DescribeAutoScalingGroupsInput{})
		if got := codeOf(err); got != tc.describe {
			t.Errorf("%s: describing gives %v, want %q", tc.name, err, tc.describe)
		}
		_, err = sqs.NewFromConfig(cfg).SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: aws.String(queue.URL()), MessageBody: aws.String("{}")})
		if got := codeOf(err); got != tc.send {
			t.Errorf("%s: sending gives %v, want %q", tc.name, err, tc.send)
		}
	}
}

// codeOf is the API error code of an error, "" if it has none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
