package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Format names the JSON form of a plan. A change that would surprise its readers gets a new number.
const Format = "plumb/plan/v1"

// Document is the JSON form of a plan, or of a run: then every change has a result and an error.
type Document struct {
	Format   string           `json:"format"`
	Topology string           `json:"topology"`
	Changes  []DocumentChange `json:"changes"`
	Summary  Summary          `json:"summary"`
	// Error is why a run failed.
	Error string `json:"error,omitempty"`
}

// DocumentChange is one step, named by its first object.
type DocumentChange struct {
	Action    Action        `json:"action"`
	Namespace string        `json:"namespace"`
	Kind      string        `json:"kind"`
	Name      string        `json:"name"`
	With      []DocumentKey `json:"with,omitempty"`
	Reason    string        `json:"reason"`
	Source    *Source       `json:"source,omitempty"`
	Fields    []Field       `json:"fields,omitempty"`
	Unplanned bool          `json:"unplanned,omitempty"`
	Result    *Result       `json:"result,omitempty"`
	Error     *string       `json:"error,omitempty"`
}

// DocumentKey names an object that a step changes beside its first.
type DocumentKey struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
}

// Summary counts the changes by action.
type Summary struct {
	Create  int `json:"create"`
	Update  int `json:"update"`
	Replace int `json:"replace"`
	Delete  int `json:"delete"`
	Adopt   int `json:"adopt"`
	Refuse  int `json:"refuse"`
}

// NewDocument makes the JSON form of some steps. Find gives an object's place in the file, and may be nil.
func NewDocument(topology string, lines []Outcome, find func(Key) (Source, bool)) Document {
	d := Document{Format: Format, Topology: topology, Changes: make([]DocumentChange, 0, len(lines))}
	for _, l := range lines {
		d.Changes = append(d.Changes, newDocumentChange(l, find))
		d.Summary.count(l.Step.Action)
	}
	return d
}

func newDocumentChange(l Outcome, find func(Key) (Source, bool)) DocumentChange {
	k := l.Step.Key()
	c := DocumentChange{
		Action: l.Step.Action, Namespace: k.NS, Kind: k.Kind, Name: k.Name,
		Reason: l.Step.Reason, Fields: l.Step.Fields, Unplanned: l.Unplanned,
	}
	for _, other := range l.Step.Changes[1:] {
		k := other.Key()
		c.With = append(c.With, DocumentKey{Namespace: k.NS, Kind: k.Kind, Name: k.Name})
	}
	if src, ok := l.Step.Source(find); ok {
		c.Source = &src
	}
	if l.Result != "" {
		why := ""
		if l.Err != nil {
			why = l.Err.Error()
		}
		c.Result, c.Error = &l.Result, &why
	}
	return c
}

func (s *Summary) count(a Action) {
	switch a {
	case Create:
		s.Create++
	case Update:
		s.Update++
	case Replace:
		s.Replace++
	case Delete:
		s.Delete++
	case Adopt:
		s.Adopt++
	case Refuse:
		s.Refuse++
	}
}

// WriteJSON prints one document as an object, or, as a list, any number as an array.
func WriteJSON(w io.Writer, docs []Document, list bool) error {
	if !list && len(docs) == 1 {
		return EncodeJSON(w, docs[0], "  ")
	}
	if docs == nil {
		docs = []Document{}
	}
	return EncodeJSON(w, docs, "  ")
}

// EncodeJSON is the one way to write JSON for others. What [Printable] would escape is escaped as JSON does it: the
// encoder leaves controls above U+007E as they are, which a terminal obeys.
func EncodeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}

func escapeJSON(text []byte) []byte {
	odd := func(r rune) bool { return r > '~' && r != utf8.RuneError && !unicode.IsPrint(r) }
	if bytes.IndexFunc(text, odd) < 0 {
		return text
	}
	escaped := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if !odd(r) {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	return escaped
}
