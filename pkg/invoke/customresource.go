package invoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"deployhooks/pkg/event"
)

// Response is the answer to a request about a custom resource ("Custom resource response
// objects", AWS CloudFormation User Guide).
type Response struct {
	Status string `json:"Status"` // SUCCESS or FAILED
	// Reason is shown in the stack's events, required with FAILED.
	Reason             string `json:"Reason,omitempty"`
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	NoEcho             bool   `json:"NoEcho"`
}

// Statuses of a [Response].
const (
	Success = "SUCCESS"
	Failed  = "FAILED"
)

// maxResponse is the longest response, in bytes (same page).
const maxResponse = 4096

// ErrResponseRefused is the error of a response that is never accepted: the URL has
// expired, or CloudFormation does not wait for it any more.
var ErrResponseRefused = errors.New("the response is refused")

// Respond sends a response to CloudFormation. Sending one again does no harm. The error
// never has the URL, which would let anybody answer; it is [ErrResponseRefused] where
// another try is of no use.
func Respond(ctx context.Context, client Doer, to event.Secret, r Response) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, string(to), bytes.NewReader(r.body()))
	if err != nil {
		return fmt.Errorf("respond to CloudFormation: %w: its URL cannot be read", ErrResponseRefused)
	}
	// Without a content type: it is part of what the URL's signature covers.
	answer, err := client.Do(req)
	if err != nil {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			err = failed.Err // without the URL
		}
		return fmt.Errorf("respond to CloudFormation: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	switch code := answer.StatusCode; {
	case code < 300:
		return nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("respond to CloudFormation: status %d", code)
	default:
		return fmt.Errorf("respond to CloudFormation: %w: status %d", ErrResponseRefused, code)
	}
}

// Doer sends HTTP requests, such as an [http.Client].
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// body is the response in JSON, with as much of the reason as there is room for.
func (r Response) body() []byte {
	for text := []rune(r.Reason); ; text = text[:len(text)*9/10] {
		r.Reason = string(text)
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(r); err != nil || b.Len() <= maxResponse || len(text) == 0 {
			return bytes.TrimSpace(b.Bytes())
		}
	}
}
