package file

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Severity separates what must be corrected from what may be intended.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is something wrong, or likely wrong, at a place of a file. Line and Column count from 1.
type Problem struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Message  string   `json:"message"`
	// Hint is what to do about it, where that is known.
	Hint string `json:"hint"`
	// Live says of a warning that only the live host can tell whether it is one: who looks at that leaves it out.
	Live bool `json:"-"`

	text    string // the line of the file, from where it is shown on
	skipped int    // how many characters stand before that
	width   int    // how many characters are meant
}

// Problems are listed in the order of their files, and of their places in a file.
type Problems []Problem

// HasErrors reports whether one of the problems is more than a warning.
func (p Problems) HasErrors() bool {
	return slices.ContainsFunc(p, func(p Problem) bool { return p.Severity == Error })
}

// WithoutLive leaves out the warnings of which the live host tells whether they are some.
func (p Problems) WithoutLive() Problems {
	return slices.DeleteFunc(slices.Clone(p), func(p Problem) bool { return p.Live && p.Severity == Warning })
}

// Report collects the problems of one file.
type Report struct {
	file     string
	lines    func() []string // split when the first problem needs one
	marks    map[int][]int   // by line: where every thousandth character is, once that is asked for
	hidden   map[int]bool    // lines that hold a secret
	problems []*Problem
}

// NewReport makes the report of a file; name is as the user gave it.
func NewReport(name string, data []byte) *Report {
	stars := func(key []byte) []byte { return bytes.Repeat([]byte("*"), len(key)) }
	return &Report{file: name, lines: sync.OnceValue(func() []string {
		return splitLines(string(secret.ReplaceAllFunc(data, stars)))
	})}
}

// secret is what a key of WireGuard looks like, wherever somebody has written it by mistake. A problem on its line does
// not show it.
var secret = regexp.MustCompile(`\b[A-Za-z0-9+/]{43}=`)

// hide keeps a line from being shown with any problem.
func (r *Report) hide(line int) {
	if r.hidden == nil {
		r.hidden = make(map[int]bool)
	}
	r.hidden[line] = true
}

// File is the name of the file, as the user gave it.
func (r *Report) File() string { return r.file }

// Errorf adds an error. The caller may set its Hint.
func (r *Report) Errorf(at Span, format string, args ...any) *Problem {
	return r.add(Error, at, fmt.Sprintf(format, args...))
}

// Warnf adds a warning. The caller may set its Hint.
func (r *Report) Warnf(at Span, format string, args ...any) *Problem {
	return r.add(Warning, at, fmt.Sprintf(format, args...))
}

// Clash reports two places that do not go together: at the later one, with the line of the other.
func (r *Report) Clash(s Severity, a, b Span, format string, args ...any) *Problem {
	if a.Compare(b) < 0 {
		a, b = b, a
	}
	message := fmt.Sprintf(format, args...)
	if a.Line != b.Line {
		message += ": " + b.See()
	}
	return r.add(s, a, message)
}

func (r *Report) add(s Severity, at Span, message string) *Problem {
	at.Line, at.Column, at.Width = max(at.Line, 1), max(at.Column, 1), max(at.Width, 1)
	p := &Problem{
		Severity: s, File: r.file, Line: int(at.Line), Column: int(at.Column), Message: escape(short(message, maxMessage)),
		width: int(at.Width),
	}
	if lines := r.lines(); p.Line <= len(lines) {
		p.text = lines[p.Line-1]
		if len(p.text) > maxSnippet && utf8.RuneCountInString(p.text[:min(len(p.text), farther)]) > maxSnippet {
			_, column := r.character(p.Line, p.Column-1)
			start, skipped := r.character(p.Line, max(0, column-maxSnippet/2))
			p.text, p.skipped = p.text[start:], skipped
		}
	}
	r.problems = append(r.problems, p)
	return p
}

// maxMessage bounds a message and a hint, in characters: what a file says may be of any length.
const maxMessage = 400

// farther is more bytes than the characters take that are shown of a line.
const farther = (maxSnippet + 1) * utf8.UTFMax

// short cuts a text to so many characters.
func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for i := range s {
		if most--; most < 0 {
			return s[:i] + "..."
		}
	}
	return s
}

// character finds the n-th character of a line, from 0: its place in the line's bytes, and its number, which is less
// than n at the end of the line. A file with many mistakes on one line must not be walked through for each.
func (r *Report) character(line, n int) (at, number int) {
	const every = 1000
	text := r.lines()[line-1]
	marks := r.marks[line]
	if marks == nil {
		count := 0
		for i := range text {
			if count%every == 0 {
				marks = append(marks, i)
			}
			count++
		}
		if r.marks == nil {
			r.marks = make(map[int][]int)
		}
		r.marks[line] = marks
	}
	mark := min(n/every, len(marks)-1)
	at, number = marks[mark], mark*every
	for ; number < n && at < len(text); number++ {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at, number
}

// HasErrors reports whether one of the problems so far is more than a warning.
func (r *Report) HasErrors() bool {
	return slices.ContainsFunc(r.problems, func(p *Problem) bool { return p.Severity == Error })
}

// Count is how many problems there are so far.
func (r *Report) Count() int { return len(r.problems) }

// Problems lists the problems in the order of the file. What an alias repeats is listed once.
func (r *Report) Problems() Problems {
	slices.SortStableFunc(r.problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	type place struct {
		line, column int
		message      string
	}
	seen := map[place]bool{}
	var list Problems
	for _, p := range r.problems {
		at := place{p.Line, p.Column, p.Message}
		if !seen[at] {
			list = append(list, *p)
			last := &list[len(list)-1]
			if last.Hint = escape(short(p.Hint, maxMessage)); r.hidden[p.Line] {
				last.text = ""
			}
		}
		seen[at] = true
	}
	return list
}

// escape shows what a terminal would obey or hide: control characters, and those that turn the direction of text.
func escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// splitLines splits at what YAML counts as the end of a line.
func splitLines(s string) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		end := i
		i += size
		switch r {
		case '\r':
			if i < len(s) && s[i] == '\n' {
				i++
			}
		case '\n', '\u0085', '\u2028', '\u2029':
		default:
			continue
		}
		lines = append(lines, s[start:end])
		start = i
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}
