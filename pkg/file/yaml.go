package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxSize bounds a file in bytes, and maxNodes the values of a document with its aliases written out: 100,000 objects
// fit well within both.
const (
	maxSize  = 16 << 20
	maxNodes = 2_000_000
)

// Documents parses the data of a file into the YAML trees of its documents, without empty ones. Not ok means that the
// file cannot be read, which is reported; the documents before a syntax error are there even then.
func (r *Report) Documents(data []byte) (docs []*yaml.Node, ok bool) {
	if len(data) > maxSize {
		r.Errorf(Span{}, "the file is larger than %d MiB", maxSize>>20)
		return nil, false
	}
	if !utf8.Valid(data) {
		r.Errorf(r.invalid(), "the file is not UTF-8 text").Hint = "save it as UTF-8"
		return nil, false
	}
	lines := &lineReader{data: data}
	dec := yaml.NewDecoder(lines)
	for {
		doc, err := decodeOne(dec)
		switch {
		case errors.Is(err, io.EOF):
			return docs, true
		case err != nil:
			r.syntax(err, lines.given)
			return docs, false
		case doc != nil:
			docs = append(docs, doc)
		}
	}
}

// decodeOne reads the next document; nil is an empty one. The library panics on some malformed input that it means to
// reject, which is an error of that input as any other.
func decodeOne(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, fmt.Errorf("yaml: malformed document: %v", p)
		}
	}()
	var n yaml.Node
	if err := dec.Decode(&n); err != nil {
		return nil, err
	}
	if len(n.Content) == 0 || isNull(n.Content[0]) {
		return nil, nil
	}
	return n.Content[0], nil
}

// lineReader gives one line a call, so that it is known how far the parser came.
type lineReader struct {
	data  []byte
	given int
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.data) == 0 {
		return 0, io.EOF
	}
	n := bytes.IndexByte(l.data, '\n') + 1
	if n == 0 {
		n = len(l.data)
	}
	n = copy(p, l.data[:n])
	if l.data[n-1] == '\n' || n == len(l.data) {
		l.given++
	}
	l.data = l.data[n:]
	return n, nil
}

// syntax reports what the parser could not read. Its error has a line number only inside the text, none on the first
// line, and counts from 0 what it did not find; where it names the start of a block that breaks further down, the
// last line that it took is nearer to the mistake.
func (r *Report) syntax(err error, given int) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits, by the expression
		text = text[len(m[0]):]
	}
	switch {
	case strings.HasPrefix(text, "did not find expected ','"):
		line = r.opened(line)
	case strings.HasPrefix(text, "did not find expected"):
		line = given
	}
	at := r.firstWord(line)
	if strings.HasPrefix(text, "control characters") {
		at = r.findFunc(func(c rune) bool { return c != '\t' && unicode.IsControl(c) }, at)
	}
	if m := regexp.MustCompile(`^unknown anchor '(.+)' referenced`).FindStringSubmatch(text); m != nil {
		at = r.find("*"+m[1], at)
		text = fmt.Sprintf("no anchor &%s stands before this alias", m[1])
	}
	p := r.Errorf(at, "not valid YAML: %s", text)
	switch {
	case strings.ContainsRune(r.indent(p.Line), '\t'):
		p.Hint = "indent with spaces: YAML knows no tabs there"
	case strings.Contains(text, "unexpected end of stream"):
		p.Hint = "is a quote missing?"
	}
}

// indent is the white space that a line begins with.
func (r *Report) indent(line int) string {
	if line > len(r.lines()) {
		return ""
	}
	text := r.lines()[line-1]
	return text[:len(text)-len(strings.TrimLeft(text, " \t"))]
}

// opened is the line of the bracket that is not closed. The parser counts it from 0, but where that would be the
// first line, it gives the line on which it gave up.
func (r *Report) opened(line int) int {
	for _, l := range []int{line + 1, line} {
		if l > len(r.lines()) {
			continue
		}
		text := r.lines()[l-1]
		if strings.Count(text, "[")+strings.Count(text, "{") > strings.Count(text, "]")+strings.Count(text, "}") {
			return l
		}
	}
	return 1
}

func place(line, column, width int) Span { return Span{int32(line), int32(column), int32(width)} }

// firstWord is the text of a line, or of the last one before it that has any.
func (r *Report) firstWord(line int) Span {
	for line = min(line, len(r.lines())); line > 0; line-- {
		text := strings.TrimRight(r.lines()[line-1], " \t")
		word := strings.TrimLeft(text, " \t")
		if word != "" && word[0] != '#' {
			return place(line, 1+len(text)-len(word), utf8.RuneCountInString(word))
		}
	}
	return Span{1, 1, 1}
}

// find is the first place of a text, or else the place given.
func (r *Report) find(text string, or Span) Span {
	for i, line := range r.lines() {
		if j := strings.Index(line, text); j >= 0 {
			return place(i+1, 1+utf8.RuneCountInString(line[:j]), utf8.RuneCountInString(text))
		}
	}
	return or
}

// findFunc is the first place of such a character, or else the place given.
func (r *Report) findFunc(is func(rune) bool, or Span) Span {
	for i, line := range r.lines() {
		if j := strings.IndexFunc(line, is); j >= 0 {
			return place(i+1, 1+utf8.RuneCountInString(line[:j]), 1)
		}
	}
	return or
}

// invalid is the first place that is not UTF-8.
func (r *Report) invalid() Span {
	for i, line := range r.lines() {
		if !utf8.ValidString(line) {
			valid := strings.ToValidUTF8(line, "\x00")
			return place(i+1, 1+utf8.RuneCountInString(valid[:strings.IndexByte(valid, 0)]), 1)
		}
	}
	return Span{}
}
