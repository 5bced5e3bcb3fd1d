package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/smoke"
)

// hosts resolves those that it has.
type hosts map[string]bool

func (h hosts) LookupHost(_ context.Context, host string) ([]string, error) {
	if !h[host] {
		return nil, errors.New("no such host")
	}
	return []string{"127.0.0.1"}, nil
}

func TestSmoke(t *testing.T) {
	page := "<title>O&#39;Neill</title>"
	var written atomic.Int64
	timeUp := func() {}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			io.WriteString(w, page)
		case "/branding.json":
			io.WriteString(w, `{"text": "#000000"}`)
		case "/plain":
			http.Redirect(w, r, cloud.URL+"/tenants", http.StatusFound)
		case "/slow":
			timeUp()
			<-r.Context().Done()
		case "/stuck": // the step's time is up when the first part is there
			io.WriteString(w, page)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/endless":
			for chunk := make([]byte, 1<<16); written.Load() < 64<<20; {
				n, err := w.Write(chunk)
				if written.Add(int64(n)); err != nil {
					return
				}
			}
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, page)
		case "/accepted":
			w.WriteHeader(http.StatusAccepted)
			io.WriteString(w, page)
		default:
			http.NotFound(w, r)
		}
	}))
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // a client refuses its certificate below
	web.StartTLS()
	defer web.Close()
	tenant := newTenant()
	database := apply(t, "postgres", input(t, tenant, "postgres", parameters()["postgres"]))["secret"]
	apply(t, "ses-identity", input(t, tenant, "mail", parameters()["ses-identity"]))
	domain := tenant + ".mail.example.com"
	wrong := cloud.PutSecret(tenant+"-wrong", strings.Replace(login(tenant, "wrong-password"), "}", `,"dbname":"`+tenant+`_production"}`, 1))
	good := func() map[string]any {
		return map[string]any{"url": web.URL + "/login", "title": "O'Neill", "branding": web.URL + "/branding.json", "identity": domain, "database": database, "tls": "disable"}
	}
	for _, c := range []struct {
		name  string
		with  map[string]any
		class step.ErrorClass
		lines []string // that the error has
	}{
		{"a mail identity that is not verified yet", nil, step.NotYet, []string{"mail identity " + domain + ": is not verified: DKIM is PENDING"}},
		{"all is well", nil, "", nil},
		{"the log-in page is missing, and the palette", map[string]any{"url": web.URL + "/nothing", "branding": web.URL + "/login"}, step.NotYet, []string{"log-in page " + web.URL + "/nothing: answered 404 Not Found", "branding " + web.URL + "/login: is no palette"}},
		{"another tenant's page", map[string]any{"title": "Another"}, step.NotYet, []string{"log-in page " + web.URL + "/login: does not show the tenant's title"}},
		{"a host without an address", map[string]any{"url": "https://nowhere.example.com/"}, step.NotYet, []string{"DNS of https://nowhere.example.com/: no such host"}},
		{"a certificate for another host", map[string]any{"url": strings.Replace(web.URL, "127.0.0.1", "localhost", 1) + "/login"}, step.NotYet, []string{"certificate"}},
		{"a redirection to plain HTTP", map[string]any{"url": web.URL + "/plain"}, step.NotYet, []string{"was redirected to " + cloud.URL}},
		{"a page with another status", map[string]any{"url": web.URL + "/accepted"}, step.NotYet, []string{"answered 202 Accepted"}},
		{"a page of an error", map[string]any{"url": web.URL + "/broken"}, step.NotYet, []string{"answered 500 Internal Server Error"}},
		{"an endless page", map[string]any{"url": web.URL + "/endless"}, step.NotYet, []string{"does not show the tenant's title"}},
		{"a page that does not come", map[string]any{"url": web.URL + "/slow"}, step.NotYet, []string{"log-in page " + web.URL + "/slow: ", "context canceled"}},
		{"a page whose rest does not come", map[string]any{"url": web.URL + "/stuck"}, step.NotYet, []string{"log-in page " + web.URL + "/stuck: context canceled"}},
		{"a wrong password", map[string]any{"database": wrong}, step.Refused, []string{"database log-in: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.class == "" {
				cloud.Verify(domain)
			}
			p := good()
			for k, v := range c.with {
				p[k] = v
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			timeUp = cancel
			clients := smokeClients(web)
			clients.Resolver = hosts{"127.0.0.1": true, "localhost": true}
			clients.Web = doer(func(r *http.Request) (*http.Response, error) {
				res, err := web.Client().Do(r)
				if r.URL.Path == "/stuck" {
					cancel()
				}
				return res, err
			})
			_, err := smoke.New(clients).Apply(ctx, input(t, tenant, "smoke", p))
			if class(err) != c.class {
				t.Fatalf("%v, want class %q: a broken tenant goes live, or a working one does not", err, c.class)
			}
			for _, line := range c.lines {
				if !strings.Contains(fmt.Sprint(err), line) {
					t.Errorf("error %v\nlacks %q: an operator does not know what is wrong", err, line)
				}
			}
			if strings.Contains(fmt.Sprint(err), "wrong-password") {
				t.Error("a password is in the error")
			}
		})
	}
	if n := written.Load(); n > 32<<20 {
		t.Errorf("%d bytes of an endless page are read: the worker's memory ends", n)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// smokeClients reach one web server, by any host name.
func smokeClients(web *httptest.Server) smoke.Clients {
	cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: &cloud.URL}
	return smoke.Clients{Web: web.Client(), Identities: sesv2.NewFromConfig(cfg), Secrets: secretsmanager.NewFromConfig(cfg)}
}
