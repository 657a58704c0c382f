package kind

import (
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Spare is a namespace without a name, made beside the first look of a run, for the first that the run will make: that one costs most,
// for all others wait to hear what it has inherited. Nobody else can be in it, and it ends when it is dropped. A nil Spare is none.
type Spare struct {
	making    sync.WaitGroup
	ns        *kernel.Namespace // nil when it could not be made, or was taken
	inherited []setting         // see deviations
	err       error
}

// NewSpare begins to make one.
func NewSpare(seam *kernel.Seam) *Spare {
	s := new(Spare)
	s.making.Go(func() {
		s.err = kernel.OnThread(func(t kernel.Thread) error {
			n, err := kernel.Create(t, "", seam)
			if err != nil {
				return err
			}
			if s.inherited, err = deviations(n); err != nil {
				n.Close()
				return err
			}
			s.ns = n
			return nil
		})
	})
	return s
}

// take gives the namespace, and what it has inherited, to who makes the first, or why it could not be made; nothing after that.
func (s *Spare) take() (n *kernel.Namespace, inherited []setting, err error) {
	if s == nil {
		return nil, nil, nil
	}
	s.making.Wait()
	n, err = s.ns, s.err
	s.ns, s.err = nil, nil
	return n, s.inherited, err
}

// Drop ends the namespace if it was not taken. That it could not be made matters to nobody then.
func (s *Spare) Drop() {
	if n, _, _ := s.take(); n != nil {
		n.Close()
	}
}
