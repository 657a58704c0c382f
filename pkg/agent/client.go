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

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Client asks a running agent.
type Client struct {
	// Socket is the path of its socket.
	Socket string
}

// Status asks how everything is.
func (c Client) Status(ctx context.Context) (Status, error) {
	return c.status(ctx, http.MethodGet, "status", request{})
}

// Reconcile is [Agent.Reconcile].
func (c Client) Reconcile(ctx context.Context, name string, forced bool) (Status, error) {
	return c.status(ctx, http.MethodPost, "reconcile", request{Topology: name, Force: forced})
}

// Suspend is [Agent.Suspend], for a time from now on.
func (c Client) Suspend(ctx context.Context, name string, length time.Duration, reason string) (Status, error) {
	return c.status(ctx, http.MethodPost, "suspend", request{Topology: name, For: length, Reason: reason})
}

// Resume is [Agent.Resume].
func (c Client) Resume(ctx context.Context, name string) (Status, error) {
	return c.status(ctx, http.MethodPost, "resume", request{Topology: name})
}

// Diff asks what files would change, on the socket for questions: in the network namespace that this process is in.
// Errors of [os] and [syscall] say that nobody is there who answers.
func (c Client) Diff(ctx context.Context, q Question) (answer Answer, err error) {
	here, err := kernel.Current(nil)
	if err != nil {
		return answer, err
	}
	defer here.Close()
	q.Cookie = here.Cookie()
	err = c.do(ctx, http.MethodPost, "diff", q, &answer)
	return answer, err
}

func (c Client) status(ctx context.Context, method, what string, r request) (s Status, err error) {
	err = c.do(ctx, method, what, r, &s)
	return s, err
}

// do asks, and reads what is answered.
func (c Client) do(ctx context.Context, method, what string, asked, answered any) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent/v1/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.Socket)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	if answer.StatusCode != http.StatusOK {
		var p problem
		if err := json.NewDecoder(answer.Body).Decode(&p); err != nil {
			return fmt.Errorf("the agent answers %s: %w", answer.Status, err)
		}
		return errors.New(p.Error)
	}
	if err := json.NewDecoder(answer.Body).Decode(answered); err != nil {
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	return nil
}
