// Package engine asks container engines which process is a container's first one. Docker and Podman answer the same
// question on a socket of their own: GET /containers/NAME/json.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Engine is a container engine.
type Engine struct {
	// Name is how it is called in messages.
	Name string
	// Socket is where it answers.
	Socket string
	// Start is how people start what answers there.
	Start string
}

// Docker is at the socket that DOCKER_HOST names, if that is one, as the client has it; else where Debian has it.
func Docker(dockerHost string) Engine {
	e := Engine{"docker", "/var/run/docker.sock", "systemctl start docker"}
	if path, ok := strings.CutPrefix(dockerHost, "unix://"); ok && path != "" {
		e.Socket = path
	}
	return e
}

// Podman has a socket only where somebody has asked systemd for one.
func Podman() Engine {
	return Engine{"podman", "/run/podman/podman.sock", "systemctl start podman.socket"}
}

// patience bounds one question, and most its answer.
const (
	patience = 10 * time.Second
	most     = 16 << 20
)

// Process is the number of a container's first process. A container that is not there, or does not run, is an error.
func (e Engine) Process(ctx context.Context, container string) (pid int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := e.get(ctx, "/containers/"+url.PathEscape(container)+"/json")
	if err != nil {
		return 0, fmt.Errorf("ask %s for container %s: %w", e.Name, container, err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return 0, fmt.Errorf("ask %s for container %s: %w", e.Name, container, err)
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return 0, fmt.Errorf("%s has no container %s", e.Name, container)
	default:
		return 0, fmt.Errorf("ask %s for container %s: it answers %s: %.200q", e.Name, container, answer.Status, body)
	}
	var found struct{ State struct{ Pid int } }
	if err := json.Unmarshal(body, &found); err != nil {
		return 0, fmt.Errorf("ask %s for container %s: read its answer: %w", e.Name, container, err)
	}
	if found.State.Pid <= 0 {
		return 0, fmt.Errorf("container %s is not running: %s start %s", container, e.Name, container)
	}
	return found.State.Pid, nil
}

// get asks one question. The host in its address is one that any engine takes for its own.
func (e Engine) get(ctx context.Context, path string) (*http.Response, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.Socket)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(req)
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // which need not name the address
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		err = fmt.Errorf("%w; nobody answers there: %s", err, e.Start)
	}
	return answer, err
}
