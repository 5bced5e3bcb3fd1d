package backup

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func TestAuthorities(t *testing.T) {
	status := http.StatusOK
	client := &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
		if got := r.URL.String(); got != "https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem" {
			t.Errorf("reads %s: whoever answers decides whom the function trusts", got)
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("a bundle"))}, nil
	})}
	read := Authorities(client, "eu-west-1")
	if text, err := read(context.Background()); err != nil || string(text) != "a bundle" {
		t.Errorf("read %q, %v", text, err)
	}
	status = http.StatusForbidden
	if text, err := read(context.Background()); err == nil {
		t.Errorf("takes a page of an error for authorities: %q", text)
	}
}
