// Package plantest tries plans as tests do. It imports nothing of package plan, so that the tests of that can use it.
package plantest

import (
	"math/rand/v2"
	"slices"
)

// Order is one of the orders that n steps of a plan allow, at random. Of tells the phase of each, and the steps that it
// comes after (see plan.Step).
func Order(r *rand.Rand, n int, of func(step int) (phase int, after []int)) []int {
	order, done := make([]int, 0, n), make([]bool, n)
	for len(order) < n {
		var ready []int
		now := -1
		for i := range n {
			phase, after := of(i)
			if done[i] || now >= 0 && phase > now {
				continue
			}
			now = phase
			if !slices.ContainsFunc(after, func(j int) bool { return !done[j] }) {
				ready = append(ready, i)
			}
		}
		next := ready[r.IntN(len(ready))]
		done[next] = true
		order = append(order, next)
	}
	return order
}
