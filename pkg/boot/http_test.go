package boot

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// lateWrites is a connection whose writes return after the server has begun to
// answer them, as on a machine with too little CPU.
type lateWrites struct{ net.Conn }

func (c lateWrites) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	time.Sleep(50 * time.Millisecond)
	return n, err
}

// TestAnswersAreNotLost holds that a call that has taken effect is made once,
// although its answer begins before its request is checked for the last time.
func TestAnswersAreNotLost(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.(http.Flusher).Flush()
		time.Sleep(200 * time.Millisecond) // the rest of the answer is under way
		_, _ = io.WriteString(w, `{"MessageId":"m-1"}`)
	}))
	defer server.Close()
	sdk := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return lateWrites{conn}, err
		}
	})
	send := func(client aws.HTTPClient) error {
		_, err := sqs.New(sqs.Options{
			Region: "eu-west-1", RetryMaxAttempts: 2, BaseEndpoint: &server.URL, HTTPClient: client, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		}).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String("https://queue"), MessageBody: aws.String("hello")})
		return err
	}
	if err := send(wholeRequests{sdk}); err != nil || calls.Load() != 1 {
		t.Errorf("made the call %d times: %v", calls.Load(), err)
	}
	calls.Store(0)
	if err := send(sdk); err == nil && calls.Load() == 1 {
		t.Log("the SDK does not lose this answer by itself any more: wholeRequests may go")
	}
}
