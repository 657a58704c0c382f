package agent

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// Metrics are what Prometheus is told: names and units are by its conventions.
type Metrics struct {
	registry   *prometheus.Registry
	reconciles *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	objects    *prometheus.GaugeVec
	healed     *prometheus.CounterVec
	rollbacks  *prometheus.CounterVec
	contested  *prometheus.GaugeVec
	overruns   prometheus.Counter
	fetches    *prometheus.CounterVec
	success    *prometheus.GaugeVec
	suspended  *prometheus.GaugeVec
}

// NewMetrics makes metrics of which nothing is known yet. Version is plumb's.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plumb_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "plumb_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.reconciles = counter("reconciles_total", "Passes over a topology, by what came of them and why they were made.",
		"topology", "result", "trigger")
	m.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "plumb_reconcile_duration_seconds", Help: "How long passes took.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
	}, []string{"topology"})
	m.registry.MustRegister(m.durations)
	m.objects = gauge("objects", "Objects of a topology, by whether they are as they should be.", "topology", "state")
	m.healed = counter("healed_total", "Objects that had changed and were brought back, by kind.", "topology", "kind")
	m.rollbacks = counter("rollbacks_total", "Changes that were taken back.", "topology")
	m.contested = gauge("contested", "Objects that somebody changes back again and again.", "topology")
	m.overruns = counter("overruns_total", "How often the kernel had more to tell than it had room for.").WithLabelValues()
	m.fetches = counter("source_fetches_total", "How often sources were read, by what came of it.", "source", "result")
	m.success = gauge("last_success_timestamp_seconds", "When a topology was last as it should be.", "topology")
	m.suspended = gauge("suspended_until_timestamp_seconds", "When a suspension ends; 0 without one.", "topology")
	gauge("build_info", "The version of plumb.", "version").WithLabelValues(version).Set(1)
	return m
}

// Handler tells the metrics over HTTP.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// WriteFile writes the metrics for the textfile collector of the node exporter: into a new file, which takes the place of
// the old one.
func (m *Metrics) WriteFile(path string) error { return prometheus.WriteToTextfile(path, m.registry) }

// result says what came of a pass, or of the reading of a source.
func result(err error) string {
	if err != nil {
		return "error"
	}
	return "success"
}

// Passed counts a pass.
func (m *Metrics) Passed(p Pass) {
	m.reconciles.WithLabelValues(p.Topology, result(p.Err), string(p.Trigger)).Inc()
	m.durations.WithLabelValues(p.Topology).Observe(p.Took.Seconds())
	m.Objects(p.Topology, p.Objects, len(p.Left))
	m.contested.WithLabelValues(p.Topology).Set(float64(len(p.Contested)))
	if p.State == Synced {
		m.success.WithLabelValues(p.Topology).Set(float64(p.Begun.Add(p.Took).Unix()))
	}
}

// Objects says how many objects a topology has, and how many of them differ.
func (m *Metrics) Objects(topology string, all, differ int) {
	m.objects.WithLabelValues(topology, "in-sync").Set(float64(max(all-differ, 0)))
	m.objects.WithLabelValues(topology, "differs").Set(float64(differ))
}

// Told counts what an event tells.
func (m *Metrics) Told(e Event) {
	for _, o := range e.Outcomes {
		if e.What == Healed && o.Result == plan.Done {
			m.healed.WithLabelValues(e.Topology.Name, o.Step.Key().Kind).Inc()
		}
	}
	if errors.Is(e.Err, reconcile.ErrRolledBack) || errors.Is(e.Err, reconcile.ErrRollback) {
		m.rollbacks.WithLabelValues(e.Topology.Name).Inc()
	}
	if e.What == Left {
		m.forget(e.Topology.Name)
	}
}

// forget leaves out what is not kept any longer.
func (m *Metrics) forget(topology string) {
	of := prometheus.Labels{"topology": topology}
	for _, v := range []*prometheus.GaugeVec{m.objects, m.contested, m.success, m.suspended} {
		v.DeletePartialMatch(of)
	}
	m.reconciles.DeletePartialMatch(of)
	m.durations.DeletePartialMatch(of)
	m.healed.DeletePartialMatch(of)
	m.rollbacks.DeletePartialMatch(of)
}

// Fetched counts a reading of a source.
func (m *Metrics) Fetched(from string, err error) { m.fetches.WithLabelValues(from, result(err)).Inc() }

// Overrun counts what went unheard.
func (m *Metrics) Overrun() { m.overruns.Inc() }

// Suspended says until when a topology is suspended; the zero time is not at all.
func (m *Metrics) Suspended(topology string, until time.Time) {
	end := 0.0
	if !until.IsZero() {
		end = float64(until.Unix())
	}
	m.suspended.WithLabelValues(topology).Set(end)
}
