package battery

import (
	"fmt"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// PlanText is a plan for tests to compare: a line a step.
func PlanText(p plan.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintln(&b, StepText(s))
	}
	return b.String()
}

// StepText is a step in one line, as "update link br0:  mtu 1400 -> 1500".
func StepText(s plan.Step) string {
	text := fmt.Sprintf("%s %s: %s", s.Action, s.Key().Label(), s.Reason)
	for _, f := range s.Fields {
		text += " " + f.String() + ","
	}
	return text
}

// Outcomes tells what became of a run, a line a step.
func Outcomes(r reconcile.Report) string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		fmt.Fprintf(&b, "%s: %s", o.Result, StepText(o.Step))
		if o.Unplanned {
			b.WriteString(" (unplanned)")
		}
		if o.Err != nil {
			fmt.Fprintf(&b, ": %v", o.Err)
		}
		b.WriteString("\n")
	}
	return b.String()
}
