package kinds

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// followLinks gives the claims of the record on parameters of interfaces the names that these have now: what was
// recorded belongs to the interface, and somebody may have renamed it.
func followLinks(e *object.Env) error {
	gone, renamed := e.Record.Follow(func(ns string, index int) (name string, known bool) {
		s := e.Sections[ns]
		if s == nil || s.Ending {
			return "", false
		}
		switch l := s.At(index); {
		case l == nil:
			return "", true
		case l.Class == plan.Ours:
			return l.Known, true
		default:
			return l.Name, true
		}
	})
	for was, now := range renamed {
		if now.Kind != object.KindSysctl {
			continue
		}
		object.In[renames](e.Sections[now.NS]).note(linkOf(was.Name), linkOf(now.Name))
	}
	for _, c := range gone {
		if _, _, ofLink := object.AttributeOf(c.Key); ofLink {
			e.Warn(fmt.Sprintf("%s: the interface (ifindex %d) is gone, and with it what the value was before: %s",
				c.Label(), c.Index, c.Original))
		} else if c.Kind == object.KindSysctl && !automatic(c) {
			e.Warn(fmt.Sprintf("sysctl %s: the interface (ifindex %d) is gone, and with it what the value was before: %s",
				c.Place(), c.Index, c.Original))
		}
	}
	return nil
}

// renames tells of interfaces that the record knew by another name what they are called now.
type renames map[string]string

func (r *renames) note(was, now string) {
	if *r == nil {
		*r = make(renames)
	}
	(*r)[was] = "it is called " + now + " now"
}

// automatic says whether a claim is on the accept_ra that forwarding asks for, which no file declares.
func automatic(c object.ClaimEntry) bool {
	return c.Name == object.SysctlOn("net.ipv6.conf.all.accept_ra", linkOf(c.Name)) && c.Original == "1"
}

func linkOf(name string) string {
	link, _ := object.SysctlOfLink(name)
	return link
}
