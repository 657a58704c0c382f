package plan

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Outcome is a step and what became of it.
type Outcome struct {
	Step Step
	// Result is empty in a plan that has not been carried out.
	Result Result
	// Err is why a step failed.
	Err error
	// Unplanned marks a step that no plan had shown: it was found when the kernel was read again.
	Unplanned bool
}

// Result says what became of a step.
type Result string

// The results of a step. Undoing is that of a step of a rollback.
const (
	Done    Result = "done"
	Failed  Result = "failed"
	Undone  Result = "undone"
	Skipped Result = "skipped"
	Undoing Result = "undoing"
)

// Outcomes gives the steps of a plan the same result each.
func (p Plan) Outcomes(result Result) []Outcome {
	lines := make([]Outcome, len(p.Steps))
	for i, s := range p.Steps {
		lines[i] = Outcome{Step: s, Result: result}
	}
	return lines
}

// The widths, in characters, that a column grows to: one long name moves its own line only.
const (
	maxLabel = 44
	maxText  = 60
)

// Text prints the steps of one topology in three columns: what is changed, how and why, and its line in the file. A
// step is a line, and one more for each further field that changes.
type Text struct {
	// Name is the topology's, and File its file's; File may be empty.
	Name, File string
	// Source finds the place of an object in the file; nil knows none.
	Source func(Key) (Source, bool)
	Color  bool
	// All prints the quiet fields too.
	All bool

	label, text int
}

// Fit sets the widths of the columns so that the steps of p stand in line, however many of them are printed.
func (t *Text) Fit(p Plan) {
	t.label, t.text = 0, 0
	for _, s := range p.Steps {
		c := t.columns(Outcome{Step: s})
		if n := width(c.label); c.text+c.source != "" && n <= maxLabel {
			t.label = max(t.label, n)
		}
		if n := width(c.text); c.source != "" && n <= maxText {
			t.text = max(t.text, n)
		}
	}
}

// WritePlan prints a plan with its head and its sum, or that there is nothing to do.
func (t *Text) WritePlan(w io.Writer, p Plan) error {
	if len(p.Steps) == 0 {
		return t.WriteInSync(w, p)
	}
	t.Fit(p)
	b := bufio.NewWriter(w)
	_ = t.WriteHead(b) // a bufio.Writer keeps its first error for Flush
	for _, s := range p.Steps {
		_ = t.WriteLine(b, Outcome{Step: s})
	}
	_, _ = b.WriteString("Plan: " + sum(p.Outcomes(""), planned) + ".\n")
	return b.Flush()
}

// WriteInSync prints that there is nothing to do.
func (t *Text) WriteInSync(w io.Writer, p Plan) error {
	_, err := fmt.Fprintf(w, "%s: in sync (%s)\n", Printable(t.Name), Count(p.Wanted, "object"))
	return err
}

// WriteHead prints the line above the steps: "docker0 (topology.yaml)".
func (t *Text) WriteHead(w io.Writer) error {
	head := t.Name
	if t.File != "" {
		head += " (" + t.File + ")"
	}
	_, err := io.WriteString(w, Printable(head)+"\n")
	return err
}

