package topology

import (
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// decoder walks the YAML tree of one document. It follows aliases and merge keys, and counts every node that it comes
// by, so that a small file cannot unfold into a huge one.
type decoder struct {
	*reporter
	left  int
	spent bool
	// merging holds the mappings whose merge keys are being followed: one that is met again contains itself.
	merging map[*yaml.Node]bool
	own     map[string]span // where the keys of the mapping stand that is being collected
}

// entry is a key of a mapping, and what it stands for.
type entry struct {
	key   string
	at    span
	value *yaml.Node
}

// field is a key that a mapping may have, and what reads it.
type field struct {
	name string
	read func(entry)
}

// order says what a mapping is like, apart from its values.
type order int

const (
	orderly order = iota
	// strange has a key that is not known.
	strange
	// garbled cannot be read, or has a key that may stand for a known one: what seems missing may be there.
	garbled
)

// templates begins the keys of the top level that hold what others refer to by anchors, and mean nothing by themselves.
const templates = "x-"

// fields reads a mapping whose keys are known; what is its name in messages.
func (d *decoder) fields(n *yaml.Node, what string, known []field) order {
	entries, ok := d.entries(n, what)
	found := orderly
	if !ok {
		found = garbled
	}
	for _, e := range entries {
		i := slices.IndexFunc(known, func(f field) bool {
			return f.name == e.key || f.name == templates && strings.HasPrefix(e.key, templates)
		})
		if i >= 0 {
			known[i].read(e)
			continue
		}
		found = max(found, d.unknown(e, what, known))
	}
	return found
}

func (d *decoder) unknown(e entry, what string, known []field) order {
	var names []string
	for _, f := range known {
		if f.name != templates {
			names = append(names, f.name)
		}
	}
	p := d.errorf(e.at, "unknown key %q in %s", e.key, what)
	if p.Hint = suggest(e.key, names); p.Hint != "" {
		return garbled
	}
	return strange
}

// entries lists a mapping's keys in the order of the file, those merged into it last. An empty value is an empty
// mapping.
func (d *decoder) entries(n *yaml.Node, what string) ([]entry, bool) {
	n = d.follow(n)
	if n == nil {
		return nil, false
	}
	if isNull(n) {
		return nil, true
	}
	if n.Kind != yaml.MappingNode {
		d.errorf(spanOf(n), "%s must be a mapping, not %s", what, shape(n))
		return nil, false
	}
	m := merged{ok: true}
	d.collect(n, &m)
	return m.entries, m.ok
}

// merged is a mapping with its merge keys written out.
type merged struct {
	entries []entry
	seen    map[string]bool // the keys of the entries, nil until something is merged
	ok      bool
}

// few is how many keys leave a map small: one that has grown is not used again, because clearing it takes longer than a new one.
const few = 8

// collect adds the keys of a mapping to m, but those that m has: first come those of the mapping itself, so that they
// win over what it merges.
func (d *decoder) collect(n *yaml.Node, m *merged) {
	if !d.take(len(n.Content)) {
		m.ok = false
		return
	}
	if d.own == nil || len(d.own) > few {
		d.own = make(map[string]span)
	} else {
		clear(d.own)
	}
	m.entries = slices.Grow(m.entries, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := d.follow(n.Content[i])
		switch {
		case k == nil:
			m.ok = false
			return
		case k.Kind != yaml.ScalarNode:
			d.errorf(spanOf(k), "a key must be a word, not %s", shape(k))
			m.ok = false
			continue
		}
		at := spanOf(k)
		if first, twice := d.own[k.Value]; twice {
			d.errorf(at, "key %q is given twice, first on line %d", k.Value, first.line)
			m.ok = false
			continue
		}
		d.own[k.Value] = at
		if k.ShortTag() == "!!merge" {
			merges = append(merges, n.Content[i+1])
		} else {
			m.add(entry{k.Value, at, n.Content[i+1]})
		}
	}
	if len(merges) > 0 && m.seen == nil {
		m.seen = make(map[string]bool)
		for _, e := range m.entries {
			m.seen[e.key] = true
		}
	}
	for _, v := range merges {
		d.merge(v, m, true)
	}
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

// merge adds what the value of a merge key holds: a mapping, or a list of mappings, of which the earlier win.
func (d *decoder) merge(v *yaml.Node, m *merged, list bool) {
	n := d.follow(v)
	switch {
	case n == nil:
		m.ok = false
	case d.merging[n]:
		d.errorf(spanOf(v), "this merge contains itself")
		m.ok = false
	case n.Kind == yaml.MappingNode:
		if d.merging == nil {
			d.merging = map[*yaml.Node]bool{}
		}
		d.merging[n] = true
		d.collect(n, m)
		delete(d.merging, n)
	case n.Kind == yaml.SequenceNode && list:
		for _, c := range n.Content {
			d.merge(c, m, false)
		}
	default:
		d.errorf(spanOf(v), "only mappings can be merged, not %s", shape(n)).Hint = "write <<: *anchor, or <<: [*one, *two]"
		m.ok = false
	}
}

// list reads a list, item by item. An empty value is an empty list.
func (d *decoder) list(e entry, each func(*yaml.Node)) bool {
	n := d.follow(e.value)
	switch {
	case n == nil:
		return false
	case isNull(n):
		return true
	case n.Kind != yaml.SequenceNode:
		p := d.errorf(spanOf(n), "%s must be a list, not %s", e.key, shape(n))
		if n.Kind == yaml.ScalarNode {
			p.Hint = "write [" + n.Value + "]"
		}
		return false
	}
	for _, c := range n.Content {
		each(c)
	}
	return true
}

// scalar reads a single value as it is written.
func (d *decoder) scalar(n *yaml.Node, what string) (text string, at span, ok bool) {
	n = d.follow(n)
	switch {
	case n == nil:
		return "", span{}, false
	case n.Kind != yaml.ScalarNode:
		d.errorf(spanOf(n), "%s must be a single value, not %s", what, shape(n))
	case isNull(n):
		d.errorf(spanOf(n), "%s has no value", what)
	default:
		return n.Value, spanOf(n), true
	}
	return "", spanOf(n), false
}

// follow gives the node that an alias stands for. It is nil when the document is beyond the bounds, or the node of a
// type that the file has no use for.
func (d *decoder) follow(n *yaml.Node) *yaml.Node {
	if !d.take(1) {
		return nil
	}
	at := n
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	switch tag := n.ShortTag(); tag {
	case "", "!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge", "!!map", "!!seq":
		return n
	default:
		d.errorf(spanOf(at), "the YAML tag %s means nothing here", tag)
		return nil
	}
}

// take counts n nodes, and says whether they are within the bounds.
func (d *decoder) take(n int) bool {
	d.left -= n
	if d.left < 0 && !d.spent {
		d.spent = true
		d.errorf(span{}, "the document comes to more than %d values when its aliases are written out", maxNodes)
	}
	return !d.spent
}

// isNull says whether a value is left out, or written as null.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// shape is what a node is, in messages.
func shape(n *yaml.Node) string {
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

// spanOf is where a node stands. The width of what runs over several lines, or is no scalar, is left at its start.
func spanOf(n *yaml.Node) span {
	s := span{n.Line, n.Column, 1}
	switch {
	case n.Kind == yaml.AliasNode:
		s.width = 1 + utf8.RuneCountInString(n.Value)
	case n.Kind != yaml.ScalarNode || strings.ContainsRune(n.Value, '\n'):
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		s.width = 2 + utf8.RuneCountInString(n.Value)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		s.width = utf8.RuneCountInString(n.Value)
	}
	if n.Anchor != "" && n.Kind == yaml.ScalarNode {
		s.width += 2 + utf8.RuneCountInString(n.Anchor)
	}
	return s
}
