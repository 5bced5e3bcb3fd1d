package dns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	cloudflare "github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"deployhooks/pkg/tenant/step"
)

// HTTPClient sends requests.
type HTTPClient = option.HTTPClient

// cloudflareZone keeps the owner in a record's comment.
type cloudflareZone struct {
	records *cloudflare.RecordService
	id      string
}

// newCloudflareZone has the SDK make each call once: it would sleep as long as the answer to a
// throttled call says, up to minutes, while the workflow can wait for nothing.
func newCloudflareZone(c Clients, id, token string) cloudflareZone {
	options := []option.RequestOption{option.WithEnvironmentProduction(), option.WithAPIToken(strings.TrimSpace(token)), option.WithMaxRetries(0)}
	if c.CloudflareURL != "" {
		options = append(options, option.WithBaseURL(c.CloudflareURL))
	}
	if c.Cloudflare != nil {
		options = append(options, option.WithHTTPClient(c.Cloudflare))
	}
	return cloudflareZone{cloudflare.NewRecordService(options...), id}
}

func (z cloudflareZone) Find(ctx context.Context, name, kind string) (*Record, error) {
	var p cloudflare.RecordListParams
	set(&p.ZoneID.Value, &p.ZoneID.Present, z.id)
	p.Name.Present = true
	set(&p.Name.Value.Exact.Value, &p.Name.Value.Exact.Present, name)
	set(&p.Type.Value, &p.Type.Present, cloudflare.RecordListParamsType(kind))
	page, err := z.records.List(ctx, p)
	if err == nil && page.JSON.ExtraFields["success"].Raw() != "true" {
		err = errUnsuccessful
	}
	if err != nil || len(page.Result) == 0 {
		return nil, z.classified(err)
	}
	if len(page.Result) > 1 { // several addresses of one name: none of them is a record of ours
		return &Record{Name: name, Type: kind}, nil
	}
	r := page.Result[0]
	found := Record{Name: host(r.Name), Type: string(r.Type), Value: r.Content, TTL: int(r.TTL), Owner: r.Comment, ID: r.ID}
	switch kind {
	case "CNAME":
		found.Value = host(found.Value)
	case "TXT": // Cloudflare returns it in quotes
		found.Value = strings.Trim(found.Value, `"`)
	}
	return &found, nil
}

func (z cloudflareZone) Create(ctx context.Context, r Record) error {
	var b cloudflare.RecordNewParamsBody
	set(&b.Name.Value, &b.Name.Present, r.Name)
	set(&b.Type.Value, &b.Type.Present, cloudflare.RecordNewParamsBodyType(r.Type))
	set(&b.Content.Value, &b.Content.Present, content(r))
	set(&b.TTL.Value, &b.TTL.Present, cloudflare.TTL(r.TTL))
	set(&b.Comment.Value, &b.Comment.Present, r.Owner)
	p := cloudflare.RecordNewParams{Body: b}
	set(&p.ZoneID.Value, &p.ZoneID.Present, z.id)
	made, err := z.records.New(ctx, p)
	if err == nil && made.ID == "" {
		err = errUnsuccessful
	}
	return z.classified(err)
}

func (z cloudflareZone) Replace(ctx context.Context, found, r Record) error {
	var b cloudflare.RecordUpdateParamsBody
	set(&b.Name.Value, &b.Name.Present, r.Name)
	set(&b.Type.Value, &b.Type.Present, cloudflare.RecordUpdateParamsBodyType(r.Type))
	set(&b.Content.Value, &b.Content.Present, content(r))
	set(&b.TTL.Value, &b.TTL.Present, cloudflare.TTL(r.TTL))
	set(&b.Comment.Value, &b.Comment.Present, r.Owner)
	p := cloudflare.RecordUpdateParams{Body: b}
	set(&p.ZoneID.Value, &p.ZoneID.Present, z.id)
	made, err := z.records.Update(ctx, found.ID, p)
	if err == nil && made.ID == "" {
		err = errUnsuccessful
	}
	return z.classified(err)
}

func (z cloudflareZone) Delete(ctx context.Context, found Record) error {
	var p cloudflare.RecordDeleteParams
	set(&p.ZoneID.Value, &p.ZoneID.Present, z.id)
	deleted, err := z.records.Delete(ctx, found.ID, p)
	if err == nil && deleted.ID == "" {
		err = errUnsuccessful
	}
	var answer *cloudflare.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return nil
	}
	return z.classified(err)
}

// errUnsuccessful is an answer with status 200 and "success": false or no result, which the SDK takes for
// success. It may pass.
var errUnsuccessful = errors.New("cloudflare answered 200 OK without success")

// set fills a field of a call's parameters. The SDK's own function for it (cloudflare.F) is in
// the package that imports the clients of every service of Cloudflare.
func set[T any](value *T, present *bool, v T) { *value, *present = v, true }

// content is the value as Cloudflare wants it: the text of a TXT record in quotes.
func content(r Record) string {
	if r.Type == "TXT" {
		return `"` + r.Value + `"`
	}
	return r.Value
}

// Codes of Cloudflare's DNS records API for a record that stands in the way ("81053: An A,
// AAAA, or CNAME record with that host already exists", "81057: The record already exists",
// "81058: An identical record already exists").
var existsCodes = map[int64]bool{81053: true, 81054: true, 81057: true, 81058: true}

// classified gives an error of Cloudflare its class. Its own text has the request's
// address, but neither the token nor other headers.
func (z cloudflareZone) classified(err error) error {
	var answer *cloudflare.Error
	if !errors.As(err, &answer) {
		return err
	}
	var said []string
	for _, e := range answer.Errors {
		if existsCodes[e.Code] {
			return ErrExists
		}
		said = append(said, fmt.Sprintf("%s (%d)", e.Message, e.Code))
	}
	err = fmt.Errorf("cloudflare answered %d %s: %s", answer.StatusCode, http.StatusText(answer.StatusCode), strings.Join(said, ", "))
	switch code := answer.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return &step.Error{Class: step.Transient, Err: err}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return step.Refuse(err, "Store a token in the secret that may edit the DNS of zone "+z.id+".")
	}
	return step.Refuse(err, "Correct the zone or the records.")
}
