package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// runtimeAPI is the HTTP interface from which a function takes its invocations
// and to which it answers.
type runtimeAPI struct {
	next      chan *invocation
	polled    chan struct{} // closed at the first poll
	firstPoll time.Time     // set before polled is closed
	once      sync.Once
	initError chan error

	mu      sync.Mutex
	count   int
	current *invocation // nil between invocations
}

// invocation is one invocation under way.
type invocation struct {
	id       string
	payload  []byte
	arn      string
	trace    string
	deadline time.Time
	outcome  chan outcome // takes one without blocking
}

type outcome struct {
	answer []byte
	err    error
}

func newRuntimeAPI() *runtimeAPI {
	return &runtimeAPI{
		next:      make(chan *invocation),
		polled:    make(chan struct{}),
		initError: make(chan error, 1),
	}
}

// begin makes an invocation the current one. IDs and traces are counted, so
// that two runs read alike.
func (a *runtimeAPI) begin(payload []byte, arn string, deadline time.Time) *invocation {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	a.current = &invocation{
		id:       fmt.Sprintf("00000000-0000-4000-8000-%012d", a.count),
		trace:    fmt.Sprintf("Root=1-00000000-%024x;Parent=%016x;Sampled=0", a.count, a.count),
		payload:  payload,
		arn:      arn,
		deadline: deadline,
		outcome:  make(chan outcome, 1),
	}
	return a.current
}

func (a *runtimeAPI) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = nil
}

func (a *runtimeAPI) handler() http.Handler {
	const base = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/invocation/next", a.serveNext)
	mux.HandleFunc("POST "+base+"/invocation/{id}/response", a.serveResponse)
	mux.HandleFunc("POST "+base+"/invocation/{id}/error", a.serveError)
	mux.HandleFunc("POST "+base+"/init/error", a.serveInitError)
	return mux
}

// serveNext waits for an invocation for as long as it takes.
func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	a.once.Do(func() {
		a.firstPoll = time.Now()
		close(a.polled)
	})
	select {
	case i := <-a.next:
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Lambda-Runtime-Aws-Request-Id", i.id)
		header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		header.Set("Lambda-Runtime-Invoked-Function-Arn", i.arn)
		header.Set("Lambda-Runtime-Trace-Id", i.trace)
		_, _ = w.Write(i.payload)
	case <-r.Context().Done():
	}
}

func (a *runtimeAPI) serveResponse(w http.ResponseWriter, r *http.Request) {
	answer, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		failed := &FunctionError{
			Type:    "Function.ResponseSizeTooLarge",
			Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload),
		}
		a.settle(w, r, outcome{err: failed}, http.StatusRequestEntityTooLarge)
	case err != nil:
		refuse(w, http.StatusBadRequest, "InvalidRequest", "the response could not be read: "+err.Error())
	default:
		a.settle(w, r, outcome{answer: answer}, http.StatusAccepted)
	}
}

func (a *runtimeAPI) serveError(w http.ResponseWriter, r *http.Request) {
	a.settle(w, r, outcome{err: readError(r)}, http.StatusAccepted)
}

// settle ends the invocation that the request's path names, if it is under way.
func (a *runtimeAPI) settle(w http.ResponseWriter, r *http.Request, o outcome, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.current.id != r.PathValue("id") {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "no invocation "+r.PathValue("id")+" is under way")
		return
	}
	a.current.outcome <- o
	a.current = nil
	if status != http.StatusAccepted {
		refuse(w, status, "RequestEntityTooLarge", o.err.Error())
		return
	}
	accept(w)
}

func (a *runtimeAPI) serveInitError(w http.ResponseWriter, r *http.Request) {
	select {
	case a.initError <- readError(r):
	default: // reported before
	}
	accept(w)
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": kind, "errorMessage": message})
}

// FunctionError is an error that a function reports: one that its handler
// returns, a panic in it, or a failure to initialise.
type FunctionError struct {
	Type    string
	Message string
	// Payload is the whole report, as a caller of Lambda gets it.
	Payload []byte
}

func (e *FunctionError) Error() string {
	if e.Type == "" {
		return "it failed: " + e.Message
	}
	return fmt.Sprintf("it failed with %s: %s", e.Type, e.Message)
}

// readError reads an error report. One that is not as documented is shown as
// it is.
func readError(r *http.Request) *FunctionError {
	payload, _ := io.ReadAll(io.LimitReader(r.Body, MaxPayload))
	var report struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	e := &FunctionError{Type: r.Header.Get("Lambda-Runtime-Function-Error-Type"), Payload: payload}
	if json.Unmarshal(payload, &report) != nil {
		e.Message = string(payload)
		return e
	}
	e.Message = report.Message
	if report.Type != "" {
		e.Type = report.Type
	}
	return e
}
