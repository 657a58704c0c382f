package link

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Course is how a link that plumb did not make changes in this run: From is the link as it is, To as it will be.
type Course struct {
	Live     *object.LiveLink
	From, To Link
	// blinks says that IPv6 is off on the link for a moment.
	blinks bool
}

// Without6 tells whether IPv6 will be off on a link of others, and whether it is, if for a moment.
type Without6 func(*object.LiveLink) (will, blinks bool)

// courses are those of the sections that were asked for.
type courses map[*object.Section][]Course

// Courses lists the courses of a section's existing links, and of others on which IPv6 is off, or will be, as without6
// tells. It leaves out links that are not as declared: [Settle] reports these. A look works them out once, from what
// was wanted when they were first asked for: the kinds do so when they say what returns.
func Courses(e *object.Env, s *object.Section, without6 func(*object.Env, *object.Section) Without6) []Course {
	known := object.In[courses](e)
	list, asked := (*known)[s]
	if !asked {
		if *known == nil {
			*known = make(courses)
		}
		list = switched(e, s, coursesOf(e, s), without6(e, s))
		(*known)[s] = list
	}
	return list
}

func coursesOf(e *object.Env, s *object.Section) (list []Course) {
	if !e.ChangesGiven(s.NS.Name) {
		return nil
	}
	add := func(live *object.LiveLink, o plan.Object, err error) {
		if to, ok := o.(Link); ok && err == nil {
			list = append(list, Course{Live: live, From: read(e, s, live, s.LinkLocals()[live.Index]), To: to})
		}
	}
	for _, o := range e.WantedHere(s.NS.Name, object.KindLink) {
		if l, ok := o.(Link); ok && l.Given {
			o, err := settleGiven(e, l)
			add(s.At(s.Known(l.Name)), o, err)
		}
	}
	for _, live := range abandoned(e, s) {
		l, err := asItWas(e, s, live)
		add(live, l, err)
	}
	return list
}

// switched says in courses where IPv6 is off, and adds those of other links where it is, or will be.
func switched(e *object.Env, s *object.Section, list []Course, without6 Without6) []Course {
	for i := range s.Links {
		live := &s.Links[i]
		at := slices.IndexFunc(list, func(c Course) bool { return c.Live == live })
		will, blinks := without6(live)
		if at < 0 {
			if !live.Disabled6 && !will && !blinks || !e.OfOthers(s, live.Name) {
				continue
			}
			l := read(e, s, live, s.LinkLocals()[live.Index])
			l.Given, l.Managed = true, plan.NewFields()
			list, at = append(list, Course{Live: live, From: l, To: l}), len(list)
		}
		list[at].From.no6, list[at].To.no6, list[at].blinks = live.Disabled6, will, blinks
	}
	return list
}

// Carries says whether an address, route or neighbour can be on the link as it will be.
func (c Course) Carries(o plan.Dependent) bool { return supports(c.To, o) }

// Takes says whether the kernel removes such an object, which others put on the link, when the link changes.
func (c Course) Takes(o plan.Dependent) bool {
	_, stays := o.After(c.From, c.To, emptyWorld{})
	meanwhile := c.From
	meanwhile.no6 = meanwhile.no6 || c.blinks
	return supports(c.From, o) && !(stays && supports(meanwhile, o) && supports(c.To, o))
}

// supports says whether something can be on a link. On the port of a master that takes all of the port's packets it
// would be of no use.
func supports(l Link, o plan.Dependent) bool {
	_, ok := o.After(l, l, emptyWorld{})
	return ok && !l.enslaves().FromDown
}

// Tables are the routing tables of the topology's VRFs that the link is a port of, before and after; 0 for none.
func (c Course) Tables(s *object.Section) (before, after uint32) {
	if master := s.At(c.Live.Master); c.From.inVRF() && master != nil && master.Class == plan.Ours {
		before = c.From.Table()
	}
	if _, ok := c.To.Onto(); ok && c.To.inVRF() {
		after = c.To.Table()
	}
	return before, after
}

// emptyWorld is a [plan.World] without objects: what becomes of an object is asked with regard to one link alone.
type emptyWorld struct{}

func (emptyWorld) Standing(plan.Key) []plan.Object { return nil }
func (emptyWorld) Object(plan.Key) plan.Object     { return nil }
