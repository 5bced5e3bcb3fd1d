package boot

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// HTTPClient is the SDK's own HTTP client, bounded to so much time for one
// answer, that does not lose answers.
//
// The SDK closes a request's body as soon as the answer begins, and its body then
// fails net/http's last check for more of it (smithy-go's safeWriteToReadCloser
// returns io.EOF from WriteTo). If the answer is faster than that check, net/http
// closes the connection in the middle of the answer, to a call that has taken
// effect, and the SDK makes the call again. A body of net/http's own kind is
// checked before it is sent.
func HTTPClient(timeout time.Duration) aws.HTTPClient {
	return wholeRequests{awshttp.NewBuildableClient().WithTimeout(timeout)}
}

type wholeRequests struct{ aws.HTTPClient }

// Do sends a request.
func (c wholeRequests) Do(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return c.HTTPClient.Do(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	whole := req.Clone(req.Context())
	whole.Body = io.NopCloser(bytes.NewReader(body))
	return c.HTTPClient.Do(whole)
}
