package wire

import (
	"net/http"
	"reflect"
)

// ec2Codec speaks ec2Query. Requests are forms whose lists have no element
// around them, which queryCodec reads as well; responses have no Result.
type ec2Codec struct{ queryCodec }

func (c ec2Codec) output(operation, requestID string, output any) ([]byte, error) {
	var e xmlEncoder
	e.shapes = c.shapes
	e.open(operation+"Response", c.namespace)
	e.text("requestId", requestID)
	if err := e.members(reflect.ValueOf(output).Elem()); err != nil {
		return nil, err
	}
	e.shut(operation + "Response")
	return e.Bytes(), nil
}

func (c ec2Codec) fault(f fault, requestID string, _ http.Header) []byte {
	var e xmlEncoder
	e.open("Response", "")
	e.open("Errors", "")
	e.open("Error", "")
	e.text("Code", f.code)
	e.text("Message", f.message)
	e.shut("Error")
	e.shut("Errors")
	e.text("RequestID", requestID)
	e.shut("Response")
	return e.Bytes()
}
