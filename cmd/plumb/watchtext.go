package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// watchFormat names the form of an event in JSON.
const watchFormat = "plumb/event/v1"

// watchEvent is an event in JSON, one a line.
type watchEvent struct {
	Format   string                `json:"format"`
	Time     time.Time             `json:"time"`
	Event    agent.What            `json:"event"`
	Topology string                `json:"topology"`
	File     string                `json:"file"`
	Changes  []plan.DocumentChange `json:"changes"`
	By       []string              `json:"by,omitempty"`
	Millis   float64               `json:"milliseconds"`
	Advice   []string              `json:"advice,omitempty"`
	Error    string                `json:"error,omitempty"`
}

// watcher prints events.
type watcher struct {
	*env
	stop  context.CancelCauseFunc
	first map[string]bool // topologies of the first reading, until they are applied: one that can't be ends it
}

// tell prints an event. A first apply that fails ends the watch, and so does output that can't be written.
func (w *watcher) tell(e agent.Event) {
	var err error
	if w.json() {
		err = w.writeJSON(e)
	} else {
		err = w.writeText(e)
	}
	if err != nil {
		w.stop(&exitError{exitPartial, fmt.Errorf("print an event: %w", err)})
	}
	switch e.What {
	case agent.Applied, agent.Drifted, agent.InSync:
		delete(w.first, e.Topology.Name)
	case agent.Failed, agent.Refused:
		if w.first[e.Topology.Name] && e.Err != nil && !errors.Is(e.Err, reconcile.ErrAway) {
			w.stop(e.Err)
			return
		}
		if e.Err != nil {
			w.say("%v", e.Err)
		}
	}
}

func (w *watcher) writeJSON(e agent.Event) error {
	t := target{source: e.Topology.Source}
	doc := watchEvent{
		Format: watchFormat, Time: e.At, Event: e.What, Topology: e.Topology.Name, File: e.Topology.File,
		Changes: plan.NewDocument(e.Topology.Name, e.Outcomes, t.source).Changes, By: e.By,
		Millis: float64(e.Took.Microseconds()) / 1000, Advice: e.Advice(),
	}
	if e.Err != nil {
		doc.Error = e.Err.Error()
	}
	return json.NewEncoder(w.stdout).Encode(doc)
}

func (w *watcher) writeText(e agent.Event) error {
	if w.quiet {
		return nil
	}
	t := e.Topology
	text := w.text(target{name: t.Name, file: t.File, source: t.Source})
	head := e.At.Format(time.TimeOnly) + " " + plan.Printable(t.Name) + ": "
	var b strings.Builder
	if line := w.summary(e); line != "" {
		b.WriteString(head + line + "\n")
	}
	for _, o := range e.Outcomes {
		if e.What == agent.Failed && o.Result == plan.Skipped {
			continue
		}
		b.WriteString(head + text.Line(o) + tail(e, o) + "\n")
	}
	for _, line := range e.Advice() {
		b.WriteString(head + plan.Printable(line) + "\n")
	}
	return w.print(b.String())
}

// summary is the line of an event that has one beside those of its steps.
func (w *watcher) summary(e agent.Event) string {
	switch took := e.Took.Round(time.Millisecond); {
	case e.What == agent.Applied && len(e.Outcomes) == 0:
		return fmt.Sprintf("in sync (%s), watched from now on", plan.Count(len(e.Topology.Objects()), "object"))
	case e.What == agent.Applied:
		return fmt.Sprintf("applied in %v", took)
	case e.What == agent.InSync:
		return "in sync again"
	case e.What == agent.Left:
		return "in no file any longer: left as it is; 'plumb destroy " + plan.Printable(e.Topology.Name) + "' removes it"
	case e.What == agent.Failed && errors.Is(e.Err, reconcile.ErrRolledBack):
		return "rolled back: what was there before is kept"
	case e.What == agent.Failed:
		return "failed, and is tried again"
	}
	return ""
}

// tail says after a step who made it necessary, and what came of it.
func tail(e agent.Event, o plan.Outcome) string {
	var words []string
	if len(e.By) > 0 && e.What != agent.Applied {
		words = append(words, "changed by "+plan.Printable(strings.Join(e.By, ", ")))
	}
	switch e.What {
	case agent.Healed:
		words = append(words, fmt.Sprintf("healed in %d ms", e.Took.Milliseconds()))
	case agent.Contested:
		words = append(words, "is changed back again and again: it is healed less often from now on")
	case agent.Drifted:
		words = append(words, "drifted")
	}
	if o.Err != nil {
		words = append(words, "failed: "+plan.Printable(o.Err.Error()))
	}
	if len(words) == 0 {
		return ""
	}
	return "; " + strings.Join(words, ", ")
}
