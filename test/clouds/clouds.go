// Package clouds serves what the steps of a tenant call, on the real wire: Secrets Manager, Route 53,
// SES, S3 and Cloudflare's DNS API. Each behaviour follows the documentation that it names. It
// imports nothing of ours.
package clouds

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// The services.
const (
	SecretsManager = "secretsmanager"
	Route53        = "route53"
	SES            = "ses"
	S3             = "s3"
	Cloudflare     = "cloudflare"
)

// Bucket is the bucket that there is. It keeps versions.
const Bucket = "tenants"

// Clouds are all services at one address.
type Clouds struct {
	URL    string
	server *httptest.Server
	s3     http.Handler
	files  *s3mem.Backend

	mu         sync.Mutex
	faults     map[string][]Fault
	calls      map[string]int
	secrets    map[string]*secret
	zones      map[string]map[recordKey]recordSet
	identities map[string]*identity
	cloudflare map[string]map[string]CloudflareRecord
	serial     int
}

// Fault is what happens to one request of a service.
type Fault struct {
	// Status is answered instead of anything; 429 is in each service's own words.
	Status int
	// AfterEffect breaks the connection when the request has taken effect.
	AfterEffect bool
}

// Start starts the services on a port of this machine.
func Start() *Clouds {
	c := &Clouds{
		faults: map[string][]Fault{}, calls: map[string]int{}, secrets: map[string]*secret{}, zones: map[string]map[recordKey]recordSet{},
		identities: map[string]*identity{}, cloudflare: map[string]map[string]CloudflareRecord{}, files: s3mem.New(),
	}
	// A new backend has no bucket of this name, and keeps versions where it is told to.
	_ = c.files.CreateBucket(Bucket)
	_ = c.files.SetVersioningConfiguration(Bucket, gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled})
	c.s3 = gofakes3.New(c.files).Server()
	c.server = httptest.NewServer(c)
	c.URL = c.server.URL
	return c
}

// Close ends the services.
func (c *Clouds) Close() { c.server.Close() }

// Fail gives the next requests of a service these faults, one each.
func (c *Clouds) Fail(service string, faults ...Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[service] = append(c.faults[service], faults...)
}

// Calls counts the requests that a service has got.
func (c *Clouds) Calls(service string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[service]
}

// ServeHTTP serves one request.
func (c *Clouds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service, serve := c.route(r)
	fault := c.next(service)
	if fault.Status != 0 {
		refuse(w, service, fault.Status)
		return
	}
	if fault.AfterEffect {
		serve(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	serve(w, r)
}

func (c *Clouds) next(service string) (f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[service]++
	if waiting := c.faults[service]; len(waiting) > 0 {
		f, c.faults[service] = waiting[0], waiting[1:]
	}
	return f
}

func (c *Clouds) route(r *http.Request) (string, http.HandlerFunc) {
	switch {
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager."):
		return SecretsManager, c.locked(c.serveSecrets)
	case strings.HasPrefix(r.URL.Path, "/2013-04-01/hostedzone/"):
		return Route53, c.locked(c.serveRoute53)
	case strings.HasPrefix(r.URL.Path, "/v2/email/identities"):
		return SES, c.locked(c.serveSES)
	case strings.HasPrefix(r.URL.Path, "/client/v4/zones/"):
		return Cloudflare, c.locked(c.serveCloudflare)
	}
	return S3, c.s3.ServeHTTP
}

func (c *Clouds) locked(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		serve(w, r)
	}
}

// refuse answers as a service that is throttling or broken does ("Common errors" of the API
// references; "Rate limits", Cloudflare API documentation).
func refuse(w http.ResponseWriter, service string, status int) {
	throttled := status == http.StatusTooManyRequests
	code := "ServiceUnavailable"
	switch service {
	case SecretsManager:
		if throttled {
			status, code = http.StatusBadRequest, "ThrottlingException"
		}
		answerJSON(w, status, map[string]string{"__type": code, "message": "Rate exceeded"})
	case SES:
		if throttled {
			code = "TooManyRequestsException"
		}
		w.Header().Set("X-Amzn-ErrorType", code)
		answerJSON(w, status, map[string]string{"message": "Too many requests"})
	case Route53:
		if throttled {
			status, code = http.StatusBadRequest, "Throttling"
		}
		answerXML(w, status, errorResponse{Error: errorXML{"Sender", code, "Rate exceeded"}, RequestID: "1"})
	case S3:
		if throttled {
			status, code = http.StatusServiceUnavailable, "SlowDown"
		}
		answerXML(w, status, errorS3{Code: code, Message: "Please reduce your request rate."})
	case Cloudflare:
		w.Header().Set("Retry-After", "300")
		answerJSON(w, status, map[string]any{"success": false, "errors": []any{map[string]any{"code": 971, "message": "Please wait and consider throttling your request speed"}}, "messages": []any{}, "result": nil})
	}
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that has gone
}

// PutObject writes an object of the bucket.
func (c *Clouds) PutObject(key, body string) {
	_, _ = c.files.PutObject(Bucket, key, map[string]string{}, strings.NewReader(body), int64(len(body)), nil)
}

// DeleteObject deletes an object of the bucket.
func (c *Clouds) DeleteObject(key string) { _, _ = c.files.DeleteObject(Bucket, key) }

// Objects are the texts of all objects of the bucket, by key.
func (c *Clouds) Objects() map[string]string {
	found := map[string]string{}
	list, err := c.files.ListBucket(Bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return found
	}
	for _, o := range list.Contents {
		if object, err := c.files.GetObject(Bucket, o.Key, nil); err == nil {
			body, _ := io.ReadAll(object.Contents)
			object.Contents.Close()
			found[o.Key] = string(body)
		}
	}
	return found
}
