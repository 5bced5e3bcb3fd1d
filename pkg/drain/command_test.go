package drain

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestSendCommandIsNotRetriedByTheSDK holds that a command whose answer is lost
// is not sent again by the SDK: nothing would tell it from a second command.
func TestSendCommandIsNotRetriedByTheSDK(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	commands := ssm.New(ssm.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	r := New(Config{CommandTimeout: time.Minute}, Clients{Commands: commands}, nil, slog.New(slog.DiscardHandler), time.Now)
	d := &Drain{Instance: "i-1"}
	r.sendTo(t.Context(), shutdown{Document: "AWS-RunShellScript", Lines: "stop"}, "key", []*Drain{d})
	if requests != 1 {
		t.Errorf("one command was sent %d times", requests)
	}
	if d.trouble == nil || d.Command.ID != "" {
		t.Errorf("a command that may not have been sent is taken for sent: %+v", d.Command)
	}
}
