package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Client asks a running agent.
type Client struct {
	// Socket is the path of its socket.
	Socket string
}

// Status asks how everything is.
func (c Client) Status(ctx context.Context) (Status, error) {
	return c.do(ctx, http.MethodGet, "status", request{})
}

// Reconcile is [Agent.Reconcile].
func (c Client) Reconcile(ctx context.Context, name string, forced bool) (Status, error) {
	return c.do(ctx, http.MethodPost, "reconcile", request{Topology: name, Force: forced})
}

// Suspend is [Agent.Suspend], for a time from now on.
func (c Client) Suspend(ctx context.Context, name string, length time.Duration, reason string) (Status, error) {
	return c.do(ctx, http.MethodPost, "suspend", request{Topology: name, For: length, Reason: reason})
}

// Resume is [Agent.Resume].
func (c Client) Resume(ctx context.Context, name string) (Status, error) {
	return c.do(ctx, http.MethodPost, "resume", request{Topology: name})
}

func (c Client) do(ctx context.Context, method, what string, r request) (s Status, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return s, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent/v1/"+what, bytes.NewReader(body))
	if err != nil {
		return s, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.Socket)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return s, fmt.Errorf("ask the agent: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	if answer.StatusCode != http.StatusOK {
		var p problem
		if err := json.NewDecoder(answer.Body).Decode(&p); err != nil {
			return s, fmt.Errorf("the agent answers %s: %w", answer.Status, err)
		}
		return s, errors.New(p.Error)
	}
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("read the agent's answer: %w", err)
	}
	return s, nil
}
