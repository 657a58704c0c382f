package file

import (
	"fmt"
	"io"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// The text form of a problem: a line that can be searched for, the line of the file, and a caret with the hint.
//
//	topology.yaml:12:9: unknown key "adresses" in interface ns1/eth0
//	   12 |         adresses: [192.168.10.11/24]
//	      |         ^^^^^^^^ did you mean "addresses"?

// The colors of the text form, in the sequences of ECMA-48.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// maxSnippet is how much of a line is shown, in characters: enough to see the place, without filling a screen when the
// whole file is one line.
const maxSnippet = 160

// WriteText writes the problems as people read them.
func (p Problems) WriteText(w io.Writer, color bool) error {
	for _, one := range p {
		if _, err := io.WriteString(w, one.render(color)); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the problems as programs read them.
func (p Problems) WriteJSON(w io.Writer) error {
	if p == nil {
		p = Problems{}
	}
	return plan.EncodeJSON(w, struct {
		Format   string   `json:"format"`
		Problems Problems `json:"problems"`
	}{"plumb/problems/v1", p}, "")
}

// String is the first line of the text form.
func (p Problem) String() string {
	word := ""
	if p.Severity == Warning {
		word = "warning: "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", escape(p.File), p.Line, p.Column, word, p.Message)
}

func (p Problem) render(color bool) string {
	paint := func(code, s string) string {
		if !color || s == "" {
			return s
		}
		return code + s + plain
	}
	accent := red
	if p.Severity == Warning {
		accent = yellow
	}
	line, column, width := p.snippet()
	var b strings.Builder
	fmt.Fprintln(&b, paint(bold, p.String()))
	if line != "" {
		fmt.Fprintf(&b, "%5d | %s\n", p.Line, line)
	}
	switch {
	case line != "":
		mark := paint(accent, strings.Repeat("^", width))
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("      | %s%s %s", strings.Repeat(" ", column), mark, p.Hint), " "))
	case p.Hint != "":
		fmt.Fprintf(&b, "      | %s\n", p.Hint)
	}
	return b.String()
}

// snippet is the line of the file as it is shown, and where in it the caret goes, from 0. Every character takes one
// column, whatever it is, so that the caret stands right.
func (p Problem) snippet() (line string, column, width int) {
	text := []rune(p.text[:min(len(p.text), farther)])
	text = text[:min(len(text), maxSnippet+1)]
	for i, r := range text {
		if r == '\t' {
			text[i] = ' '
		} else if escape(string(r)) != string(r) {
			text[i] = '?'
		}
	}
	column = min(p.Column-1-p.skipped, len(text))
	if p.skipped > 0 {
		text, column = append([]rune("..."), text...), column+3
	}
	if len(text) > maxSnippet {
		text = append(text[:maxSnippet:maxSnippet], []rune("...")...)
	}
	return strings.TrimRight(string(text), " "), column, max(1, min(p.width, len(text)-column))
}
