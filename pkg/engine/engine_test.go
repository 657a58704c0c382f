package engine_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/engine"
)

// serve answers as an engine does, and returns its socket.
func serve(t *testing.T, answers map[string]string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.EscapedPath()]
		switch {
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case text == "":
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write([]byte(text))
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return socket
}

func TestProcess(t *testing.T) {
	socket := serve(t, map[string]string{
		"/containers/web/json":        `{"Id": "0a1b", "State": {"Status": "running", "Pid": 4711}}`,
		"/containers/idle/json":       `{"State": {"Status": "exited", "Pid": 0}}`,
		"/containers/odd/json":        `<html>`,
		"/containers/ill/json":        "",
		"/containers/a%2F..%2Fb/json": `{"State": {"Pid": 42}}`,
	})
	for _, test := range []struct {
		name string
		pid  int
		err  string
	}{
		{"web", 4711, ""},
		{"a/../b", 42, ""},
		{"none", 0, "docker has no container none"},
		{"idle", 0, "container idle is not running: docker start idle"},
		{"odd", 0, "read its answer"},
		{"ill", 0, "it answers 500"},
	} {
		pid, err := engine.Docker("unix://"+socket).Process(t.Context(), test.name)
		if pid != test.pid || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: process %d, %v; want %d, %q", test.name, pid, err, test.pid, test.err)
		}
	}
}

// Where nobody answers, the message says how to change that.
func TestNobody(t *testing.T) {
	for _, e := range []engine.Engine{engine.Docker("tcp://192.0.2.1:2375"), engine.Podman()} {
		e.Socket = filepath.Join(t.TempDir(), filepath.Base(e.Socket))
		_, err := e.Process(t.Context(), "web")
		if err == nil || !strings.Contains(err.Error(), e.Start) || !strings.Contains(err.Error(), e.Socket) {
			t.Errorf("%s: %v, want the socket and how to start it", e.Name, err)
		}
	}
	if e := engine.Podman(); e.Start != "systemctl start podman.socket" {
		t.Errorf("podman is started by %s", e.Start)
	}
	if e := engine.Docker("tcp://192.0.2.1:2375"); e.Socket != "/var/run/docker.sock" {
		t.Errorf("docker is at %s", e.Socket)
	}
}
