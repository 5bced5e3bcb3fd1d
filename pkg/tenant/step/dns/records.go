package dns

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Record is one DNS record.
type Record struct {
	Name, Type, Value string
	TTL               int // seconds
	// Owner says who made it, in a form of our own; empty for somebody else.
	Owner string
	// ID is the provider's, empty where it has none.
	ID string
}

func (r Record) String() string { return r.Name + " " + r.Type + " " + r.Value }

// hostName is a DNS name: labels of at most 63 characters, underscores included, as names of
// DKIM records have them (RFC 1035, RFC 6376).
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?|\._[a-z0-9-]{0,61})+$`)

// records are the wanted ones. Those with references in place are left out: they are
// known when the step runs.
func (p Parameters) records(owner string) ([]Record, error) {
	var found []Record
	var faults []error
	seen := map[string]bool{}
	for _, text := range p.Records {
		if strings.Contains(text, "${") {
			continue
		}
		r, err := parse(text)
		if key := r.Name + " " + r.Type; err == nil && seen[key] {
			err = fmt.Errorf("record %q: there are two of %s", text, key)
		} else {
			seen[key] = true
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		r.TTL, r.Owner = cmp.Or(p.TTL, 300), owner
		found = append(found, r)
	}
	return found, errors.Join(faults...)
}

// parse reads NAME TYPE VALUE.
func parse(text string) (Record, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	kind, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
	r := Record{Name: host(name), Type: strings.ToUpper(kind), Value: strings.TrimSpace(value)}
	if len(r.Name) > 253 || !hostName.MatchString(r.Name) {
		return r, fmt.Errorf("record %q: %q is not a DNS name", text, name)
	}
	address, err := netip.ParseAddr(r.Value)
	wrong := ""
	switch {
	case r.Type == "A" && (err != nil || !address.Is4()):
		wrong = "an IPv4 address"
	case r.Type == "AAAA" && (err != nil || !address.Is6()):
		wrong = "an IPv6 address"
	case r.Type == "CNAME" && !hostName.MatchString(host(r.Value)):
		wrong = "a DNS name"
	case r.Type == "TXT" && (r.Value == "" || len(r.Value) > 255 || strings.ContainsFunc(r.Value, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' })):
		wrong = "1 to 255 printable ASCII characters without quotes and backslashes"
	case r.Type != "A" && r.Type != "AAAA" && r.Type != "CNAME" && r.Type != "TXT":
		return r, fmt.Errorf("record %q: its type is %q: want A, AAAA, CNAME or TXT", text, r.Type)
	}
	if wrong != "" {
		return r, fmt.Errorf("record %q: %q is not %s", text, r.Value, wrong)
	}
	if r.Type == "CNAME" {
		r.Value = host(r.Value)
	}
	return r, nil
}

// host is a name in one spelling: small letters, and without the dot at its end.
func host(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
