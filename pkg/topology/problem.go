package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Severity tells what must be mended from what may be meant.
type Severity string

// The severities. A topology with an error has no objects.
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
	// Hint is what to do about it, where that can be told.
	Hint string `json:"hint"`

	text  string // the line of the file
	width int    // how many characters of it are meant
}

// Problems are listed in the order of their files, and of their places in a file.
type Problems []Problem

// HasErrors says whether one of the problems is more than a warning.
func (p Problems) HasErrors() bool {
	return slices.ContainsFunc(p, func(p Problem) bool { return p.Severity == Error })
}

// span is a stretch of a line; the zero span is none.
type span struct {
	line, column, width int
}

// before orders spans as they stand in the file.
func (s span) before(o span) bool {
	return cmp.Or(cmp.Compare(s.line, o.line), cmp.Compare(s.column, o.column)) < 0
}

// reporter collects the problems of one file.
type reporter struct {
	file     string
	lines    func() []string // split when the first problem needs one
	problems []*Problem
}

func newReporter(in Input) *reporter {
	return &reporter{file: in.Name, lines: sync.OnceValue(func() []string { return splitLines(string(in.Data)) })}
}

// errorf notes an error. The caller may set its Hint.
func (r *reporter) errorf(at span, format string, args ...any) *Problem {
	return r.note(Error, at, fmt.Sprintf(format, args...))
}

// warnf notes a warning. The caller may set its Hint.
func (r *reporter) warnf(at span, format string, args ...any) *Problem {
	return r.note(Warning, at, fmt.Sprintf(format, args...))
}

func (r *reporter) note(s Severity, at span, message string) *Problem {
	at.line, at.column, at.width = max(at.line, 1), max(at.column, 1), max(at.width, 1)
	p := &Problem{Severity: s, File: r.file, Line: at.line, Column: at.column, Message: escape(message), width: at.width}
	if lines := r.lines(); at.line <= len(lines) {
		p.text = lines[at.line-1]
	}
	r.problems = append(r.problems, p)
	return p
}

// sorted gives the problems in the order of the file. What an alias repeats is told once.
func (r *reporter) sorted() []*Problem {
	slices.SortStableFunc(r.problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	type told struct {
		line, column int
		message      string
	}
	seen := map[told]bool{}
	return slices.DeleteFunc(r.problems, func(p *Problem) bool {
		k := told{p.Line, p.Column, p.Message}
		again := seen[k]
		seen[k] = true
		return again
	})
}

// values is what callers get of the pointers by which hints were added.
func values(found []*Problem) Problems {
	p := make(Problems, len(found))
	for i := range found {
		p[i] = *found[i]
		p[i].Hint = escape(p[i].Hint)
	}
	return p
}

// escape shows what a terminal would obey, or hide: control characters and those that turn the direction of text.
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
