package steps

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"deployhooks/pkg/tenant/step"
)

// TestPostgresTLS: by default only a server with a certificate for its host from a known authority gets passwords.
func TestPostgresTLS(t *testing.T) {
	ca := serveTLS(t)
	for name, c := range map[string]struct {
		host, tls, ca string
		class         step.ErrorClass
	}{
		"the default, with its authority": {"", "", "ca.pem", ""},
		"verify-full, with its authority": {"", "verify-full", "ca.pem", ""},
		"another host":                    {"localhost", "verify-full", "ca.pem", step.Transient},
		"an authority that is not known":  {"", "", "", step.Transient},
		"require takes any certificate":   {"", "require", "", ""},
		"a file without a certificate":    {"", "", "content.sql", step.Refused},
		"no such file":                    {"", "", "nothing.pem", step.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			p := maps.Clone(parameters()["postgres"])
			p["tls"], p["ca"], p["host"] = c.tls, c.ca, c.host
			in := input(t, newTenant(), "postgres", p)
			in.Files = maps.Clone(files)
			in.Files.(fstest.MapFS)["ca.pem"] = &fstest.MapFile{Data: ca}
			out, err := newState().process(&network{}).kinds["postgres"].Apply(context.Background(), in)
			if class(err) != c.class {
				t.Fatalf("%v, want class %q: a password goes to whoever answers, or a launch is held", err, c.class)
			}
			if err != nil {
				return
			}
			check := input(t, in.Tenant, "smoke", map[string]any{"database": out["secret"], "tls": c.tls, "ca": c.ca})
			check.Files = in.Files
			if _, err := newState().process(&network{}).kinds["smoke"].Apply(context.Background(), check); err != nil {
				t.Errorf("smoke: %v", err)
			}
			check = input(t, in.Tenant, "smoke", map[string]any{"database": out["secret"]})
			if _, err := newState().process(&network{}).kinds["smoke"].Apply(context.Background(), check); err == nil {
				t.Error("smoke logs in to a server whose authority it does not know")
			}
		})
	}
}

// serveTLS gives the server a certificate for 127.0.0.1, and returns that of its authority.
func serveTLS(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(server.Host)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	data := filepath.Join(server.Dir, "data")
	owner, err := os.Stat(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"server.crt": ca, "server.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(data, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sameOwner(filepath.Join(data, name), owner); err != nil {
			t.Fatal(err)
		}
	}
	sql(t, "ALTER SYSTEM SET ssl = on")
	sql(t, "SELECT pg_reload_conf()")
	on := ""
	for on != "on" { // the server reads it when it gets to it
		if err := connectAs(t, server.User, server.Password, "postgres").QueryRow(context.Background(), "SHOW ssl").Scan(&on); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(filepath.Join(server.Dir, "log"))
	if err != nil || strings.Contains(string(log), "could not load") {
		t.Fatalf("the server does not take its certificate: %v", err)
	}
	return ca
}

func sameOwner(path string, as os.FileInfo) error {
	if os.Geteuid() != 0 {
		return nil
	}
	owner := as.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
