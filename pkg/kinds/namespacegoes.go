package kinds

import (
	"fmt"
	"strings"
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// processes are those of the namespaces that the run looks into; hidden says that there may be more.
type processes struct {
	in     map[kernel.ID][]string
	hidden bool
}

// processesOf finds them once for all namespaces.
func processesOf(e *object.Env) (processes, error) {
	all := object.In[namespaces](e)
	all.mu.Lock()
	if all.processes == nil {
		all.processes = sync.OnceValues(func() (processes, error) { return findProcesses(e) })
	}
	find := all.processes
	all.mu.Unlock()
	return find()
}

func findProcesses(e *object.Env) (p processes, err error) {
	ours := make(map[kernel.ID]bool, len(e.Sections))
	for name, s := range e.Sections {
		if name != "" { // which the host's own can have too
			ours[s.NS.ID()] = true
		}
	}
	p.in, p.hidden, err = kernel.Processes(func(id kernel.ID) bool { return ours[id] })
	return p, err
}

// livedIn refuses that a namespace is adopted in which processes live: it is their network, and they would lose it.
func livedIn(e *object.Env, s *object.Section, why string) (string, bool, error) {
	const few = 5
	all, err := processesOf(e)
	in := all.in[s.NS.ID()]
	switch {
	case err != nil || len(in) == 0:
		return why, false, err
	case len(in) > few:
		in = append(in[:few:few], fmt.Sprintf("%d more", len(in)-few))
	}
	return "cannot be adopted while processes are in it: end them first (" + strings.Join(in, ", ") + ")", true, nil
}

// goesWith tells what goes with a namespace and is not plumb's: links, and what processes have for a network. They
// live on.
func goesWith(e *object.Env, s *object.Section) (string, error) {
	var words []string
	for i := range s.Links {
		l := &s.Links[i]
		if l.Class != plan.Ours && l.Type != object.Loopback && !fallback(l) {
			words = append(words, "link "+l.Name)
		}
	}
	processes, err := processesOf(e)
	if err != nil {
		return "", err
	}
	if processes.hidden {
		s.Warnf("without CAP_SYS_PTRACE, some processes in a removed namespace are not listed")
	}
	for _, p := range processes.in[s.NS.ID()] {
		words = append(words, "the network of process "+p)
	}
	note := ""
	if len(words) > 0 {
		note = "takes with it: " + plan.Listing(words)
	}
	if len(s.AlsoNamed) > 0 {
		note = strings.TrimPrefix(note+"; it lives on as "+strings.Join(s.AlsoNamed, ", "), "; ")
	}
	return note, nil
}

// fallback says whether a link is one that tunnel modules put into every namespace: tunl0, gre0, sit0 and their like.
func fallback(l *object.LiveLink) bool {
	switch l.Name {
	case "tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0":
		return true
	}
	return false
}
