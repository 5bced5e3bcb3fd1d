package wire

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is a request as the codecs read it.
type request struct {
	operation string
	body      []byte
	form      url.Values // of a form, empty otherwise
	header    http.Header
}

// meantForAWS tells a request to an API from one to the control paths beside
// it. The SDK and the CLI send every request of the protocols here to "/". A
// browser that looks there sends nothing with it.
func meantForAWS(r *http.Request) bool {
	if r.Header.Get("X-Amz-Target") != "" {
		return true
	}
	looks := r.Method == http.MethodGet && r.URL.RawQuery == ""
	return r.URL.Path == "/" && !looks
}

// route finds the operation that a request names and the service it is for.
// Where there is no such service, it returns one without operations that
// answers in the protocol of the request.
func (h *Handler) route(r *http.Request, body []byte) (*request, *served) {
	req := &request{body: body, header: r.Header}
	accessKeyID, signing := credential(r.Header.Get("Authorization"))
	all := h.servicesFor(accessKeyID)
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		service, operation, _ := strings.Cut(target, ".")
		req.operation = operation
		return req, find(all, func(s *served) bool { return !s.Protocol.forms() && s.Target == service }, unservedJSON(service))
	}
	req.form = form(r, body)
	req.operation = req.form.Get("Action")
	version := req.form.Get("Version")
	isQuery := func(s *served) bool { return s.Protocol.forms() }
	s := find(all, func(s *served) bool { return isQuery(s) && s.Version == version && s.Signing == signing }, nil)
	if s == nil {
		// A version alone is enough for a caller that does not sign, and a
		// signature for one that leaves out the version.
		s = find(all, func(s *served) bool {
			return isQuery(s) && (s.Version == version || version == "" && s.Signing == signing)
		}, unservedQuery(signing, version))
	}
	return req, s
}

func find(all []*served, is func(*served) bool, otherwise *served) *served {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return otherwise
}

// form reads the parameters of a Query request from its body or, of a GET,
// from its address. A body that is no form gives no parameters, and so no
// operation.
func form(r *http.Request, body []byte) url.Values {
	if r.Method == http.MethodGet {
		return r.URL.Query()
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" {
		return nil
	}
	values, _ := url.ParseQuery(string(body))
	return values
}

// credential takes the access key id and the service from a SigV4
// Authorization header, whose credential is
// <key>/<date>/<region>/<service>/aws4_request.
func credential(authorization string) (accessKeyID, service string) {
	_, credential, ok := strings.Cut(authorization, "Credential=")
	if !ok {
		return "", ""
	}
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(credential, "/")
	if len(scope) < 5 {
		return "", ""
	}
	return scope[0], scope[len(scope)-2]
}

func unservedJSON(target string) *served {
	s := Service{ID: target, Protocol: JSON11}
	return &served{Service: s, codec: s.codec()}
}

func unservedQuery(signing, version string) *served {
	s := Service{ID: strings.TrimSpace(signing + " " + version), Protocol: Query}
	return &served{Service: s, codec: s.codec()}
}
