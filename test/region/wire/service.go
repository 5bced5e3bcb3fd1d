package wire

import (
	"fmt"
	"reflect"
)

// Protocol is one of the wire protocols of AWS.
type Protocol string

// The protocols that the pinned SDK clients and the AWS CLI speak.
const (
	// Query is awsQuery: forms in, XML out.
	// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
	Query Protocol = "awsQuery"
	// EC2Query is ec2Query: forms as in Query, XML of another shape.
	// https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
	EC2Query Protocol = "ec2Query"
	// JSON10 is awsJson1_0.
	// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
	JSON10 Protocol = "awsJson1_0"
	// JSON11 is awsJson1_1, which differs from JSON10 in its media type only.
	// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
	JSON11 Protocol = "awsJson1_1"
)

// forms reports whether requests of the protocol are forms.
func (p Protocol) forms() bool { return p == Query || p == EC2Query }

// Service is one AWS API and the value that serves it. The functions
// [AutoScaling], [CodeDeploy] and so on know everything but the client.
type Service struct {
	// ID is the service's name in the SDK, for example "Auto Scaling".
	ID string
	// Protocol is how requests and responses are written.
	Protocol Protocol
	// Signing is the service's name in SigV4 credential scopes and in ARNs.
	Signing string
	// Target is the part of X-Amz-Target before the dot. JSON protocols only.
	Target string
	// Version is the API's version, which is the parameter Version of a
	// request. Query only.
	Version string
	// Namespace is the XML namespace of responses. Query only.
	Namespace string
	// LowerCamel says that members begin with a lower-case letter on the wire,
	// though with a capital in Go.
	LowerCamel bool
	// Renamed holds the members whose name on the wire no rule gives, by
	// "GoType.Field", and in Query the elements of lists that are not called
	// "member", by "[]GoType", or for one list by "GoType.Field[]".
	Renamed map[string]string
	// Unions holds a nil pointer of every member type of every union in the
	// API, because Go cannot list the types that implement an interface.
	Unions []any
	// QueryCodes holds, by modelled error, the code it had when the service
	// still spoke awsQuery. Clients of such services ask for it and report it
	// instead of the error's name.
	QueryCodes map[string]string
	// Client answers the requests. Its methods look like the SDK client's.
	Client any
}

func (s Service) mustBeComplete() {
	missing := ""
	switch {
	case s.ID == "":
		missing = "ID"
	case s.Client == nil:
		missing = "Client"
	case s.Signing == "":
		missing = "Signing"
	case s.Protocol.forms() && (s.Version == "" || s.Namespace == ""):
		missing = "Version or Namespace"
	case !s.Protocol.forms() && s.Target == "":
		missing = "Target"
	default:
		return
	}
	panic(fmt.Sprintf("wire: service %q lacks its %s", s.ID, missing))
}

func (s Service) codec() codec {
	names := shapes{lowerCamel: s.LowerCamel, renamed: s.Renamed}
	for _, member := range s.Unions {
		names.members = append(names.members, reflect.TypeOf(member).Elem())
	}
	switch s.Protocol {
	case Query:
		return queryCodec{namespace: s.Namespace, shapes: names}
	case EC2Query:
		names.items = "item"
		return ec2Codec{queryCodec{namespace: s.Namespace, shapes: names}}
	case JSON10, JSON11:
		return jsonCodec{protocol: s.Protocol, shapes: names, queryCodes: s.QueryCodes}
	}
	panic(fmt.Sprintf("wire: service %q speaks %q, which is none of the protocols here", s.ID, s.Protocol))
}
