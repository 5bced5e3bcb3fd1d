package invoke_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"deployhooks/pkg/event"
	"deployhooks/pkg/invoke"
)

func TestRespond(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		refused bool
		fails   bool
	}{
		"accepted":          {200, false, false},
		"an expired URL":    {403, true, true},
		"an outage":         {503, false, true},
		"too many requests": {429, false, true},
		"a request of ours that S3 does not understand": {400, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			var header http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got, header = r.Method+" "+string(body), r.Header
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			err := invoke.Respond(t.Context(), server.Client(), event.Secret(server.URL+"/answer?Signature=secret"), invoke.Response{
				Status: invoke.Failed, Reason: "<no>", PhysicalResourceID: "shop/web", StackID: "s", RequestID: "r", LogicalResourceID: "l",
			})
			if (err != nil) != c.fails || errors.Is(err, invoke.ErrResponseRefused) != c.refused {
				t.Errorf("got %v: a response is lost, or sent for ever", err)
			}
			if want := `PUT {"Status":"FAILED","Reason":"<no>","PhysicalResourceId":"shop/web","StackId":"s","RequestId":"r","LogicalResourceId":"l","NoEcho":false}`; got != want {
				t.Errorf("sent %s, want %s", got, want)
			}
			if header.Get("Content-Type") != "" {
				t.Error("a content type is sent, which the URL's signature does not cover: S3 refuses the response")
			}
		})
	}
}

func TestRespondNeverNamesTheURL(t *testing.T) {
	for _, url := range []string{"https://127.0.0.1:1/x?Signature=secret", "secret://%zz", "\x7fsecret", ""} {
		err := invoke.Respond(t.Context(), http.DefaultClient, event.Secret(url), invoke.Response{})
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "127.0.0.1:1/") {
			t.Errorf("got %v: whoever reads the logs can answer CloudFormation", err)
		}
	}
}

func TestResponsesAreBounded(t *testing.T) {
	for name, reason := range map[string]string{
		"long": strings.Repeat("a", 10000), "escaped": strings.Repeat("\"\n\x00", 3000), "wide": strings.Repeat("ß€😀", 3000), "short": "no",
	} {
		var body []byte
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
		err := invoke.Respond(t.Context(), server.Client(), event.Secret(server.URL), invoke.Response{Status: invoke.Failed, Reason: reason})
		server.Close()
		var r invoke.Response
		if err != nil || len(body) > 4096 || json.Unmarshal(body, &r) != nil || r.Reason == "" || !strings.HasPrefix(reason, r.Reason) {
			t.Errorf("%s: sent %d bytes, %v: CloudFormation refuses more than 4,096, and waits for an hour", name, len(body), err)
		}
		if len(reason) > 4096 && len(body) < 3300 {
			t.Errorf("%s: only %d bytes are sent: the reason is cut more than needed", name, len(body))
		}
	}
}
