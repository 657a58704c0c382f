package plan

import "strings"

// toy is an object whose relations are what its fields say: keys as "ns/kind/name", with a space between two.
type toy struct {
	At                         string // its own key
	Needing, Standing, Bearing string
	// Weak says that it loses its value, and does not fall, when something that it stands on goes.
	Weak  bool
	Value int `plan:"value"`
	Shape int `plan:"shape,fixed"`
}

func (t toy) Key() Key         { return keysIn(t.At)[0] }
func (t toy) Needs() []Key     { return keysIn(t.Needing) }
func (t toy) On() []Key        { return keysIn(t.Standing) }
func (t toy) Bears() []Key     { return keysIn(t.Bearing) }
func (t toy) Describe() string { return "" }

func (t toy) After(_, now Object, _ World) (Object, bool) {
	t, ok := t.without(now)
	return t, ok
}

// without is what becomes of the toy when something that it stands on is now as given.
func (t toy) without(now Object) (toy, bool) {
	if now == nil && t.Weak {
		t.Value = 0
	}
	return t, now != nil || t.Weak
}

func keysIn(text string) (keys []Key) {
	for word := range strings.FieldsSeq(text) {
		part := strings.Split(word, "/")
		keys = append(keys, Key{NS: part[0], Kind: part[1], Name: part[2]})
	}
	return keys
}

// half is a toy that is made together with another.
type half struct {
	toy
	Other string
}

func (h half) Pair() (Key, bool)          { return keysIn(h.Other)[0], true }
func (h half) DescribePair(Object) string { return "" }

func (h half) After(_, now Object, _ World) (o Object, ok bool) {
	h.toy, ok = h.without(now)
	return h, ok
}

// halves make a pair.
func halves(a, b string) []Object {
	return []Object{half{toy{At: a, Standing: b}, b}, half{toy{At: b, Standing: a}, a}}
}

func ours(list ...Object) (have []Have) {
	for _, o := range list {
		have = append(have, Have{Object: o})
	}
	return have
}

func list(objects ...Object) []Object { return objects }

func at(key string) toy             { return toy{At: key} }
func needing(key, needs string) toy { return toy{At: key, Needing: needs} }
func upon(key, stands string) toy   { return toy{At: key, Needing: stands, Standing: stands} }
func shaped(t toy) toy              { t.Shape = 1; return t }
func valued(t toy) toy              { t.Value = 1; return t }
func hidden(t toy) toy              { t.Needing = ""; return t }

// tunnel is a toy with claims, which cannot change in place, and port one with claims that can. A seat has claims
// together with those of its row.
type (
	tunnel struct {
		toy
		Holds string `plan:"holds,fixed"`
	}
	port struct {
		toy
		Holds string `plan:"holds"`
	}
	seat struct {
		tunnel
		Row int `plan:"row,fixed"`
	}
)

func (t tunnel) Claims() []Key { return keysIn(t.Holds) }
func (p port) Claims() []Key   { return keysIn(p.Holds) }

func (s seat) Shares(_ Key, other Object) bool {
	o, ok := other.(seat)
	return ok && o.Row == s.Row
}

func (s seat) After(_, now Object, _ World) (o Object, ok bool) {
	s.toy, ok = s.without(now)
	return s, ok
}

func (t tunnel) After(_, now Object, _ World) (o Object, ok bool) {
	t.toy, ok = t.without(now)
	return t, ok
}

func (p port) After(_, now Object, _ World) (o Object, ok bool) {
	p.toy, ok = p.without(now)
	return p, ok
}

// holding makes a tunnel that claims the numbers of the host.
func holding(key string, numbers ...string) tunnel {
	return tunnel{toy: at(key), Holds: numbered(numbers)}
}

// sits makes a seat that claims one number.
func sits(key string, row int) seat { return seat{holding(key, "1"), row} }

// open makes a port likewise.
func open(key string, numbers ...string) port { return port{toy: at(key), Holds: numbered(numbers)} }

func numbered(numbers []string) string {
	var keys []string
	for _, n := range numbers {
		keys = append(keys, "/vni/"+n)
	}
	return strings.Join(keys, " ")
}
