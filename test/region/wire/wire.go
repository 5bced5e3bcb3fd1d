// Package wire serves values that look like the AWS SDK's clients over HTTP,
// in the protocols of AWS, so that the unmodified SDK, the AWS CLI and built
// Lambda binaries talk to a simulated region as they would to AWS.
//
// It knows no operation by name. A served value has methods such as
//
//	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
//
// and a request is decoded into the input, and the output encoded into the
// response, by walking their Go types. What reflection cannot see (names that
// the Go SDK changed, members of unions) stands in the [Service] that
// describes the API; the package's tests prove it for every operation that the
// pinned SDK clients have.
//
// The simulated region's server, the benchmarks and the end-to-end tests call
// it, mostly as
//
//	handler := wire.New(wire.ServicesOf(r)...)
//
// Nothing is authenticated: signatures are not checked. The credential scope
// helps to tell services apart, and the access key id in it says who calls:
// [Handler.Attribute] gives a caller clients of its own.
package wire

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// MaxRequestBytes bounds the body of a request. It is the largest request that
// any AWS API takes in one body: DynamoDB's 16 MB for BatchWriteItem.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
const MaxRequestBytes = 16 << 20

// A client of the Go SDK that gets an answer before it has noticed that all of
// its request is sent breaks the connection, and loses what it has not read
// yet: the SDK then closes the request's body, smithy-go's reader of it (1.28,
// safeWriteToReadCloser) gives EOF as an error from then on, and net/http takes
// that for a failed write. AWS is never so fast, a server on the same machine
// may be. Answers that fit the client's first read of 4 KiB with their headers
// are safe; longer ones wait.
const (
	longAnswer = 3 << 10
	patience   = time.Millisecond
)

// Handler serves AWS APIs. Create it with [New].
type Handler struct {
	// Control, if set, answers the requests that are none of AWS's: those for
	// any other path than "/", and a browser's look at "/" itself. Without it
	// they get a 404. Set it before serving.
	Control http.Handler

	services []*served
	requests atomic.Uint64

	mu      sync.RWMutex
	callers map[string][]*served // by access key id
}

// served is a service with what is derived from it once.
type served struct {
	Service
	codec      codec
	operations map[string]operation
}

// codec reads requests and writes responses in one protocol.
type codec interface {
	// decode fills the input, which is a struct, from the request.
	decode(req *request, input any) error
	// output writes the response to a successful call.
	output(operation, requestID string, output any) ([]byte, error)
	// fault writes the response to a failed call. header is the response's.
	fault(f fault, requestID string, header http.Header) []byte
	contentType() string
}

// New returns a handler for the services. It panics when a service is not
// fully described or serves no operation at all, because that is a mistake in
// the program.
func New(services ...Service) *Handler {
	return &Handler{services: serve(services), callers: map[string][]*served{}}
}

// Attribute has the requests that are signed with an access key id answered by
// services of their own, instead of those given to [New]. It may be called
// while requests are served.
//
//	drain := r.Principal("drain", policy)
//	handler.Attribute(drain.AccessKeyID(), wire.ServicesOf(drain)...)
func (h *Handler) Attribute(accessKeyID string, services ...Service) {
	own := serve(services)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.callers[accessKeyID] = own
}

// servicesFor are those of the caller who signed a request.
func (h *Handler) servicesFor(accessKeyID string) []*served {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if own, ok := h.callers[accessKeyID]; ok {
		return own
	}
	return h.services
}

func serve(services []Service) []*served {
	var all []*served
	for _, s := range services {
		s.mustBeComplete()
		all = append(all, &served{Service: s, codec: s.codec(), operations: s.operations()})
	}
	return all
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !meantForAWS(r) {
		if h.Control == nil {
			http.NotFound(w, r)
			return
		}
		h.Control.ServeHTTP(w, r)
		return
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", h.requests.Add(1))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequestBytes))
	req, s := h.route(r, body)
	if err != nil {
		h.fail(w, s, unreadable(err), id)
		return
	}
	h.answer(w, r, req, s, id)
}

// answer calls the operation that the request names.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, req *request, s *served, id string) {
	op, ok := s.operations[req.operation]
	if !ok {
		h.fail(w, s, s.unknownOperation(req.operation), id)
		return
	}
	input := op.newInput()
	if err := s.codec.decode(req, input); err != nil {
		h.fail(w, s, malformed(s.Protocol, op.name, err), id)
		return
	}
	output, err := op.call(r.Context(), input)
	if err != nil {
		if unanswered(err) {
			// The caller of a real service would wait in vain; the nearest
			// thing that ends soon is a connection that breaks.
			panic(http.ErrAbortHandler)
		}
		h.fail(w, s, faultOf(s.Protocol, err), id)
		return
	}
	body, err := s.codec.output(op.name, id, output)
	if err != nil {
		h.fail(w, s, internal(fmt.Errorf("encode the response to %s: %w", op.name, err)), id)
		return
	}
	write(w, s, http.StatusOK, id, body)
}

func (h *Handler) fail(w http.ResponseWriter, s *served, f fault, id string) {
	body := s.codec.fault(f, id, w.Header())
	write(w, s, f.status, id, body)
}

func write(w http.ResponseWriter, s *served, status int, id string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", s.codec.contentType())
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Amzn-Requestid", id)
	if s.Protocol == JSON10 {
		// DynamoDB sends it, and its clients check it.
		header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	}
	if len(body) > longAnswer {
		time.Sleep(patience)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that has gone away needs no answer
}

// unreadable says why a request's body could not be read.
func unreadable(err error) fault {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return fault{
			code:    "RequestEntityTooLarge",
			message: fmt.Sprintf("the request's body is longer than %d bytes", tooLong.Limit),
			client:  true,
			status:  http.StatusRequestEntityTooLarge,
		}
	}
	return fault{code: "RequestTimeout", message: "the request's body ended early: " + err.Error(), client: true, status: http.StatusBadRequest}
}
