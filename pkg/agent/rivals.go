package agent

import (
	"slices"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
)

// How what is changed back again and again is healed: the first time at once, then after a second, two, four, and so on.
const (
	firstRest   = time.Second
	longestRest = 5 * time.Minute
	// awayRest is how often somebody else's namespace is looked for that is not there.
	awayRest = 5 * time.Second
	// holds is how long a heal must hold, beside twice the rest before it, to have been the last one.
	holds = 10 * time.Second
	// many heals in a row make an object contested.
	many = 5
)

// rivals are the objects that somebody changes back, by their keys.
type rivals map[plan.Key]*rivalry

type rivalry struct {
	heals int // in a row
	last  time.Time
	rest  time.Duration // after the last
}

// over says whether the last heal has held.
func (r *rivalry) over(now time.Time) bool { return now.Sub(r.last) > holds+2*r.rest }

// heal notes that an object was healed, or that this was tried. Contested says that it has become contested by that.
func (r rivals) heal(k plan.Key, now time.Time) (contested bool) {
	one := r[k]
	if one == nil || one.over(now) {
		one = new(rivalry)
		r[k] = one
	}
	one.heals++
	if one.last = now; one.heals > 1 {
		one.rest = min(max(2*one.rest, firstRest), longestRest)
	}
	return one.heals == many
}

// rests says whether an object is not to be healed yet.
func (r rivals) rests(k plan.Key, now time.Time) bool {
	one := r[k]
	return one != nil && now.Sub(one.last) < one.rest
}

// next is when the first of some objects that rest may be healed again.
func (r rivals) next(keys []plan.Key, now time.Time) (at time.Time) {
	for _, k := range keys {
		if !r.rests(k, now) {
			continue
		}
		if end := r[k].last.Add(r[k].rest); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

// forget forgets those whose last heal has held.
func (r rivals) forget(now time.Time) {
	for k, one := range r {
		if one.over(now) {
			delete(r, k)
		}
	}
}

// contested lists those that somebody changes back again and again.
func (r rivals) contested(now time.Time) (keys []plan.Key) {
	for k, one := range r {
		if one.heals >= many && !one.over(now) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, plan.Key.Compare)
	return keys
}