// WriteLine prints one step, and below it why it failed.
func (t *Text) WriteLine(w io.Writer, l Outcome) error {
	c := t.columns(l)
	var b strings.Builder
	action := l.Step.Action
	if l.Step.onlySwapped() {
		action = Update
	}
	b.WriteString(t.symbol(action))
	b.WriteByte(' ')
	b.WriteString(c.label)
	if c.text+c.source != "" {
		pad(&b, t.label-width(c.label))
		b.WriteString("  " + c.text)
	}
	if c.source != "" {
		pad(&b, t.text-width(c.text))
		b.WriteString("  " + c.source)
	}
	b.WriteByte('\n')
	for _, text := range c.more {
		pad(&b, symbolWidth+1+max(t.label, width(c.label)))
		b.WriteString("  " + text + "\n")
	}
	if l.Err != nil {
		b.WriteString("    failed: " + Printable(l.Err.Error()) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Line is one step in one line, without its place: "~ link br0  mtu 1400 -> 1500".
func (t *Text) Line(l Outcome) string {
	c := t.columns(l)
	line := strings.TrimSpace(t.symbol(l.Step.Action)) + " " + c.label
	if c.text != "" {
		line += "  " + strings.Join(append([]string{c.text}, c.more...), ", ")
	}
	return line
}

// WriteSum prints the line below the steps of a run: "Applied: 8 created, 1 changed." Steps that were not done are
// counted by what became of them.
func (t *Text) WriteSum(w io.Writer, verb string, lines []Outcome) error {
	_, err := fmt.Fprintf(w, "%s: %s.\n", verb, sum(lines, done))
	return err
}

// columns are a line's parts, escaped. More stands below text.
type columns struct {
	label, text, source string
	more                []string
}

func (t *Text) columns(l Outcome) columns {
	text, more := t.describe(l.Step)
	if l.Result != "" && l.Result != Done && l.Err == nil {
		text = mark(string(l.Result), text)
	}
	if l.Unplanned {
		text = mark("unplanned", text)
	}
	c := columns{label: Printable(l.Step.Key().Label()), text: Printable(text)}
	for _, text := range more {
		c.more = append(c.more, Printable(text))
	}
	if src, ok := l.Step.Source(t.Source); ok {
		c.source = ":" + strconv.Itoa(src.Line)
		if src.File != t.File { // else the head has it
			c.source = Printable(src.File) + c.source
		}
	}
	return c
}

func mark(word, text string) string {
	if text == "" {
		return word
	}
	return word + ": " + text
}

// describe says how and why: what a creation makes, or what differs, then the reason. What differs beside the first
// field is in more.
func (t *Text) describe(s Step) (text string, more []string) {
	differ := differences(t.shown(s.Fields))
	what := strings.Join(differ, ", ")
	object := s.Changes[0].New
	fixed := onlyFixed(s.Fields)
	switch {
	case s.Action == Refuse:
		what = ""
	case s.onlySwapped():
	case s.Action == Replace && len(fixed) > 0:
		what = strings.Join(differences(fixed), ", ") + " cannot change in place"
	case object != nil && (s.Action == Create || what+s.Reason == ""):
		what = describeNew(s.Changes)
	case len(differ) > 1:
		what, more = differ[0], differ[1:]
	}
	if s.Action == Adopt && what != "" {
		return mark(s.Reason, what), more
	}
	return joinReasons(what, s.Reason), more
}

func describeNew(changes []Change) string {
	if pair, ok := changes[0].New.(Paired); ok && len(changes) == 2 {
		return pair.DescribePair(changes[1].New)
	}
	return changes[0].New.Describe()
}

// shown makes quiet fields loud where they are asked for, or are all that differs.
func (t *Text) shown(fields []Field) []Field {
	if !t.All && slices.ContainsFunc(fields, func(f Field) bool { return !f.Quiet }) {
		return fields
	}
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Quiet = false
	}
	return fields
}

// Label names the object with its kind, as a plan does: "link ns1/eth0", "route ns1 10.9.0.0/24". What is called by a
// link is written as a place, like the link.
func (k Key) Label() string {
	switch {
	case k.NS == "":
		return k.Kind + " " + k.Name
	case slices.Contains([]string{"link", "altname", "offload", "address", "neighbor"}, k.Kind):
		return k.Kind + " " + k.Place()
	}
	return k.Kind + " " + k.NS + " " + k.Name
}

// look is how the steps of an action print: their symbol in three columns, its ANSI colour, and the words that count
// them before and after a run.
type look struct {
	action        Action
	symbol, color string
	planned, done string
}

// symbolWidth is how many characters a symbol has.
const symbolWidth = 3

// looks stand in the order of a sum.
func looks() [7]look {
	const red, green, yellow, magenta = "31", "32", "33", "35"
	return [...]look{
		{Create, "  +", green, "to create", "created"},
		{Update, "  ~", yellow, "to change", "changed"},
		{Delete, "  -", red, "to delete", "deleted"},
		{restores, "  -", red, "to restore", "restored"},
		{Replace, "-/+", magenta, "to replace", "replaced"},
		{Adopt, "  =", yellow, "to adopt", "adopted"},
		{Refuse, "  !", red, "refused", "refused"},
	}
}

func (t *Text) symbol(a Action) string {
	for _, k := range looks() {
		if k.action != a {
			continue
		}
		if t.Color {
			return "\x1b[" + k.color + "m" + k.symbol + "\x1b[0m"
		}
		return k.symbol
	}
	return "  ?"
}

func planned(l look) string { return l.planned }
func done(l look) string    { return l.done }

// restores is how a sum counts a deletion that only gives back what was before.
const restores Action = "restore"

func counted(s Step) Action {
	if r, ok := s.Changes[0].Old.(Restoring); ok && s.Action == Delete && r.Restores() {
		return restores
	}
	return s.Action
}

// sum counts steps by action, and those that were not done by result: "2 created, 1 changed; 1 failed, 3 undone".
func sum(lines []Outcome, word func(look) string) string {
	actions, results := make(map[Action]int), make(map[Result]int)
	var order []Result
	for _, l := range lines {
		if l.Result == "" || l.Result == Done {
			actions[counted(l.Step)]++
			continue
		}
		if results[l.Result] == 0 {
			order = append(order, l.Result)
		}
		results[l.Result]++
	}
	var did, rest []string
	for _, k := range looks() {
		if n := actions[k.action]; n == 0 {
			continue
		} else if words := fmt.Sprintf("%d %s", n, word(k)); k.action == Refuse {
			rest = append(rest, words)
		} else {
			did = append(did, words)
		}
	}
	for _, result := range order {
		rest = append(rest, fmt.Sprintf("%d %s", results[result], result))
	}
	return cmp.Or(joinReasons(strings.Join(did, ", "), strings.Join(rest, ", ")), "nothing")
}

func width(s string) int { return utf8.RuneCountInString(s) }

func pad(b *strings.Builder, n int) {
	for range n {
		b.WriteByte(' ')
	}
}

// Listing joins words, as many as a person reads: "br0, br1, br2 and 12 more".
func Listing(words []string) string {
	const most = 10
	list := strings.Join(words[:min(len(words), most)], ", ")
	if len(words) > most {
		list += fmt.Sprintf(" and %d more", len(words)-most)
	}
	return list
}

// Printable escapes what a terminal could take for an order, and what isn't text, as Go writes it: \x1b.
func Printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}
