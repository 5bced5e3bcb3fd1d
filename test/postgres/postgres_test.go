package postgres

import (
	"context"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var fetching = flag.Bool("fetch", false, "fetch PostgreSQL, although this machine may have it")

func TestStart(t *testing.T) {
	s, err := Start(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.Port, config.User, config.Password, config.Database = s.Host, uint16(s.Port), s.User, s.Password, "postgres"
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	config.Password = "wrong"
	if _, err := pgx.ConnectConfig(context.Background(), config); err == nil {
		t.Error("the server takes any password: no test of a log-in can fail")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(context.Background(), "SELECT 1"); err == nil {
		t.Error("the server runs on after Stop")
	}
}

func TestFetch(t *testing.T) {
	if !*fetching {
		t.Skip("needs Maven Central: -args -fetch")
	}
	bin, err := fetch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil || !strings.Contains(string(out), "PostgreSQL") {
		t.Errorf("%s: %s, %v", bin, out, err)
	}
}
