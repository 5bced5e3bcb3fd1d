package clouds

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

type secret struct {
	arn, text, token string
	scheduled        bool
}

// Secret is the text of a secret; empty for none.
func (c *Clouds) Secret(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.findSecret(name); s != nil {
		return s.text
	}
	return ""
}

// PutSecret makes a secret and returns its ARN.
func (c *Clouds) PutSecret(name, text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newSecret(name, text, "").arn
}

// ScheduleDeletion has a secret end its life after a recovery window, as the console does.
func (c *Clouds) ScheduleDeletion(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[name].scheduled = true
}

// Secrets are the names of all secrets.
func (c *Clouds) Secrets() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.secrets {
		names = append(names, name)
	}
	return names
}

func (c *Clouds) newSecret(name, text, token string) *secret {
	c.serial++
	// "Secrets Manager automatically adds a hyphen and six random characters after the secret name at
	// the end of the ARN" (CreateSecret).
	s := &secret{arn: fmt.Sprintf("arn:aws:secretsmanager:us-east-1:000000000000:secret:%s-%06d", name, c.serial), text: text, token: token}
	c.secrets[name] = s
	return s
}

// findSecret finds a secret by its name or ARN.
func (c *Clouds) findSecret(id string) *secret {
	if s := c.secrets[id]; s != nil {
		return s
	}
	for _, s := range c.secrets {
		if s.arn == id {
			return s
		}
	}
	return nil
}

// serveSecrets speaks the AWS JSON 1.1 protocol.
func (c *Clouds) serveSecrets(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, SecretID, SecretString, ClientRequestToken string }
	raw := map[string]any{}
	_ = json.NewDecoder(r.Body).Decode(&raw) // what is missing is empty
	text := func(key string) string { s, _ := raw[key].(string); return s }
	in.Name, in.SecretID, in.SecretString, in.ClientRequestToken = text("Name"), text("SecretId"), text("SecretString"), text("ClientRequestToken")
	fail := func(code, message string) {
		answerJSON(w, http.StatusBadRequest, map[string]string{"__type": code, "Message": message})
	}
	switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
	case "CreateSecret":
		s := c.secrets[in.Name]
		// "If a version with this value already exists, and the version of the SecretString … are the same
		// as those in the request, then the request is ignored. The operation is idempotent."
		if s != nil && (s.token != in.ClientRequestToken || s.text != in.SecretString) {
			fail("ResourceExistsException", "A resource with the ID you requested already exists.")
			return
		}
		if s == nil {
			s = c.newSecret(in.Name, in.SecretString, in.ClientRequestToken)
		}
		answerJSON(w, http.StatusOK, map[string]string{"ARN": s.arn, "Name": in.Name, "VersionId": in.ClientRequestToken})
	case "GetSecretValue":
		s := c.findSecret(in.SecretID)
		if s == nil {
			fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
			return
		}
		if s.scheduled {
			fail("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
			return
		}
		answerJSON(w, http.StatusOK, map[string]string{"ARN": s.arn, "SecretString": s.text})
	case "DeleteSecret":
		s := c.findSecret(in.SecretID)
		if s == nil { // "without recovery" does not fail for a secret that does not exist
			answerJSON(w, http.StatusOK, map[string]string{})
			return
		}
		for name := range c.secrets {
			if c.secrets[name] == s {
				delete(c.secrets, name)
			}
		}
		answerJSON(w, http.StatusOK, map[string]string{"ARN": s.arn})
	default:
		fail("InvalidAction", "not served here: "+operation)
	}
}
