package clouds

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Token is the API token that may edit every zone.
const Token = "cloudflare-token-1a2b3c"

// CloudflareRecord is a record of a zone ("DNS Records for a Zone", Cloudflare API).
type CloudflareRecord struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Content string `json:"content"`
	TTL     int    `json:"ttl"`
	Comment string `json:"comment"`
}

// CloudflareRecords are the records of a zone.
func (c *Clouds) CloudflareRecords(zone string) (found []CloudflareRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.cloudflare[zone] {
		found = append(found, r)
	}
	return found
}

// AddCloudflareRecord makes a record.
func (c *Clouds) AddCloudflareRecord(zone string, r CloudflareRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putCloudflare(zone, r)
}

// ChangeCloudflareRecord gives a record another value, or deletes it if that is empty.
func (c *Clouds) ChangeCloudflareRecord(zone, name, kind, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, r := range c.cloudflare[zone] {
		switch {
		case r.Name != name || r.Type != kind:
		case value == "":
			delete(c.cloudflare[zone], id)
		default:
			r.Content = value
			c.cloudflare[zone][id] = r
		}
	}
}

func (c *Clouds) putCloudflare(zone string, r CloudflareRecord) CloudflareRecord {
	if c.cloudflare[zone] == nil {
		c.cloudflare[zone] = map[string]CloudflareRecord{}
	}
	if r.ID == "" {
		c.serial++
		r.ID = fmt.Sprintf("%032x", c.serial)
	}
	c.cloudflare[zone][r.ID] = r
	return r
}

func (c *Clouds) serveCloudflare(w http.ResponseWriter, r *http.Request) {
	fail := func(status, code int, message string) {
		answerJSON(w, status, map[string]any{"success": false, "errors": []any{map[string]any{"code": code, "message": message}}, "messages": []any{}, "result": nil})
	}
	done := func(result any) {
		answerJSON(w, http.StatusOK, map[string]any{"success": true, "errors": []any{}, "messages": []any{}, "result": result})
	}
	if r.Header.Get("Authorization") != "Bearer "+Token {
		fail(http.StatusForbidden, 10000, "Authentication error")
		return
	}
	zone, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/client/v4/zones/"), "/dns_records")
	id := strings.TrimPrefix(rest, "/")
	var body CloudflareRecord
	_ = json.NewDecoder(r.Body).Decode(&body) // what is missing is empty
	if id != "" && c.cloudflare[zone][id].ID == "" {
		fail(http.StatusNotFound, 81044, "Record does not exist.")
		return
	}
	switch r.Method {
	case http.MethodGet:
		found := []CloudflareRecord{}
		for _, have := range c.cloudflare[zone] {
			if have.Name == r.URL.Query().Get("name.exact") && have.Type == r.URL.Query().Get("type") {
				found = append(found, have)
			}
		}
		done(found)
	case http.MethodPost:
		if code := c.inTheWay(zone, body); code != 0 {
			fail(http.StatusBadRequest, code, "A record with that host already exists.")
			return
		}
		done(c.putCloudflare(zone, body))
	case http.MethodPut:
		body.ID = id
		done(c.putCloudflare(zone, body))
	case http.MethodDelete:
		delete(c.cloudflare[zone], id)
		done(map[string]string{"id": id})
	}
}

// inTheWay is the code of the fault that a new record has: a CNAME stands alone, and no two records
// are the same ("Troubleshooting: Records with the same name", Cloudflare DNS documentation).
func (c *Clouds) inTheWay(zone string, r CloudflareRecord) int {
	for _, have := range c.cloudflare[zone] {
		switch {
		case have.Name != r.Name:
		case have.Type == "CNAME" || r.Type == "CNAME":
			return 81053
		case have.Type == r.Type && have.Content == r.Content:
			return 81058
		}
	}
	return 0
}
