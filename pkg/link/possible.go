package link

import (
	"errors"
	"fmt"

	"github.com/plumbnet/plumb/pkg/object"
)

// asked has what the kernel has told of types of link in this look.
type asked map[string]bool

// possible says whether the kernel can make a link, unless it has made it.
func possible(e *object.Env, l Link) error {
	t := typeOf(l.Type)
	if t.Lacks != nil {
		if why := t.Lacks(e, l); why != "" {
			return errors.New(why)
		}
	}
	if s := e.Sections[l.NS]; s != nil {
		if live := s.Link(l.Name); live != nil && live.Type == l.Type {
			return nil
		}
	}
	types := object.In[asked](e)
	if *types == nil {
		*types = make(asked)
	}
	if _, known := (*types)[l.Type]; !known {
		has, err := e.Sections[""].NS.HasLinks(l.Type, t.Part)
		if err != nil {
			return err
		}
		(*types)[l.Type] = has
	}
	if !(*types)[l.Type] {
		return fmt.Errorf("this kernel has no links of type %s: it needs %s", l.Type, t.Part)
	}
	return nil
}
