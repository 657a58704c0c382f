package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// SocketName is the name of the agent's socket, in the directory of the host.
const SocketName = "agent.sock"

// request is what a client asks for.
type request struct {
	Topology string        `json:"topology,omitempty"`
	Force    bool          `json:"force,omitempty"`
	For      time.Duration `json:"for,omitempty"`
	Reason   string        `json:"reason,omitempty"`
}

// Handler answers on the socket: /v1/status, /v1/reconcile, /v1/suspend, /v1/resume and /healthz; and /metrics by another
// handler.
func (a *Agent) Handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { reply(w, a.Status(), nil) })
	mux.HandleFunc("POST /v1/reconcile", a.answer(func(ctx context.Context, r request) error {
		return a.Reconcile(ctx, r.Topology, r.Force)
	}))
	mux.HandleFunc("POST /v1/suspend", a.answer(func(_ context.Context, r request) error {
		return a.Suspend(r.Topology, time.Now().Add(r.For), r.Reason)
	}))
	mux.HandleFunc("POST /v1/resume", a.answer(func(ctx context.Context, r request) error { return a.Resume(ctx, r.Topology) }))
	return mux
}

// Public answers what anybody may ask who finds the address: /metrics and /healthz.
func (a *Agent) Public(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", a.health)
	return mux
}

// answer answers a request with the status after it.
func (a *Agent) answer(f func(context.Context, request) error) http.HandlerFunc {
	const most = 64 << 10
	return func(w http.ResponseWriter, r *http.Request) {
		var asked request
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&asked)
		if err == nil {
			err = f(r.Context(), asked)
		}
		reply(w, a.Status(), err)
	}
}

// health is 200 unless something is stalled.
func (a *Agent) health(w http.ResponseWriter, _ *http.Request) {
	for _, t := range a.Status().Topologies {
		if t.State == Stalled {
			http.Error(w, fmt.Sprintf("%s is stalled: %s", t.Topology, t.Reason), http.StatusServiceUnavailable)
			return
		}
	}
	_, _ = fmt.Fprintln(w, "ok") // a client that has gone
}

// problem is why a request was not met.
type problem struct {
	Error string `json:"error"`
}

func reply(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		answer = problem{err.Error()}
		code := http.StatusConflict
		if _, unknown := errors.AsType[unknownError](err); unknown {
			code = http.StatusNotFound
		}
		w.WriteHeader(code)
	}
	_ = json.NewEncoder(w).Encode(answer) // a client that has gone
}

// Listen listens on a socket for this user alone.
func Listen(path string) (net.Listener, error) {
	l, err := listen(path)
	if err != nil {
		return nil, err
	}
	return peers{l}, nil
}

// ListenForGroup listens on a socket for the users of a group, one connection at a time: they can't take what the agent
// needs for its work.
func ListenForGroup(path string, gid int) (net.Listener, error) {
	l, err := listen(path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(path, -1, gid), os.Chmod(path, 0o660)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return netutil.LimitListener(l, 1), nil
}

func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove what an agent has left: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// The mode is that of the file from its beginning: it is nobody else's for a moment either.
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	return private.Listen(context.Background(), "unix", path)
}

// peers takes connections of this user alone, whoever else has come by the socket.
type peers struct{ net.Listener }

func (p peers) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil || ours(c) {
			return c, err
		}
		_ = c.Close() // it is told nothing
	}
}

// ours says whether this user's process is at the other end.
func ours(c net.Conn) bool {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return err == nil && failed == nil && int(peer.Uid) == os.Geteuid()
}
