package reconcile

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// warn says what no plan can mend, of the sections that can have changed since the last time; nil is all. A warning
// that can't be found out is one itself.
func (r *run) warn(p plan.Plan, touched sections) {
	for _, o := range r.want {
		if !touched.has(o.Key().NS) {
			continue
		}
		r.warnOf(o.Key(), func(row *object.Kind) ([]string, error) {
			if row.Warn == nil {
				return nil, nil
			}
			return row.Warn(r.env, o)
		})
	}
	r.warnOfChanges(p)
}

// warnOfChanges says what the steps of a plan take from others.
func (r *run) warnOfChanges(p plan.Plan) {
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			r.warnOf(c.Key(), func(row *object.Kind) ([]string, error) {
				if row.Takes == nil || s.Action == plan.Refuse {
					return nil, nil
				}
				return row.Takes(r.env, c)
			})
		}
	}
}

// warnOf gives the warnings about one object.
func (r *run) warnOf(k plan.Key, find func(*object.Kind) ([]string, error)) {
	texts, err := find(r.env.Of(k))
	for _, text := range texts {
		r.warnOnce(text)
	}
	if err != nil {
		r.warnOnce(fmt.Sprintf("%s %s: %v", k.Kind, k.Place(), err))
	}
}
