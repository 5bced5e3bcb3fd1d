// Package postgres runs a real PostgreSQL server for tests, the demo and the benchmarks: with the
// programs of this machine, or with those that it fetches. It works for every user: PostgreSQL
// refuses to run as root, so that root's server runs as nobody.
package postgres

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Server is a running server. It ends with the process that started it, however that ends.
type Server struct {
	Dir            string // with the server's data, and its log in the file log
	Host           string
	Port           int
	User, Password string // of the superuser
	cmd            *exec.Cmd
	stdin          io.Closer
	ended          chan error
}

// nobody is the user and group that own nothing (Linux Standard Base).
const nobody = 65534

// Start starts a server with new data in an existing folder, which root's server must be able to
// reach, as it can a temporary one, and returns when it takes connections. The first
// start on a machine without PostgreSQL fetches it, 10 MB, once.
func Start(ctx context.Context, dir string) (*Server, error) {
	bin, err := programs(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, Host: "127.0.0.1", User: "postgres", Password: rand.Text(), ended: make(chan error, 1)}
	data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(secret, []byte(s.Password), 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(secret)
	if err := errors.Join(reach(dir), own(dir, data, secret)); err != nil {
		return nil, err
	}
	initdb := command(ctx, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", s.User, "--pwfile="+secret, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")
	if said, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, said)
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.run(ctx, bin, dir, data)
}

// run starts the server under a shell that stops it when its standard input ends, which it does
// with this process too.
func (s *Server) run(ctx context.Context, bin, dir, data string) error {
	s.cmd = command(context.WithoutCancel(ctx), dir, "/bin/sh", "-c", `"$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server`, "sh",
		filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses="+s.Host, "-c", "unix_socket_directories=",
		"-c", "max_connections=500", "-c", "shared_buffers=32MB", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "log_statement=all")
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	log, write := io.Pipe()
	s.stdin, s.cmd.Stderr, s.cmd.Stdout = stdin, write, write
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	go func() {
		err := s.cmd.Wait()
		write.Close()
		s.ended <- err
	}()
	ready := make(chan bool, 1)
	go follow(log, logFile, ready)
	select {
	case ok := <-ready:
		if ok {
			return nil
		}
		said, _ := os.ReadFile(logFile.Name())
		return fmt.Errorf("postgres ended at once:\n%s", said)
	case <-ctx.Done():
		return errors.Join(ctx.Err(), s.Stop())
	}
}

// follow copies the server's log to a file, and reports when the server is ready, or that it never will be.
func follow(log io.Reader, file *os.File, ready chan<- bool) {
	defer file.Close()
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		_, _ = file.WriteString(line)
		if strings.Contains(line, "database system is ready to accept connections") {
			ready <- true
			break
		}
		if err != nil {
			ready <- false
			return
		}
	}
	_, _ = io.Copy(file, lines)
}

// Stop stops the server and ends its connections.
func (s *Server) Stop() error {
	err := s.stdin.Close()
	<-s.ended // the shell's status is that of a process that was told to end
	return err
}

// command is a command as a user that PostgreSQL accepts.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir, "TZ=UTC")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// reach lets root's server into a temporary folder, which is root's alone at first.
func reach(dir string) error {
	temp := filepath.Clean(os.TempDir()) + string(filepath.Separator)
	for ; os.Geteuid() == 0 && strings.HasPrefix(dir, temp); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	return nil
}

// own gives what the server works with to the user that it runs as.
func own(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, nobody, nobody); err != nil {
			return err
		}
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
