package file

import (
	"cmp"
	"fmt"
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

	text  string // the line of the file
	width int    // how many characters of it are meant
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
	problems []*Problem
}

// NewReport makes the report of a file; name is as the user gave it.
func NewReport(name string, data []byte) *Report {
	return &Report{file: name, lines: sync.OnceValue(func() []string { return splitLines(string(data)) })}
}

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
		Severity: s, File: r.file, Line: int(at.Line), Column: int(at.Column), Message: escape(message), width: int(at.Width),
	}
	if lines := r.lines(); p.Line <= len(lines) {
		p.text = lines[p.Line-1]
	}
	r.problems = append(r.problems, p)
	return p
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
			list[len(list)-1].Hint = escape(p.Hint)
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
