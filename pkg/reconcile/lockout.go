package reconcile

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// guard turns steps that would cut the host off into refusals, unless that was allowed. They come first, as all
// refusals do: should the plan be one of a later round, nothing of it is done.
func (r *run) guard(p plan.Plan) plan.Plan {
	if r.AllowDisconnect || !slices.ContainsFunc(p.Steps, r.touchesHost) {
		return p
	}
	lines := object.FindLifelines(r.env.Sections[""], r.Lifelines...)
	for i, s := range p.Steps {
		if s.Action == plan.Refuse {
			continue
		}
		for _, c := range s.Changes {
			cuts := r.env.Of(c.Key()).Cuts
			if cuts == nil {
				continue
			}
			if why := cuts(lines, s, c); why != "" {
				p.Steps[i].Action, p.Steps[i].Reason = plan.Refuse, why+": use --allow-disconnect if that is meant"
			}
		}
	}
	slices.SortStableFunc(p.Steps, func(a, b plan.Step) int { return rankOfRefusal(a) - rankOfRefusal(b) })
	return p
}

// touchesHost says whether a step can cut a lifeline.
func (r *run) touchesHost(s plan.Step) bool {
	return slices.ContainsFunc(s.Changes, func(c plan.Change) bool {
		laid, ok := c.New.(object.Laid)
		return r.env.Of(c.Key()).Cuts != nil && (c.Key().NS == "" || ok && laid.Underlay() == "")
	})
}

func rankOfRefusal(s plan.Step) int {
	if s.Action == plan.Refuse {
		return 0
	}
	return 1
}
