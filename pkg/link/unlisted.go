package link

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/object"
)

// unlisted are the specs of live links of a section that no dump tells, by their index.
type unlisted map[int]Spec

// fetchUnlisted asks for what no dump tells of links that are the topology's, or stand at a wanted name.
func fetchUnlisted(e *object.Env, s *object.Section, enter func(f func() error) error) error {
	known := object.In[unlisted](s)
	for i := range Types {
		t := &Types[i]
		if t.Ask == nil {
			continue
		}
		names := make(map[string]int)
		var list []string
		for j := range s.Links {
			l := &s.Links[j]
			ours := l.Group == object.Group(e.Topology) || e.Wanted(object.LinkKey(s.NS.Name, l.Name))
			if _, done := (*known)[l.Index]; l.Type == t.Name && ours && !done {
				names[l.Name] = l.Index
				list = append(list, l.Name)
			}
		}
		if len(list) == 0 {
			continue
		}
		err := enter(func() error {
			found, err := t.Ask(list)
			if err == nil && *known == nil {
				*known = make(unlisted)
			}
			for name, spec := range found {
				(*known)[names[name]] = spec
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read the %s links: %w", t.Name, err)
		}
	}
	return nil
}

// configure tells a link what no message of links can, and notes what it will not tell again. Have is what it is so
// far.
func configure(e *object.Env, s *object.Section, index int, l Link, have func() Spec) error {
	t := typeOf(l.Type)
	if t.Configure == nil || l.Spec == nil || l.Given {
		return nil
	}
	told := t.Told(e, l)
	if e.Record.Doubt(l.Key(), index, told) {
		if err := e.Record.Save(e.Seam); err != nil {
			return err
		}
	}
	if was := have(); was != l.Spec {
		if err := explain(l, outlast(func() error { return t.Configure(s, l, was) })); err != nil {
			return err
		}
	}
	e.Record.Tell(l.Key(), index, told)
	return nil
}
