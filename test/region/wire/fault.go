package wire

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/aws/smithy-go"
)

// fault is an error on its way to the wire.
type fault struct {
	// shape is the name of the modelled error, empty for one that is not
	// modelled. The JSON protocols name errors by it.
	shape string
	// code is what awsQuery names the error by.
	code    string
	message string
	// client says that the caller is at fault.
	client bool
	status int
	// members is the modelled error itself, whose fields go to the wire too.
	members reflect.Value
}

func (f fault) name() string {
	if f.shape != "" {
		return f.shape
	}
	return f.code
}

// side is awsQuery's word for whose fault it is.
func (f fault) side() string {
	if f.client {
		return "Sender"
	}
	return "Receiver"
}

// faultOf reads an error of a client as the SDK makes it: a modelled error or
// a generic one, wrapped or not. Anything else is an internal failure.
func faultOf(p Protocol, err error) fault {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return internal(err)
	}
	f := fault{
		code:    api.ErrorCode(),
		message: api.ErrorMessage(),
		client:  api.ErrorFault() != smithy.FaultServer,
	}
	if v := reflect.ValueOf(api); v.Kind() == reflect.Pointer && isModelled(v.Type().Elem()) {
		f.shape, f.members = v.Type().Elem().Name(), v.Elem()
	}
	f.status = statusOf(p, f, err)
	return f
}

// isModelled tells the SDK's error types, which it keeps in a package called
// types beside each client.
func isModelled(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasSuffix(t.PkgPath(), "/types")
}

// statusOf takes the status that the error itself carries; otherwise that of
// the common errors of AWS where it is not simply 400 or 500.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html
func statusOf(p Protocol, f fault, err error) int {
	var carrier interface{ HTTPStatusCode() int }
	if errors.As(err, &carrier) {
		if status := carrier.HTTPStatusCode(); status >= 400 && status <= 599 {
			return status
		}
	}
	switch {
	case f.code == "ServiceUnavailable" || f.code == "ServiceUnavailableException":
		return http.StatusServiceUnavailable
	case p == Query && f.code == "AccessDenied":
		return http.StatusForbidden
	case f.client:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// unanswered tells an error that stands for no answer at all.
func unanswered(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func internal(err error) fault {
	return fault{code: "InternalFailure", message: err.Error(), status: http.StatusInternalServerError}
}

// malformed says that a request does not fit the operation's input.
func malformed(p Protocol, operation string, err error) fault {
	code := "SerializationException"
	if p.forms() {
		code = "MalformedInput"
	}
	return fault{code: code, message: fmt.Sprintf("%s: %s", operation, err), client: true, status: http.StatusBadRequest}
}

// unknownOperation says that the request names nothing that is served here.
func (s *served) unknownOperation(operation string) fault {
	f := fault{code: "UnknownOperationException", client: true, status: http.StatusBadRequest}
	if s.Protocol.forms() {
		f.code = "InvalidAction"
	}
	switch {
	case len(s.operations) == 0 && s.ID == "":
		f.message = "the request names no service: it needs X-Amz-Target, or a form with Action and Version"
	case len(s.operations) == 0:
		f.message = fmt.Sprintf("no service %q is served here", s.ID)
	case operation == "":
		f.message = fmt.Sprintf("the request to %s names no operation", s.ID)
	default:
		f.message = fmt.Sprintf("the operation %s of %s is not served here", operation, s.ID)
	}
	return f
}
