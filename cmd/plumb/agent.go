package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mdlayher/sdnotify"
	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/source"
	"github.com/plumbnet/plumb/pkg/watch"
)

// stateDir is where an agent keeps what it must know after a boot.
const stateDir = "/var/lib/plumb"

func (e *env) agent() *cobra.Command {
	var config, state string
	cmd := &cobra.Command{
		Use:   "agent --config FILE",
		Short: "Keep the host as files or a git repository say, as a service",
		Long: `agent applies the topologies that its config names, and keeps them, as watch does. What a
source says newly goes through a gate: nothing that would delete most of what is there, and after
the change every probe that worked before must work. A document that fails is taken back, and not
tried again for an hour: the host stays with the last good one, and so it does after a reboot, for
which it needs no network.

With the agent running, 'plumb status' says what it keeps and why, 'plumb reconcile' has it look
now, and 'plumb suspend' and 'plumb resume' have it leave a topology alone for a time. It tells
systemd when it is ready. SIGHUP has it read its config again.`,
		Example: `  plumb agent --config /etc/plumb/agent.yaml
  plumb agent --config agent.yaml -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runAgent(cmd, config, state) },
	}
	cmd.Flags().StringVar(&config, "config", "/etc/plumb/agent.yaml", "`file` that says what to keep")
	cmd.Flags().StringVar(&state, "state-dir", stateDir, "`directory` for what it must know after a boot")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag exists
	return cmd
}

// service is an agent as a service.
type service struct {
	*env
	stopped <-chan struct{}
	hold    *agent.Hold
	hosts   [2]host // the second may cut itself off
	metrics *agent.Metrics
	systemd *systemd
	config  agent.Config
	events  *watcher
	state   string
}

// runAgent runs agents, one after the other, each with the config as it is then.
func (e *env) runAgent(cmd *cobra.Command, file, state string) error {
	signal.Ignore(syscall.SIGPIPE) // a reader of the output that goes away must not leave a host half changed
	defer e.unhurried()()
	config, data, err := e.loadConfig(file)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(cmd.Context())
	defer stop(nil)
	hangup, stopped, end := e.hearWatchSignals(stop)
	defer end()
	s := &service{env: e, state: state, stopped: stopped, metrics: agent.NewMetrics(version())}
	defer s.close()
	if err := s.open(); err != nil {
		return hostError(err)
	}
	for ctx.Err() == nil {
		again, done := context.WithCancel(ctx)
		news := make(chan agent.Config, 1)
		go func() {
			defer done()
			e.awaitConfig(again, file, &data, hangup, news)
		}()
		err := s.run(again, config)
		done()
		if err != nil {
			return hostError(err)
		}
		select {
		case config = <-news:
		default:
		}
	}
	if err := context.Cause(ctx); !errors.Is(err, errAsked) {
		return runError(err)
	}
	return nil
}

// loadConfig reads a config, and prints what is wrong with it.
func (e *env) loadConfig(file string) (c agent.Config, data []byte, err error) {
	file, err = filepath.Abs(file)
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return c, nil, &exitError{exitUsage, err}
	}
	c, problems := agent.LoadConfig(file, data)
	return c, data, e.tell(problems, false)
}

// awaitConfig waits for a config that is another one, and can be used.
func (e *env) awaitConfig(
	ctx context.Context, file string, data *[]byte, hangup <-chan struct{}, news chan<- agent.Config,
) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		c, now, err := e.loadConfig(file)
		switch {
		case err != nil:
			e.say("%s: %v: the config that there was is kept", file, err)
		case !bytes.Equal(now, *data):
			*data = now
			e.say("%s has changed, and is used from now on", file)
			news <- c
			return
		default:
			// All is looked at, as plumb reconcile has it.
			_, err := agent.Client{Socket: socket()}.Reconcile(ctx, "", false)
			if err != nil && ctx.Err() == nil {
				e.say("look at all: %v", err)
			}
		}
	}
}

// socket is the path of the agent's socket.
func socket() string { return filepath.Join(reconcile.RunDir, agent.SocketName) }

// open takes what all agents of the process use.
func (s *service) open() error {
	h, err := s.env.open(reconcile.Options{})
	if err != nil {
		return err
	}
	defer s.closeHost(h)
	// Whoever fetches passes through it to a directory of its own: what else is there is root's alone by itself.
	if err := os.MkdirAll(reconcile.RunDir, 0o711); err != nil {
		return err
	}
	if err := os.Chmod(reconcile.RunDir, 0o711); err != nil {
		return err
	}
	if s.hold, err = agent.TakeHold(reconcile.RunDir, h.Cookie()); err != nil {
		return err
	}
	s.systemd, err = newSystemd(s.warn)
	return err
}

func (s *service) close() {
	if s.hold != nil {
		_ = s.hold.Close() // the lock ends with the process too
	}
}

// openHosts opens the host as the config says.
func (s *service) openHosts(config agent.Config, heard *watch.Watcher) (end func(), err error) {
	for i := range s.hosts {
		o := s.keepOptions(s.stopped, heard)
		o.AllowDisconnect, o.Lifelines = o.AllowDisconnect || i > 0, config.Lifelines
		if s.hosts[i], err = s.env.open(o); err != nil {
			return nil, err
		}
	}
	return func() {
		for _, h := range s.hosts {
			s.closeHost(h)
		}
	}, nil
}

// run runs an agent until ctx is done.
func (s *service) run(ctx context.Context, config agent.Config) error {
	heard, err := watch.Start(watch.Options{Overrun: s.metrics.Overrun})
	if err != nil {
		return fmt.Errorf("hear of changes: %w", err)
	}
	defer heard.Close()
	end, err := s.openHosts(config, heard)
	if err != nil {
		return err
	}
	defer end()
	alive := make(chan struct{})
	s.config = config
	s.events = &watcher{env: s.env, stop: func(error) {}}
	a := &agent.Agent{
		Config: config, StateDir: s.state, Version: version(), Host: s.hosts[0], Open: s.openSource, Probe: agent.Try,
		Audience: s,
	}
	a.Loop = agent.Loop{
		Begin:  func(disrupt bool) agent.Session { return s.host(disrupt).Begin() },
		Follow: heard.Follow,
		Heard:  heard.Events(), Alive: alive,
	}
	if err := a.Begin(); err != nil {
		return err
	}
	endServing, err := s.serve(a)
	if err != nil {
		return err
	}
	defer endServing()
	defer s.serveQuestions(a)()
	go s.systemd.watchdog(ctx, alive)
	a.Run(ctx)
	return nil
}

// serve answers on the socket, and tells metrics where the config says.
func (s *service) serve(a *agent.Agent) (end func(), err error) {
	listener, err := agent.Listen(socket())
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	const patience = 10 * time.Second
	servers := []*http.Server{{Handler: a.Handler(s.metrics.Handler()), ReadHeaderTimeout: patience}}
	listeners := []net.Listener{listener}
	if at := s.config.Metrics.Listen; at != "" {
		l, err := net.Listen("tcp", at)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tell metrics: %w", err), listener.Close())
		}
		servers = append(servers, &http.Server{Handler: a.Public(s.metrics.Handler()), ReadHeaderTimeout: patience})
		listeners = append(listeners, l)
	}
	for i, server := range servers {
		go server.Serve(listeners[i]) //nolint:errcheck // ends with Close
	}
	return func() {
		for _, server := range servers {
			_ = server.Close() // whoever still asks gets no answer
		}
	}, nil
}

// host is one that may cut itself off, or one that may not.
func (s *service) host(disrupt bool) host {
	if disrupt {
		return s.hosts[1]
	}
	return s.hosts[0]
}

// openSource opens the source of an entry.
func (s *service) openSource(entry *agent.Entry, newest source.Highwater) (agent.Source, error) {
	of := entry.Git
	if of.URL == "" {
		return source.Follow([]string{entry.Name()})
	}
	if of.AllowedSigners == "" {
		s.warn(fmt.Sprintf("%s: whoever can push there changes this host: allowed-signers lets only commits in that they sign",
			entry.Name()))
	}
	g := &source.Git{
		URL: of.URL, Ref: of.Ref, Path: of.Path, KnownHosts: of.KnownHosts, KeyFile: of.KeyFile, TokenFile: of.TokenFile,
		AllowedSigners: of.AllowedSigners, StateDir: s.state, RunDir: reconcile.RunDir, Highwater: newest,
		Program: []string{"/proc/self/exe", fetchCommand},
	}
	return g, g.Check()
}

// Told implements [agent.Audience].
func (s *service) Told(e agent.Event) {
	s.metrics.Told(e)
	s.events.tell(e)
}

// Passed implements [agent.Audience].
func (s *service) Passed(p agent.Pass) { s.metrics.Passed(p) }

// Fetched implements [agent.Audience].
func (s *service) Fetched(from string, err error) { s.metrics.Fetched(from, err) }

// Suspended implements [agent.Audience].
func (s *service) Suspended(topology string, until time.Time) { s.metrics.Suspended(topology, until) }

// Kept implements [agent.Audience]: other runs of plumb and systemd are told.
func (s *service) Kept(names []string) {
	if err := s.hold.Tell(names); err != nil {
		s.warn(fmt.Sprintf("tell other runs what is kept: %v", err))
	}
	s.systemd.tell(sdnotify.Statusf("keeps %s", plan.Listing(names)))
}

// Ready implements [agent.Audience].
func (s *service) Ready() { s.systemd.tell(sdnotify.Ready) }

// Stalled implements [agent.Audience]: the command for that is run.
func (s *service) Stalled(name, why string) { go s.runOnStalled(s.config.OnStalled, name, why) }

// Say implements [agent.Audience].
func (s *service) Say(text string) { s.say("%s", text) }

// runOnStalled runs a command, if there is one.
func (s *service) runOnStalled(command []string, name, why string) {
	if len(command) == 0 {
		return
	}
	const limit = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := append(slices.Clone(command[1:]), name, why)
	if out, err := exec.CommandContext(ctx, command[0], args...).CombinedOutput(); err != nil {
		s.warn(fmt.Sprintf("on-stalled: %s: %v: %s", command[0], err, strings.TrimSpace(string(out))))
	}
}
