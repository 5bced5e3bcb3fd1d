package main

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

var (
	mailAddress = regexp.MustCompile(`[\pL\pN._%+'-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
	// user and session are who is named in an ARN. Their names may have commas (IAM API
	// reference, "RoleSessionName"); one that a space follows is of the text around.
	user    = regexp.MustCompile(`(:(?:federated-user|user|mfa)/)(?:[^"\s,]|,[^"\s])+`)
	session = regexp.MustCompile(`(:assumed-role/[^/\s]+/)(?:[^"\s,]|,[^"\s])+`)
	// uniqueID are access keys and the IDs of users, roles and the like (AWS IAM User Guide,
	// "IAM identifiers").
	uniqueID = regexp.MustCompile(`(A3T[A-Z0-9]|ABIA|ACCA|AGPA|AIDA|AIPA|AKIA|ANPA|ANVA|APKA|AROA|ASCA|ASIA)[A-Z0-9]{12,}`)
	// secretText are what signs calls: a secret key, which is 40 characters, or a session
	// token, which is long. What has no capitals is a hash or a path.
	secretText = regexp.MustCompile(`[A-Za-z0-9/+]{40,}=*`)
	capital    = regexp.MustCompile(`[A-Z]`)
	signedURL  = regexp.MustCompile(`(?i)((?:Signature|Security-Token|Credential|AWSAccessKeyId)=)[^&\s"]+`)
	ipv4       = regexp.MustCompile(`\d+(?:\.\d+){3}`)
	ipv6       = regexp.MustCompile(`[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*`)
	ipHost     = regexp.MustCompile(`\b(ip|ec2)-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})`)
	digits     = regexp.MustCompile(`\d+`)
	escape     = regexp.MustCompile(`%[0-9A-Fa-f]{2}`) // of URLs
	dashed     = regexp.MustCompile(`\b\d{4}-\d{4}-\d{4}\b`)
)

// text replaces, wherever it is in a text, what may not leave an account.
func (r *redactor) text(s string) string {
	if plain := escape.ReplaceAllStringFunc(s, unescape); plain != s {
		if redacted := r.text(plain); redacted != plain {
			return redacted
		}
		return s
	}
	if r.words != nil {
		s = r.words.ReplaceAllString(s, redacted)
	}
	s = signedURL.ReplaceAllString(s, "${1}"+redacted)
	s = mailAddress.ReplaceAllString(s, "someone@example.com")
	s = user.ReplaceAllString(s, "${1}someone")
	s = session.ReplaceAllString(s, "${1}session")
	s = uniqueID.ReplaceAllString(s, "${1}EXAMPLEEXAMPLE")
	s = secretText.ReplaceAllStringFunc(s, func(found string) string {
		if n := len(found); n >= 100 || capital.MatchString(found) && n <= 42 { // with a slash before it, and one after
			return redacted
		}
		return found
	})
	s = r.ipv6(s)
	s = ipv4.ReplaceAllStringFunc(s, r.address)
	s = ipHost.ReplaceAllStringFunc(s, func(host string) string {
		parts := ipHost.FindStringSubmatch(host)
		return parts[1] + "-" + strings.ReplaceAll(r.address(strings.Join(parts[2:], ".")), ".", "-")
	})
	s = dashed.ReplaceAllStringFunc(s, func(found string) string {
		a := r.account(strings.ReplaceAll(found, "-", ""))
		return a[:4] + "-" + a[4:8] + "-" + a[8:]
	})
	return digits.ReplaceAllStringFunc(s, func(found string) string {
		if len(found) != 12 {
			return found
		}
		return r.account(found)
	})
}

// unescape is the byte that an escape stands for.
func unescape(e string) string {
	b, _ := hex.DecodeString(e[1:]) // two hexadecimal digits
	return string(b)
}

// account is what stands for an account: first the one that all fixtures are about.
func (r *redactor) account(number string) string {
	if _, known := r.accounts[number]; !known {
		instead := fmt.Sprintf("9%011d", len(r.accounts))
		if len(r.accounts) == 0 {
			instead = "123456789012"
		}
		r.accounts[number] = instead
		if _, known := r.accounts[instead]; !known {
			r.accounts[instead] = instead // what was redacted stays as it is
		}
	}
	return r.accounts[number]
}

// address is what stands for an IP address: one of those for documentation (RFC 5737 and
// RFC 3849).
func (r *redactor) address(a string) string {
	parsed, err := netip.ParseAddr(a)
	if err != nil {
		return a
	}
	documentation := []string{"192.0.2.", "198.51.100.", "203.0.113."}
	for _, network := range documentation {
		if strings.HasPrefix(a, network) {
			return a
		}
	}
	key := parsed.String()
	if r.addresses[key] == "" {
		n := len(r.addresses)
		if parsed.Is4() {
			r.addresses[key] = fmt.Sprintf("%s%d", documentation[n/254%len(documentation)], n%254+1)
		} else {
			r.addresses[key] = fmt.Sprintf("2001:db8::%x", n+1)
		}
	}
	return r.addresses[key]
}

// ofARN is what is before the number and the two colons of an ARN without an account.
var ofARN = regexp.MustCompile(`:[a-z]+(-[a-z]+)+-$`)

// ipv6 replaces IPv6 addresses. ARNs have colons too, and times.
func (r *redactor) ipv6(s string) string {
	var b strings.Builder
	done := 0
	for _, at := range ipv6.FindAllStringIndex(s, -1) {
		begin, end := at[0], at[1]
		if begin > 0 && s[begin] == ':' && !strings.HasPrefix(s[begin:end], "::") {
			begin++ // of a label before it
		}
		for end > begin && (s[end-1] == '.' || s[end-1] == ':' && !strings.HasSuffix(s[begin:end], "::")) {
			end-- // of a sentence
		}
		if begin < done || end <= begin || end < len(s) && letter(s[end]) || begin > 0 && letter(s[begin-1]) || ofARN.MatchString(s[:begin]) {
			continue
		}
		instead := r.address(s[begin:end])
		if instead == s[begin:end] {
			continue
		}
		b.WriteString(s[done:begin] + instead)
		done = end
	}
	return b.String() + s[done:]
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
