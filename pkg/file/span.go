package file

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Span is a stretch of a line, counted from 1 in characters; the zero Span is no place.
type Span struct {
	Line, Column, Width int32
}

// Compare orders spans as they stand in the file.
func (s Span) Compare(o Span) int {
	return cmp.Or(cmp.Compare(s.Line, o.Line), cmp.Compare(s.Column, o.Column))
}

// See is the hint that names another place.
func (s Span) See() string {
	if s.Line == 0 {
		return ""
	}
	return fmt.Sprintf("see line %d", s.Line)
}

// spanOf is where a node stands. What runs over several lines, or is no scalar, is one character wide: its first.
func spanOf(n *yaml.Node) Span {
	width := 1
	switch {
	case n.Kind == yaml.AliasNode:
		width = 1 + utf8.RuneCountInString(n.Value)
	case n.Kind != yaml.ScalarNode || strings.ContainsRune(n.Value, '\n'):
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		width = 2 + utf8.RuneCountInString(n.Value)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		width = utf8.RuneCountInString(n.Value)
	}
	if n.Anchor != "" && n.Kind == yaml.ScalarNode {
		width += 2 + utf8.RuneCountInString(n.Anchor)
	}
	return Span{int32(n.Line), int32(n.Column), int32(width)}
}
