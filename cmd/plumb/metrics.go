package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// metricsFlag adds the flag for a file with metrics.
func metricsFlag(cmd *cobra.Command, c *change) {
	cmd.Flags().StringVar(&c.metricsFile, "metrics-file", "",
		"write metrics of the run to `file`, for the textfile collector of Prometheus' node exporter")
}

// count counts what came of a target.
func (c *change) count(t target, begun time.Time, report reconcile.Report, err error) {
	if c.metricsFile == "" {
		return
	}
	if c.metrics == nil {
		c.metrics = agent.NewMetrics(version())
	}
	c.metrics.Passed(agent.Applying(t.name, begun, report, err))
	if t.topology != nil {
		c.metrics.Told(agent.Event{What: agent.Applied, Topology: t.topology, Err: err})
	}
}

// writeMetrics writes what was counted.
func (c *change) writeMetrics() error {
	if c.metrics == nil {
		return nil
	}
	return c.metrics.WriteFile(c.metricsFile)
}
