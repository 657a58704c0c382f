package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// questions is the path of the socket on which a running agent takes questions, if it does.
func questions() string { return filepath.Join(reconcile.RunDir, agent.QuestionSocketName) }

// askDiff has the agent answer what files would change. Where it doesn't, the error is why the host can't be looked at
// from here, with the way out.
func (e *env) askDiff(
	ctx context.Context, inputs []topology.Input, adopt bool, shut error,
) (answered bool, _ error) {
	answer, err := agent.Client{Socket: questions()}.Diff(ctx, agent.Question{
		Files: inputs, Adopt: adopt, AllowDisconnect: e.allowDisconnect, JSON: e.json(),
		Color: e.colored(e.stdout) && e.colored(e.stderr), Quiet: e.quiet, Verbose: e.verbose,
	})
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return false, fmt.Errorf("%w; %s", shut, whoMayAsk(err))
	case err != nil:
		return true, &exitError{exitNotRun, err}
	}
	_, _ = e.stderr.Write(answer.Stderr) // nowhere else to say it
	if err := e.print(string(answer.Stdout)); err != nil {
		return true, err
	}
	if answer.Exit != exitOK {
		return true, &exitError{code: answer.Exit}
	}
	return true, nil
}

// whoMayAsk says, where no agent answers, whom one would answer: the group that its socket belongs to. In a directory
// that is closed nobody sees a socket.
func whoMayAsk(refused error) string {
	info, err := os.Stat(questions())
	if err != nil || !errors.Is(refused, fs.ErrPermission) {
		return "diff-group in an agent's config names who may ask that instead"
	}
	group := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		group = plan.Printable(g.Name)
	}
	return "the agent answers who is in the group " + group
}

// serveQuestions answers the group that the config names. Without one nobody may ask; and a group that can't be found
// is no reason not to keep the host.
func (s *service) serveQuestions(a *agent.Agent) (end func()) {
	end = func() {}
	if s.config.DiffGroup == "" {
		return end
	}
	g, err := user.LookupGroup(s.config.DiffGroup)
	if err != nil {
		s.warn(fmt.Sprintf("diff-group: nobody is answered: %v", err))
		return end
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return end // it is a number where there are users
	}
	l, err := agent.ListenForGroup(questions(), id)
	if err != nil {
		s.warn(fmt.Sprintf("diff-group: nobody is answered: %v", err))
		return end
	}
	const patience, limit = 10 * time.Second, time.Minute
	server := &http.Server{
		Handler: agent.Questions(func(ctx context.Context, q agent.Question) (agent.Answer, error) {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return s.answer(ctx, a, q)
		}),
		ReadTimeout: patience, WriteTimeout: limit + 2*patience,
	}
	server.SetKeepAlivesEnabled(false) // the next one waits
	go server.Serve(l)                 //nolint:errcheck // ends with Close
	return func() { _ = server.Close() }
}

// answer is plumb diff of the files of somebody who may not look at the kernel himself.
func (s *service) answer(ctx context.Context, a *agent.Agent, q agent.Question) (agent.Answer, error) {
	if q.Cookie != s.hosts[0].Cookie() {
		return agent.Answer{}, errors.New("the agent keeps another network namespace than this one: run as root")
	}
	inputs, err := a.Judge(q.Files)
	if err != nil {
		return agent.Answer{}, err
	}
	var out, said bytes.Buffer
	e := &env{
		stdout: &out, stderr: &said, workers: s.workers, output: choice{value: "text"}, color: choice{value: "never"},
		quiet: q.Quiet, verbose: q.Verbose, allowDisconnect: q.AllowDisconnect,
	}
	if q.JSON {
		e.output.value = "json"
	}
	if q.Color {
		e.color.value = "always"
	}
	o := e.diffOptions(q.Adopt)
	o.Lifelines = s.config.Lifelines
	h, err := s.env.open(o)
	if err != nil {
		return agent.Answer{}, err
	}
	defer s.closeHost(h)
	topologies, err := e.check(inputs, nil, false)
	if err == nil {
		err = e.showDiff(ctx, h, targets(topologies))
	}
	code := e.report(nil, err)
	return agent.Answer{Stdout: out.Bytes(), Stderr: said.Bytes(), Exit: code}, nil
}
