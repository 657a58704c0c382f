package reconcile

import "math/rand/v2"

// TakeAtRandom has the host's runs take steps in random order, as far as the plan allows.
func (h *Host) TakeAtRandom(seed uint64) { h.rank = rand.New(rand.NewPCG(seed, 0)).Int64 }
