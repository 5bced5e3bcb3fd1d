package clouds

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// SigningZone is the region's zone of DKIM keys (DkimAttributes, Amazon SES API v2 Reference).
const SigningZone = "dkim.us-east-1.amazonses.com"

type identityTag struct{ Key, Value string }

type identity struct {
	tags     []identityTag
	tokens   []string
	verified bool
}

// Verify has SES verify an identity.
func (c *Clouds) Verify(domain string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identities[domain].verified = true
}

// AddIdentity makes an identity with tags, each as KEY=VALUE. It has no DKIM tokens yet.
func (c *Clouds) AddIdentity(domain string, tags ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := &identity{}
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		i.tags = append(i.tags, identityTag{key, value})
	}
	c.identities[domain] = i
}

// Identities are the domains of all identities.
func (c *Clouds) Identities() (domains []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range c.identities {
		domains = append(domains, d)
	}
	return domains
}

func (c *Clouds) newIdentity(tags []identityTag) *identity {
	c.serial++
	i := &identity{tags: tags}
	for n := range 3 {
		i.tokens = append(i.tokens, fmt.Sprintf("token%d%c", c.serial, 'a'+n))
	}
	return i
}

// serveSES speaks REST JSON (CreateEmailIdentity, GetEmailIdentity, DeleteEmailIdentity in the Amazon
// SES API v2 Reference).
func (c *Clouds) serveSES(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code string) {
		w.Header().Set("X-Amzn-ErrorType", code)
		answerJSON(w, status, map[string]string{"message": code})
	}
	if r.Method == http.MethodPost {
		var in struct {
			EmailIdentity string
			Tags          []identityTag
		}
		_ = json.NewDecoder(r.Body).Decode(&in) // what is missing is empty
		if c.identities[in.EmailIdentity] != nil {
			fail(http.StatusBadRequest, "AlreadyExistsException")
			return
		}
		c.identities[in.EmailIdentity] = c.newIdentity(in.Tags)
		answerJSON(w, http.StatusOK, c.identities[in.EmailIdentity].body())
		return
	}
	domain, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/v2/email/identities/"))
	found := c.identities[domain]
	if found == nil {
		fail(http.StatusNotFound, "NotFoundException")
		return
	}
	if r.Method == http.MethodDelete {
		delete(c.identities, domain)
		answerJSON(w, http.StatusOK, struct{}{})
		return
	}
	answerJSON(w, http.StatusOK, found.body())
}

func (i *identity) body() map[string]any {
	status := "PENDING"
	if i.verified {
		status = "SUCCESS"
	}
	return map[string]any{
		"IdentityType": "DOMAIN", "VerifiedForSendingStatus": i.verified, "Tags": i.tags,
		"DkimAttributes": map[string]any{"Status": status, "Tokens": i.tokens, "SigningEnabled": true, "SigningHostedZone": SigningZone},
	}
}
