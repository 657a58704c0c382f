package file

import (
	"cmp"
	"slices"

	"gopkg.in/yaml.v3"
)

// walker goes through the YAML tree of one document. It follows aliases and merge keys, and counts the nodes that it
// meets, so that a small file cannot unfold into a huge one.
type walker struct {
	*Report
	left  int
	spent bool
	// merging holds the mappings whose merge keys are being followed: one that is met again contains itself.
	merging map[*yaml.Node]bool
	own     map[string]int // the lines of the keys of the mapping that is being collected
}

// entry is a key of a mapping and its value.
type entry struct {
	key   string
	at    Span
	value *yaml.Node
}

// entries lists a mapping's keys in the order of the file, those merged into it last. An empty value is an empty
// mapping; what is its name in messages. Not ok means that keys may be missing from the list.
func (w *walker) entries(n *yaml.Node, what string) (list []entry, ok bool) {
	n = w.follow(n)
	if n == nil {
		return nil, false
	}
	if isNull(n) {
		return nil, true
	}
	if n.Kind != yaml.MappingNode {
		w.noMapping(n, what)
		return nil, false
	}
	m := merged{ok: true}
	w.collect(n, &m)
	return m.entries, m.ok
}

// noMapping reports what stands where a mapping must.
func (w *walker) noMapping(n *yaml.Node, what string) *Problem {
	return w.Errorf(spanOf(n), "%s must be a mapping, not %s", what, shapeOf(n))
}

// merged is a mapping with its merge keys written out.
type merged struct {
	entries []entry
	seen    map[string]bool // the keys of the entries, nil until something is merged
	ok      bool
}

// add adds an entry, unless its key is there.
func (m *merged) add(e entry) {
	if m.seen[e.key] {
		return
	}
	m.entries = append(m.entries, e)
	if m.seen != nil {
		m.seen[e.key] = true
	}
}

// few is how many keys leave a map small: one that has grown is not used again, for clearing it takes longer than a new
// one.
const few = 8

// collect adds the keys of a mapping to m, except those that m has: the mapping's own come first, and so win over what
// it merges.
func (w *walker) collect(n *yaml.Node, m *merged) {
	if !w.take(len(n.Content)) {
		m.ok = false
		return
	}
	m.entries = slices.Grow(m.entries, len(n.Content)/2)
	if w.own == nil || len(w.own) > few {
		w.own = make(map[string]int)
	} else {
		clear(w.own)
	}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := w.follow(n.Content[i])
		switch {
		case k == nil:
			m.ok = false
			return
		case k.Kind != yaml.ScalarNode:
			w.Errorf(spanOf(k), "a key must be a word, not %s", shapeOf(k))
			m.ok = false
			continue
		}
		line, twice := w.own[k.Value]
		w.own[k.Value] = cmp.Or(line, k.Line)
		if twice {
			w.Errorf(spanOf(k), "key %q is given twice, first on line %d", k.Value, line)
			m.ok = false
		} else if k.ShortTag() == "!!merge" {
			merges = append(merges, n.Content[i+1])
		} else {
			m.add(entry{k.Value, spanOf(k), n.Content[i+1]})
		}
	}
	if len(merges) > 0 && m.seen == nil {
		m.seen = make(map[string]bool)
		for _, e := range m.entries {
			m.seen[e.key] = true
		}
	}
	for _, v := range merges {
		w.merge(v, m, true)
	}
}

// merge adds what the value of a merge key holds: a mapping, or a list of mappings, of which the earlier win.
func (w *walker) merge(v *yaml.Node, m *merged, list bool) {
	n := w.follow(v)
	switch {
	case n == nil:
		m.ok = false
	case w.merging[n]:
		w.Errorf(spanOf(v), "this merge contains itself")
		m.ok = false
	case n.Kind == yaml.MappingNode:
		if w.merging == nil {
			w.merging = map[*yaml.Node]bool{}
		}
		w.merging[n] = true
		w.collect(n, m)
		delete(w.merging, n)
	case n.Kind == yaml.SequenceNode && list:
		for _, c := range n.Content {
			w.merge(c, m, false)
		}
	default:
		w.Errorf(spanOf(v), "only mappings can be merged, not %s", shapeOf(n)).
			Hint = "write <<: *anchor, or <<: [*one, *two]"
		m.ok = false
	}
}

// items lists the nodes of a list. An empty value is an empty list.
func (w *walker) items(n *yaml.Node, what string) (list []*yaml.Node, ok bool) {
	n = w.follow(n)
	switch {
	case n == nil:
		return nil, false
	case isNull(n):
		return nil, true
	case n.Kind != yaml.SequenceNode:
		p := w.Errorf(spanOf(n), "%s must be a list, not %s", what, shapeOf(n))
		if n.Kind == yaml.ScalarNode {
			p.Hint = "write [" + n.Value + "]"
		}
		return nil, false
	}
	return n.Content, true
}

// text reads a single value as it is written.
func (w *walker) text(n *yaml.Node, what string) (text string, at Span, ok bool) {
	at = spanOf(n)
	n = w.follow(n)
	if n == nil {
		return "", at, false
	}
	switch at = spanOf(n); {
	case n.Kind != yaml.ScalarNode:
		w.Errorf(at, "%s must be a single value, not %s", what, shapeOf(n))
	case isNull(n):
		w.Errorf(at, "%s has no value", what)
	default:
		return n.Value, at, true
	}
	return "", at, false
}

// follow gives the node that an alias stands for. It is nil when the document is beyond the bounds, or the node of a
// type that files have no use for.
func (w *walker) follow(n *yaml.Node) *yaml.Node {
	if !w.take(1) {
		return nil
	}
	at := n
	n = resolve(n)
	switch tag := n.ShortTag(); tag {
	case "", "!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge", "!!map", "!!seq":
		return n
	default:
		w.Errorf(spanOf(at), "the YAML tag %s means nothing here", tag)
		return nil
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// take counts n nodes, and reports whether they are within the bounds.
func (w *walker) take(n int) bool {
	w.left -= n
	if w.left < 0 && !w.spent {
		w.spent = true
		w.Errorf(Span{}, "the document comes to more than %d values when its aliases are written out", maxNodes)
	}
	return !w.spent
}

// isNull reports whether a value is left out, or written as null.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// shapeOf is what a node is, in messages.
func shapeOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	}
	return "a single value"
}
