package kind

import (
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Spare is a namespace without a name, for the first that a run will make: that one takes longest, for all others wait to hear what it has
// inherited. Nobody else can be in it, and it ends when it is dropped. A nil Spare is none.
type Spare struct {
	making    sync.WaitGroup
	ns        *kernel.Namespace // nil when it could not be made, or was taken
	inherited inheritance
}

// NewSpare is one that is yet to be made.
func NewSpare() *Spare {
	s := new(Spare)
	s.making.Add(1)
	return s
}

// Make makes it, once. It passes no seam: until it has a name it is of this process alone. What goes wrong is for who makes a namespace in
// its place to find out.
func (s *Spare) Make() error {
	defer s.making.Done()
	return kernel.OnThread(func(t kernel.Thread) error {
		n, err := kernel.Create(t, "", new(kernel.Seam))
		if err != nil {
			return err
		}
		if s.inherited, err = inherit(n); err != nil {
			n.Close()
			return err
		}
		s.ns = n
		return nil
	})
}

// take waits until it is made, and gives it with what it has inherited; nil when there is none, or not any more.
func (s *Spare) take() (n *kernel.Namespace, inherited inheritance) {
	if s == nil {
		return nil, inheritance{}
	}
	s.making.Wait()
	n, s.ns = s.ns, nil
	return n, s.inherited
}

// Drop ends the namespace if it was not taken.
func (s *Spare) Drop() {
	if n, _ := s.take(); n != nil {
		n.Close()
	}
}
