package clouds

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

type recordKey struct{ Name, Type string }

type recordSet struct {
	Name   string
	Type   string
	TTL    int64
	Values []value `xml:"ResourceRecords>ResourceRecord"`
}

type value struct{ Value string }

type errorXML struct{ Type, Code, Message string }

type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Error     errorXML
	RequestID string `xml:"RequestId"`
}

type errorS3 struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

type invalidChangeBatch struct {
	XMLName  xml.Name `xml:"InvalidChangeBatch"`
	Messages []string `xml:"Messages>Message"`
}

type listResponse struct {
	XMLName     xml.Name    `xml:"ListResourceRecordSetsResponse"`
	Sets        []recordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
	IsTruncated bool
	MaxItems    int
}

type changeRequest struct {
	Changes []struct {
		Action            string
		ResourceRecordSet recordSet
	} `xml:"ChangeBatch>Changes>Change"`
}

type changeResponse struct {
	XMLName xml.Name `xml:"ChangeResourceRecordSetsResponse"`
	ID      string   `xml:"ChangeInfo>Id"`
	Status  string   `xml:"ChangeInfo>Status"`
	At      string   `xml:"ChangeInfo>SubmittedAt"`
}

// Route53Records are the records of a zone, each as NAME TYPE VALUE.
func (c *Clouds) Route53Records(zone string) (found []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.zones[zone] {
		line := s.Name + " " + s.Type
		for _, v := range s.Values {
			line += " " + v.Value
		}
		found = append(found, line)
	}
	slices.Sort(found)
	return found
}

// AddRoute53Record makes a record, of one value or several.
func (c *Clouds) AddRoute53Record(zone, name, kind string, values ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := recordSet{Name: dotted(name), Type: kind, TTL: 300}
	for _, v := range values {
		set.Values = append(set.Values, value{v})
	}
	c.zone(zone)[recordKey{set.Name, kind}] = set
}

// ChangeRoute53Record gives a record another value, or deletes it if that is empty.
func (c *Clouds) ChangeRoute53Record(zone, name, kind, value string) {
	if value != "" {
		c.AddRoute53Record(zone, name, kind, value)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.zone(zone), recordKey{dotted(name), kind})
}

func (c *Clouds) zone(id string) map[recordKey]recordSet {
	if c.zones[id] == nil {
		c.zones[id] = map[recordKey]recordSet{}
	}
	return c.zones[id]
}

func dotted(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") + "." }

// serveRoute53 speaks REST XML (ListResourceRecordSets, ChangeResourceRecordSets in the Amazon Route 53
// API Reference).
func (c *Clouds) serveRoute53(w http.ResponseWriter, r *http.Request) {
	id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/2013-04-01/hostedzone/"), "/")
	zone := c.zone(id)
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		answerXML(w, http.StatusOK, listResponse{Sets: list(zone, recordKey{dotted(q.Get("name")), q.Get("type")}), MaxItems: 1})
		return
	}
	var in changeRequest
	_ = xml.NewDecoder(r.Body).Decode(&in) // what is missing is empty
	changed := map[recordKey]recordSet{}
	for k, s := range zone {
		changed[k] = s
	}
	var faults []string
	for _, change := range in.Changes {
		set := change.ResourceRecordSet
		set.Name = dotted(set.Name)
		if fault := apply(changed, change.Action, set); fault != "" {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 {
		answerXML(w, http.StatusBadRequest, invalidChangeBatch{Messages: faults})
		return
	}
	c.zones[id] = changed
	answerXML(w, http.StatusOK, changeResponse{ID: "/change/C1", Status: "PENDING", At: "2026-01-01T00:00:00Z"})
}

// list has the first record set at or after a name and type. Names are in the order of their
// labels from the last ("ListResourceRecordSets, sort order").
func list(zone map[recordKey]recordSet, from recordKey) []recordSet {
	order := func(k recordKey) string {
		labels := strings.Split(k.Name, ".")
		slices.Reverse(labels)
		return strings.Join(labels, ".") + " " + k.Type
	}
	var keys []recordKey
	for k := range zone {
		if order(k) >= order(from) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b recordKey) int { return strings.Compare(order(a), order(b)) })
	if len(keys) == 0 {
		return nil
	}
	return []recordSet{zone[keys[0]]}
}

// apply makes one change of a batch, or says what is wrong with it in Route 53's words.
func apply(zone map[recordKey]recordSet, action string, set recordSet) string {
	key := recordKey{set.Name, set.Type}
	have, exists := zone[key]
	if action == "DELETE" {
		if !exists || !slices.Equal(have.Values, set.Values) || have.TTL != set.TTL {
			return fmt.Sprintf("Tried to delete resource record set [name='%s', type='%s'] but it was not found", set.Name, set.Type)
		}
		delete(zone, key)
		return ""
	}
	if action == "CREATE" && exists {
		return fmt.Sprintf("Tried to create resource record set [name='%s', type='%s'] but it already exists", set.Name, set.Type)
	}
	for k := range zone {
		if k.Name == set.Name && k.Type != set.Type && (k.Type == "CNAME" || set.Type == "CNAME") {
			return fmt.Sprintf("RRSet of type %s with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone", set.Type, set.Name)
		}
	}
	zone[key] = set
	return ""
}

func answerXML(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(body) // a caller that has gone
}
