package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/source"
	"github.com/plumbnet/plumb/pkg/topology"
	"github.com/plumbnet/plumb/pkg/watch"
)

func (e *env) watchFiles() *cobra.Command {
	var (
		files  *[]string
		dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "watch -f FILE",
		Short: "Keep the host as a topology file says, until it is interrupted",
		Long: `watch applies the file, and goes on: what somebody changes is healed, and an edit of the file
is applied. An edit that can't be applied is rolled back, and the host is kept as it was. When
watch ends, at Ctrl-C, the host stays as it is.

It prints a line for each event: what changed, who did it where the kernel tells, and in how
many milliseconds it was healed. What is changed back again and again is healed less and less
often, up to every five minutes. SIGHUP has it look at all now; by itself it does so every five
minutes.

A first apply that fails ends it, with the exit code of apply.`,
		Example: `  plumb watch -f topology.yaml
  plumb watch -f topology.yaml --dry-run
  plumb watch -f topologies/ -o json | jq .event`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if slices.Contains(*files, "-") {
				return usage(cmd, errors.New("stdin cannot be followed: name a file"))
			}
			return e.keep(cmd, *files, dryRun)
		},
	}
	files = fileFlag(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only report what has drifted, and change nothing")
	return cmd
}

// keep keeps the host as files say.
func (e *env) keep(cmd *cobra.Command, files []string, dryRun bool) error {
	signal.Ignore(syscall.SIGPIPE) // a reader of the output that goes away must not leave a host half changed
	defer e.unhurried()()
	inputs, err := e.inputs(cmd, files)
	if err != nil {
		return err
	}
	topologies, err := e.check(inputs, files, false)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(cmd.Context())
	defer stop(nil)
	hangup, stopped, end := e.hearWatchSignals(stop)
	defer end()

	heard, err := watch.Start(watch.Options{})
	if err != nil {
		return hostError(fmt.Errorf("hear of changes: %w", err))
	}
	defer heard.Close()
	h, err := e.open(e.keepOptions(stopped, heard))
	if err != nil {
		return hostError(err)
	}
	defer e.closeHost(h)
	if err := e.free(ctx, h, targets(topologies), false); err != nil && !dryRun {
		return err
	}
	followed, err := source.Follow(files)
	if err != nil {
		return hostError(err)
	}
	defer followed.Close() //nolint:errcheck // only read

	news := make(chan []agent.Input)
	go e.readAgain(ctx, files, inputs, topologies, followed.Changed(), func(list []*topology.Topology) {
		select {
		case news <- toKeep(list, dryRun):
		case <-ctx.Done():
		}
	})
	w := &watcher{env: e, stop: stop, first: make(map[string]bool)}
	for _, t := range topologies {
		w.first[t.Name] = true
	}
	loop := &agent.Loop{
		Begin:  func(bool) agent.Session { return h.Begin() },
		Follow: heard.Follow,
		Heard:  heard.Events(), Inputs: news, Now: hangup, Tell: w.tell,
	}
	loop.Run(ctx)
	if err := context.Cause(ctx); !errors.Is(err, errAsked) {
		return runError(err)
	}
	return nil
}

// keepOptions are those of a host that is kept, and heard of.
func (e *env) keepOptions(stopped <-chan struct{}, heard *watch.Watcher) reconcile.Options {
	o := reconcile.Options{
		LockTimeout: e.lockTimeout, AllowDisconnect: e.allowDisconnect, Warn: e.warn, Workers: e.workers, Stop: stopped,
		Attached: agent.Attach(heard, func(err error) { e.warn(err.Error()) }),
	}
	if e.verbose {
		o.Trace = e.trace
	}
	return o
}

// errAsked is why a watch ends that a signal has told to.
var errAsked = errors.New("asked to end")

// hearWatchSignals has the first Ctrl-C or SIGTERM end the watch, and a second Ctrl-C stop what it is doing at once. A
// SIGHUP asks for a look.
func (e *env) hearWatchSignals(stop context.CancelCauseFunc) (hangup, stopped chan struct{}, end func()) {
	signals, ended := make(chan os.Signal, 8), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	hangup, stopped = make(chan struct{}, 1), make(chan struct{})
	go func() {
		asked := false
		for {
			select {
			case <-ended:
				return
			case s := <-signals:
				switch {
				case s == syscall.SIGHUP:
					select {
					case hangup <- struct{}{}:
					default:
					}
				case asked && s == os.Interrupt:
					e.say("stopping at once")
					close(stopped)
					return
				default:
					asked = true
					stop(errAsked)
				}
			}
		}
	}()
	return hangup, stopped, func() { signal.Stop(signals); close(ended) }
}

// toKeep has topologies kept, or only looked at.
func toKeep(list []*topology.Topology, reportOnly bool) (all []agent.Input) {
	for _, t := range list {
		all = append(all, agent.Input{Topology: t, ReportOnly: reportOnly})
	}
	return all
}

// readAgain gives what the files say at first, and whenever that is something else. Files with errors change nothing.
func (e *env) readAgain(
	ctx context.Context, files []string, last []topology.Input, topologies []*topology.Topology, changed <-chan struct{},
	give func([]*topology.Topology),
) {
	for ctx.Err() == nil {
		give(topologies)
		for topologies = nil; topologies == nil; {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			inputs, err := source.Read(files, e.stdin)
			if err != nil {
				e.say("%v: what was there before is kept", err)
				continue
			}
			if slices.EqualFunc(inputs, last, sameInput) {
				continue
			}
			last = inputs
			if topologies, err = e.check(inputs, files, false); err != nil {
				e.say("%s: what was there before is kept", plan.Listing(files))
				topologies = nil
			}
		}
	}
}

func sameInput(a, b topology.Input) bool { return a.Name == b.Name && bytes.Equal(a.Data, b.Data) }
