package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
)

// What is asked for goes to stdout: plans, steps as they happen, JSON. Warnings, errors and what else is to be said go
// to stderr, each line after "plumb: ". Names from the file and from the kernel are escaped on both.

// json says whether JSON is asked for.
func (e *env) json() bool { return e.output.value == "json" }

// silent says whether steps are not to be printed as text.
func (e *env) silent() bool { return e.quiet || e.json() }

// print writes to stdout.
func (e *env) print(text string) error {
	_, err := io.WriteString(e.stdout, text)
	return printed(err)
}

// printJSON prints a document on one line.
func (e *env) printJSON(doc any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	return printed(enc.Encode(doc))
}

// printed makes the error of writing to stdout that of a command.
func printed(err error) error {
	if err != nil {
		return &exitError{exitNotRun, err}
	}
	return nil
}

// printDocuments prints the JSON form of what could be planned of n topologies: an array when they are several, and
// nothing for one that had no plan.
func (e *env) printDocuments(docs []plan.Document, n int) error {
	if n == 1 && len(docs) == 0 {
		return nil
	}
	return plan.WriteJSON(e.stdout, docs, n > 1)
}

// maxLine bounds what is said at once, in bytes: an argument may be of any length.
const maxLine = 4000

// say writes a line for people to stderr.
func (e *env) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "..."
	}
	e.live.over(func() {
		_, _ = io.WriteString(e.stderr, "plumb: "+plan.Printable(text)+"\n") // nowhere else to say it
	})
}

func (e *env) hint(command string) {
	_, _ = fmt.Fprintf(e.stderr, "See '%s'.\n", command) // as say
}

func (e *env) warn(text string) {
	if !e.quiet {
		e.say("warning: %s", text)
	}
}

// took says, when it is asked for, how long something took.
func (e *env) took(what string, since time.Time) {
	if e.verbose {
		e.say("%s in %v", what, time.Since(since).Round(time.Millisecond))
	}
}

// trace says what was written to the kernel, and how long that took.
func (e *env) trace(what string, took time.Duration, err error) {
	failed := ""
	if err != nil {
		failed = ": " + err.Error()
	}
	e.say("%9s  %s%s", took.Round(time.Microsecond), what, failed)
}

// colored says whether to print on w in colour. --color is stronger than NO_COLOR (no-color.org), and that than a
// terminal.
func (e *env) colored(w io.Writer) bool {
	switch e.color.value {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && terminal(w) != nil
}

// text prepares the printing of a target's steps.
func (e *env) text(t target) *plan.Text {
	return &plan.Text{Name: t.name, File: t.file, Source: t.source, Color: e.colored(e.stdout), All: e.verbose}
}

// suggest adds to cobra's error about an unknown command the one that may be meant.
func suggest(err error, root *cobra.Command) error {
	var name string
	if _, scanErr := fmt.Sscanf(err.Error(), "unknown command %q for", &name); scanErr != nil {
		return err
	}
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s?", name, strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", name)
}
