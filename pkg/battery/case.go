package battery

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Case is what a file of testdata/cases tells. Only From, or Wrong, is needed.
type Case struct {
	// Name is KIND/NAME.
	Name string
	// About is what stands before the first section: what the case is for.
	About string
	// Requires are commands that fail where the kernel lacks what the case needs. They run in a network namespace of
	// their own.
	Requires []Command
	// Files are what else stands beside the topology, by name: files that only root can read.
	Files map[string]string
	// With are commands that make what else there is on the host.
	With []Command
	// From and To are topologies of one name: the one that is tried, and another that it is changed to and back from.
	From, To string
	// Anew are the links that such a change makes anew, as "br0" or "ns1/eth0". All others that both have stay.
	Anew []string
	// Hand are changes by hand, each of which diff sees and apply undoes.
	Hand []Drift
	// Others are things of other programs, each of which diff and apply leave alone.
	Others []Drift
	// Packets are commands that succeed while From is applied, as of ping(8).
	Packets []Command
	// Wrong are topologies that are refused, each with the lines that say why.
	Wrong []Wrong
}

// Command is one that is run without a shell, in a namespace; "" is the host.
type Command struct {
	NS   string
	Argv []string
}

// String is the command as it stands in a case.
func (c Command) String() string {
	line := strings.Join(c.Argv, " ")
	if c.NS != "" {
		return "in " + c.NS + " " + line
	}
	return line
}

// Drift is one change by hand.
type Drift struct {
	Name string
	Do   []Command
	// Plan are beginnings of lines of the plan that undoes it: "update link ns1/eth0:  down -> up".
	Plan []string
	// Anew are the links that apply makes anew.
	Anew []string
	// Gone are links that the kernel deletes some time after the change.
	Gone []string
	// Passes says that the kernel would undo the change by itself before long.
	Passes bool
}

// Wrong is a topology that is refused. Each line of Problem is in what is said of it.
type Wrong struct{ File, Problem string }

// Parse reads a case: a txtar archive of these sections, each of which may be missing.
//
//	requires, with, packets  one command a line; "in NS " before it names a namespace. There is no shell: quotes keep
//	                         words together, and nothing is expanded. "rest" waits until the kernel is done with what
//	                         was before it, and "feature LINK NAME on|off" is what ethtool -K does
//	from, to                 topologies
//	file NAME                a file beside them, where commands run too
//	anew                     names of links
//	hand, others             paragraphs: "# NAME", commands, and lines "> BEGINNING" of the plan, "anew LINK...",
//	                         "gone LINK...", "passes"
//	wrong, problem           a topology and what is said of it, in turn, as often as need be
//
// A line that begins with # is a comment, but for the first of a paragraph.
func Parse(path string) (Case, error) {
	c := Case{Name: filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".txtar")}
	archive, err := txtar.ParseFile(path)
	if err != nil {
		return c, err
	}
	c.About = strings.TrimSpace(string(archive.Comment))
	seen := make(map[string]bool)
	for _, f := range archive.Files {
		if seen[f.Name] && f.Name != "wrong" && f.Name != "problem" {
			err = fmt.Errorf("it stands twice")
		} else {
			err = c.add(f.Name, string(f.Data))
		}
		if err != nil {
			return c, fmt.Errorf("case %s: section %s: %w", c.Name, f.Name, err)
		}
		seen[f.Name] = true
	}
	return c, c.complete()
}

func (c *Case) add(section, text string) (err error) {
	if name, ok := strings.CutPrefix(section, "file "); ok {
		if c.Files == nil {
			c.Files = make(map[string]string)
		}
		c.Files[name] = text
		return nil
	}
	switch section {
	case "requires":
		c.Requires, err = commands(text)
	case "with":
		c.With, err = commands(text)
	case "packets":
		c.Packets, err = commands(text)
	case "from":
		c.From = text
	case "to":
		c.To = text
	case "anew":
		c.Anew = strings.Fields(text)
	case "hand":
		c.Hand, err = drifts(text)
	case "others":
		c.Others, err = drifts(text)
	case "wrong":
		c.Wrong = append(c.Wrong, Wrong{File: text})
	case "problem":
		if len(c.Wrong) == 0 || c.Wrong[len(c.Wrong)-1].Problem != "" {
			return fmt.Errorf("no topology stands before it")
		}
		c.Wrong[len(c.Wrong)-1].Problem = text
	default:
		return fmt.Errorf("there is no such section")
	}
	return err
}

// complete says whether the sections go together.
func (c *Case) complete() error {
	for _, w := range c.Wrong {
		if strings.TrimSpace(w.Problem) == "" {
			return fmt.Errorf("case %s: a wrong topology without a problem", c.Name)
		}
	}
	switch {
	case c.From == "" && len(c.Wrong) == 0:
		return fmt.Errorf("case %s: neither from nor wrong", c.Name)
	case c.From == "" && (c.To != "" || len(c.Hand)+len(c.Others)+len(c.Packets) > 0):
		return fmt.Errorf("case %s: to, hand, others or packets without from", c.Name)
	case c.To == "" && len(c.Anew) > 0:
		return fmt.Errorf("case %s: anew without to", c.Name)
	}
	return nil
}

// commands reads one command a line.
func commands(text string) (list []Command, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		c, err := command(line)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func command(line string) (Command, error) {
	argv, err := words(line)
	if err != nil {
		return Command{}, fmt.Errorf("%s: %w", line, err)
	}
	if argv[0] != "in" {
		return Command{Argv: argv}, nil
	}
	if len(argv) < 3 {
		return Command{}, fmt.Errorf("%s: want in NS COMMAND", line)
	}
	return Command{NS: argv[1], Argv: argv[2:]}, nil
}

// words splits a line at white space. What stands between quotes of either sort is kept as it is.
func words(line string) (list []string, err error) {
	var b strings.Builder
	quote, begun := rune(0), false
	for _, r := range line {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == ' ' || r == '\t'):
			if begun {
				list = append(list, b.String())
			}
			b.Reset()
			begun = false
		default:
			b.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if begun {
		list = append(list, b.String())
	}
	return list, nil
}

// drifts reads paragraphs.
func drifts(text string) (list []Drift, err error) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if strings.TrimSpace(paragraph) == "" {
			continue
		}
		d, err := drift(paragraph)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func drift(paragraph string) (d Drift, err error) {
	for line := range strings.Lines(strings.TrimSpace(paragraph)) {
		line = strings.TrimSpace(line)
		first, rest, _ := strings.Cut(line, " ")
		switch {
		case first == "#" && d.Name == "":
			d.Name = rest
		case strings.HasPrefix(line, "#"):
		case d.Name == "":
			return d, fmt.Errorf("%s: a paragraph begins with # and its name", line)
		case first == ">":
			d.Plan = append(d.Plan, rest)
		case first == "anew":
			d.Anew = append(d.Anew, strings.Fields(rest)...)
		case line == "passes":
			d.Passes = true
		case first == "gone":
			d.Gone = append(d.Gone, strings.Fields(rest)...)
		default:
			c, err := command(line)
			if err != nil {
				return d, err
			}
			d.Do = append(d.Do, c)
		}
	}
	if len(d.Do) == 0 {
		return d, fmt.Errorf("%s: no command", d.Name)
	}
	return d, nil
}
