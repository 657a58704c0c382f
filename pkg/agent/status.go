package agent

import (
	"maps"
	"slices"
	"time"
)

// statusFormat names the JSON form of [Status].
const statusFormat = "plumb/agent/v1"

// Status is how everything is that an agent keeps.
type Status struct {
	Format     string           `json:"format"`
	Version    string           `json:"version"`
	Topologies []TopologyStatus `json:"topologies"`
	Sources    []SourceStatus   `json:"sources"`
}

// TopologyStatus is how a topology is.
type TopologyStatus struct {
	Topology string `json:"topology"`
	State    State  `json:"state"`
	// Reason is why it is not as the source says.
	Reason string `json:"reason,omitempty"`
	// From is the entry of the config, and Revision what the source offers.
	From     string `json:"from"`
	Revision string `json:"revision,omitempty"`
	// Good is the revision that the host matched last, and since when.
	Good      string     `json:"good,omitempty"`
	GoodSince *time.Time `json:"good_since,omitempty"`
	Objects   int        `json:"objects"`
	// Left names what differs and was not healed, Contested what somebody changes back again and again.
	Left      []string `json:"left,omitempty"`
	Contested []string `json:"contested,omitempty"`
	// Until is the end of a suspension, which has a reason of its own.
	Until     *time.Time `json:"suspended_until,omitempty"`
	Suspended string     `json:"suspended_reason,omitempty"`
	Last      *Passed    `json:"last,omitempty"`
}

// Passed is a pass in JSON.
type Passed struct {
	Trigger Trigger   `json:"trigger"`
	Begun   time.Time `json:"begun"`
	Millis  float64   `json:"milliseconds"`
	Error   string    `json:"error,omitempty"`
}

// SourceStatus is how a source is.
type SourceStatus struct {
	From     string     `json:"from"`
	Revision string     `json:"revision,omitempty"`
	Checked  *time.Time `json:"checked,omitempty"`
	// Error is why its newest revision can't be had, or be used.
	Error string `json:"error,omitempty"`
}

// Status tells how everything is.
func (a *Agent) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{Format: statusFormat, Version: a.Version, Topologies: []TopologyStatus{}, Sources: []SourceStatus{}}
	for _, name := range slices.Sorted(maps.Keys(a.units)) {
		s.Topologies = append(s.Topologies, a.statusOf(name, a.units[name]))
	}
	for _, e := range a.entries {
		of := SourceStatus{From: e.Name(), Revision: e.revision, Checked: known(e.checked)}
		if e.err != nil {
			of.Error = e.err.Error()
		}
		s.Sources = append(s.Sources, of)
	}
	return s
}

func (a *Agent) statusOf(name string, u *unit) TopologyStatus {
	s := TopologyStatus{
		Topology: name, State: u.last.State, Reason: u.reason, From: u.entry.Name(), Revision: u.revision,
		Objects: u.last.Objects,
	}
	if s.State == "" {
		s.State = Waiting
	}
	if u.good != nil {
		s.Good, s.GoodSince = u.goodFile.Revision, known(u.goodFile.When)
	}
	if u.offered != nil && a.isBad(u.offered) {
		s.State, s.Reason = Stalled, a.bad[a.store.digest(u.offered)].Reason
	}
	if a.suspended(name) {
		of := a.suspensions[name]
		s.State, s.Until, s.Suspended = Suspended, &of.Until, of.Reason
	}
	for _, step := range u.last.Left {
		s.Left = append(s.Left, step.Key().Label())
	}
	for _, key := range u.last.Contested {
		s.Contested = append(s.Contested, key.Label())
	}
	if p := u.last; !p.Begun.IsZero() {
		s.Last = &Passed{Trigger: p.Trigger, Begun: p.Begun, Millis: float64(p.Took.Microseconds()) / 1000}
		if p.Err != nil {
			s.Last.Error = p.Err.Error()
		}
	}
	return s
}

// known is a time, nothing for none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
