package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"deployhooks/infra/config"
	"deployhooks/pkg/tenant/step/postgres"
)

// domain is the one that tenants' hosts are below.
const domain = "example.com"

// pages serves the instances of all tenants by what a launch leaves for them: their
// configuration and public files in the bucket, and their database.
type pages struct {
	server *httptest.Server
	roots  *x509.CertPool
	file   string // of the certificate that callers have to trust
	cloud  *cloud // once it runs
}

// startPages serves HTTPS on a port of this machine, with a certificate of its own.
func startPages(dir string) (*pages, error) {
	certificate, err := newCertificate()
	if err != nil {
		return nil, err
	}
	p := &pages{roots: x509.NewCertPool(), file: filepath.Join(dir, "ca.pem")}
	p.roots.AddCert(certificate.Leaf)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(p.file, text, 0o644); err != nil {
		return nil, err
	}
	p.server = httptest.NewUnstartedServer(p)
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	p.server.StartTLS()
	return p, nil
}

// newCertificate makes a certificate for the tenants' hosts and this machine.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"*." + domain}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// ServeHTTP serves a page of the host that is asked for. The functions cannot resolve
// the tenants' hosts, as no DNS server has the zone: for them the host is the first
// folder of the path, at this machine's own address.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, path := r.Host, r.URL.Path
	if !strings.HasSuffix(host, "."+domain) {
		host, path, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
		path = "/" + path
	}
	folder := strings.TrimSuffix(host, "."+domain)
	if name, ok := strings.CutSuffix(folder, "-staging"); ok {
		folder = name + "/staging/"
	} else {
		folder += "/production/"
	}
	body, err := p.page(r.Context(), folder, path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, body)
}

// page is the log-in page, which an instance cannot show without its database, or a
// public file.
func (p *pages) page(ctx context.Context, folder, path string) (string, error) {
	if path != "/login" {
		return p.object(ctx, folder+"public"+path)
	}
	text, err := p.object(ctx, folder+"config/config.yml")
	if err != nil {
		return "", err
	}
	var c struct {
		Title    string
		Database struct{ Secret string }
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return "", err
	}
	welcome, err := p.cloud.query(ctx, c.Database.Secret, "SELECT title || ': ' || body FROM pages WHERE path = '/'")
	return fmt.Sprintf("<title>%s</title><h1>%s</h1>", html.EscapeString(c.Title), html.EscapeString(welcome)), err
}

func (p *pages) object(ctx context.Context, key string) (string, error) {
	out, err := p.cloud.s3().GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(p.cloud.outputs[config.TenantBucketOutput]), Key: &key})
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(out.Body)
	return string(body), errors.Join(err, out.Body.Close())
}

// s3 has the bucket in the path: no resolver knows bucket names as hosts.
func (c *cloud) s3() *s3.Client {
	return s3.NewFromConfig(c.config, func(o *s3.Options) { o.UsePathStyle = true })
}

// query logs in to a database as a secret says, and reads one text.
func (c *cloud) query(ctx context.Context, secret, sql string) (answer string, err error) {
	l, err := postgres.ReadLogin(ctx, secretsmanager.NewFromConfig(c.config), secret)
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%s dbname=%s user=%s password=%s sslmode=disable", l.Host, l.Port, cmp.Or(l.Database, "postgres"), l.Username, l.Password))
	if err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, sql).Scan(&answer)
	return answer, errors.Join(err, conn.Close(ctx))
}

// get reads a page as a browser does: the host's record in the zone leads to the load
// balancer, which is this machine.
func (t *tenants) get(ctx context.Context, host, path string) (string, error) {
	records, err := t.records(ctx)
	if err != nil {
		return "", err
	}
	if target := records[host+". CNAME"]; !strings.HasPrefix(target, "lb") {
		return "", fmt.Errorf("%s has no record of the load balancer: %v", host, records)
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: t.pages.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, t.pages.server.Listener.Addr().String())
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), errors.Join(err, resp.Body.Close())
}
