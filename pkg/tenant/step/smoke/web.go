package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Doer sends requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// pageLimit bounds what is read of a page.
const pageLimit = 1 << 20

func (k *Kind) resolve(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	found, err := k.clients.Resolver.LookupHost(ctx, u.Hostname())
	if err == nil && len(found) == 0 {
		err = errors.New("has no address")
	}
	return err
}

// page reads the log-in page. That its certificate is valid is a part of it: the client refuses others.
func (k *Kind) page(ctx context.Context, address, title string) error {
	body, err := k.get(ctx, address)
	if err != nil {
		return err
	}
	if title != "" && !strings.Contains(html.UnescapeString(body), title) {
		return errors.New("does not show the tenant's title")
	}
	return nil
}

func (k *Kind) palette(ctx context.Context, address string) error {
	body, err := k.get(ctx, address)
	if err != nil {
		return err
	}
	var palette map[string]string
	if json.Unmarshal([]byte(body), &palette) != nil || len(palette) == 0 {
		return errors.New("is no palette")
	}
	return nil
}

func (k *Kind) get(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	res, err := k.clients.Web.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	// A redirection to plain HTTP would leave the page without a certificate.
	if res.Request != nil && res.Request.URL.Scheme != "https" {
		return "", fmt.Errorf("was redirected to %s", res.Request.URL.Redacted())
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %s", res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, pageLimit))
	return string(body), err
}
