package reconcile

import (
	"fmt"
)

// warn says what no plan can mend. A warning that can't be found out is one itself.
func (r *run) warn() {
	for _, o := range r.want {
		k := o.Key()
		row := r.env.Of(k)
		if row.Warn == nil {
			continue
		}
		texts, err := row.Warn(r.env, o)
		for _, text := range texts {
			r.warnOnce(text)
		}
		if err != nil {
			r.warnOnce(fmt.Sprintf("%s %s: %v", k.Kind, k.Place(), err))
		}
	}
}
