package object

import (
	"reflect"
	"sync"
)

// Store holds what the kinds keep of a section or a run: one value of each type.
type Store struct {
	mu     sync.Mutex
	values map[reflect.Type]any
}

func (s *Store) store() *Store { return s }

// In gives the value of type T that is kept in a [Section] or an [Env]. It begins as zero.
func In[T any](in interface{ store() *Store }) *T {
	s, t := in.store(), reflect.TypeFor[T]()
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[t].(*T)
	if !ok {
		v = new(T)
		if s.values == nil {
			s.values = make(map[reflect.Type]any)
		}
		s.values[t] = v
	}
	return v
}
