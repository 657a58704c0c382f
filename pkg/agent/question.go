package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/topology"
)

// QuestionSocketName is the name of the socket on which the group that the config names asks questions, in the
// directory of the host.
const QuestionSocketName = "diff.sock"

// Question is what somebody asks who may not look at the kernel: what files would change. The rest says how the answer
// is to look.
type Question struct {
	// Cookie is that of the network namespace that it is asked from.
	Cookie uint64
	Files  []topology.Input

	Adopt, AllowDisconnect      bool
	JSON, Color, Quiet, Verbose bool
}

// Answer is all that plumb diff prints, and its exit code.
type Answer struct {
	Stdout, Stderr []byte
	Exit           int
}

// maxQuestion bounds a question, in bytes: four MiB of files, as JSON writes them.
const maxQuestion = 6 << 20

// Questions answers on the socket for questions: /v1/diff.
func Questions(diff func(context.Context, Question) (Answer, error)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/diff", func(w http.ResponseWriter, r *http.Request) {
		var q Question
		var answer Answer
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion)).Decode(&q)
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			err = errors.New("the agent looks at no more than 4 MiB of files at once: ask as root")
		}
		if err == nil {
			answer, err = diff(r.Context(), q)
		}
		reply(w, answer, err)
	})
	return mux
}

// Judge says whether files of somebody who may only ask stay within what the config names for their topologies. What it
// returns has its keys where the config says.
func (a *Agent) Judge(files []topology.Input) ([]topology.Input, error) {
	files = slices.Clone(files)
	var beyond []string
	for i := range files {
		files[i].Keys = a.keysOf(files[i])
		list, _ := topology.Load(files[i]) // of one with errors there is no diff
		for _, t := range list {
			for _, r := range t.Reaches() {
				if err := a.mayReach(t.Name, r, files[i].Keys != ""); err != nil {
					beyond = append(beyond, err.Error())
				}
			}
		}
	}
	if len(beyond) > 0 {
		return nil, errors.New(strings.Join(beyond, "; "))
	}
	return files, nil
}

// keysOf is the directory for keys of all topologies in a file; empty where they have none, or several.
func (a *Agent) keysOf(in topology.Input) (dir string) {
	in.Keys = ""
	names, _ := topology.Names(in)
	for i, t := range names {
		e := a.entryOf(t.Name)
		if e == nil || i > 0 && e.Keys != dir {
			return ""
		}
		dir = e.Keys
	}
	return dir
}

// entryOf is the entry that a topology comes from; nil for one that is not kept.
func (a *Agent) entryOf(name string) *entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.units[name]; u != nil {
		return u.entry
	}
	return nil
}

// mayReach says why a file of somebody who may only ask must not reach so far. Keys says that those of the file are
// bounded.
func (a *Agent) mayReach(name string, r topology.Reach, keys bool) error {
	e := a.entryOf(name)
	at := fmt.Sprintf("%s:%d:%d", r.File, r.Line, r.Column)
	switch {
	case e == nil:
		return fmt.Errorf("%s: the agent does not keep %s, and lets nobody else reach this (%s): run as root",
			at, name, r.Beyond)
	case r.Beyond == object.BeyondKeys && !keys, !e.names(r.Beyond):
		return fmt.Errorf("%s: the agent's config does not name this (%s) for %s: %s",
			at, r.Beyond, e.Name(), way(r.Beyond))
	}
	return nil
}
