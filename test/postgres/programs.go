package postgres

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// programs is the folder with initdb and postgres: of the PATH, of Debian's packages, or fetched.
func programs(ctx context.Context) (string, error) {
	if found, err := exec.LookPath("pg_ctl"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil && complete(filepath.Dir(found)) {
			return filepath.Dir(found), nil
		}
	}
	packaged, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(packaged)
	for _, dir := range slices.Backward(packaged) {
		if complete(dir) {
			return dir, nil
		}
	}
	return fetch(ctx)
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// fetch gets the programs from Maven Central, once for a user. The library has no call that only
// fetches: it starts a server as well, which fails for root when the programs are there.
func fetch(context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if os.Geteuid() == 0 { // nobody cannot read root's folder
		cache = "/var/cache"
	}
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "deployhooks", "postgres-"+string(embedded.V17))
	bin := filepath.Join(dir, "bin")
	if complete(bin) {
		return bin, nil
	}
	run, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(run)
	port, err := freePort()
	if err != nil {
		return "", err
	}
	server := embedded.NewDatabase(embedded.DefaultConfig().Version(embedded.V17).Port(uint32(port)).
		CachePath(filepath.Join(run, "cache")).RuntimePath(filepath.Join(run, "runtime")).BinariesPath(dir).Logger(io.Discard))
	err = server.Start()
	if err == nil {
		err = server.Stop()
	}
	if !complete(bin) {
		return "", fmt.Errorf("fetch PostgreSQL: %w: install it, or put the folder of pg_ctl on the PATH", err)
	}
	return bin, nil
}
