package blueprint

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// CheckLabel reports why a name is no DNS label as host names use them (RFC 1123, section 2.1):
// at most 63 lower-case letters, digits and hyphens. Labels with hyphens at the third and fourth
// place are reserved (RFC 5890, section 2.3.1); xn-- would hide other letters.
func CheckLabel(name string) error {
	switch {
	case name == "":
		return errors.New("a DNS label is empty")
	case len(name) > 63:
		return fmt.Errorf("a DNS label has %d characters: at most 63 are allowed", len(name))
	case len(name) >= 4 && name[2:4] == "--":
		return errors.New(`a DNS label with "--" in the third and fourth place is reserved, xn-- for other scripts: use a-z, 0-9 and single hyphens`)
	case !label.MatchString(name):
		for i, r := range name { // the texts repeat no more of a name than one character
			if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
				return fmt.Errorf("a DNS label has the character %U at position %d: use a-z, 0-9 and hyphens", r, i+1)
			}
		}
		return errors.New("a DNS label has a hyphen first or last")
	}
	return nil
}

// CheckHost reports why a name is no host name: labels with dots between them, two at least and
// 253 characters at most, the last not numeric as it would be in an address.
func CheckHost(host string) error {
	labels := strings.Split(host, ".")
	if len(host) > 253 || len(labels) < 2 {
		return fmt.Errorf("a host name has two labels or more and at most 253 characters: this has %d and %d", len(labels), len(host))
	}
	for _, l := range labels {
		if err := CheckLabel(l); err != nil {
			return err
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New("a host name does not end with a number, as addresses do")
	}
	return nil
}
