package object

import (
	"sync"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Beside holds what parameters were that a switch of this run has written beside itself: by the key of the switch, and
// by path.
type Beside struct {
	mu   sync.Mutex
	kept map[plan.Key]map[string]string
}

// Of gives what was kept for a switch, nil for nothing.
func (b *Beside) Of(k plan.Key) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept[k]
}

// Keep keeps the values of parameters for a switch.
func (b *Beside) Keep(k plan.Key, values map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil {
		b.kept = make(map[plan.Key]map[string]string)
	}
	b.kept[k] = values
}
