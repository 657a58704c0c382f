package topology

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
)

// Names reads no more than the names of topologies, each once, whatever else is wrong with the files. Not ok means that
// the name of one could not be read.
func Names(inputs ...Input) (all []*Topology, ok bool) {
	for _, in := range inputs {
		names, ok := namesIn(in)
		if !ok {
			return nil, false
		}
		for _, name := range names {
			if !slices.ContainsFunc(all, func(t *Topology) bool { return t.Name == name }) {
				all = append(all, &Topology{Name: name, File: in.Name})
			}
		}
	}
	return all, len(all) > 0
}

func namesIn(in Input) (names []string, ok bool) {
	r := file.NewReport(in.Name, in.Data)
	docs, ok := r.Documents(in.Data)
	if !ok {
		return namesInText(in.Data)
	}
	for _, n := range docs {
		name := newChecker(r, in, n, table()).t.Name
		if name == "" {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

var (
	// nameLine is a line that names a topology: a key at the left edge belongs to the document itself.
	nameLine = regexp.MustCompile(`(?m)^name:[ \t]+["']?([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)["']?[ \t]*(?:#.*)?\r?$`)
	// docLine is a line that begins another document, and saying one that says something.
	docLine = regexp.MustCompile(`(?m)^---([ \t].*)?\r?$`)
	saying  = regexp.MustCompile(`(?m)^[ \t]*[^#\s]`)
)

// namesInText finds the names in a file that is no YAML, where a bracket is left open or a line has a tab.
func namesInText(data []byte) (names []string, ok bool) {
	for _, doc := range docLine.Split(string(bytes.TrimPrefix(data, []byte("\ufeff"))), -1) {
		found := nameLine.FindAllStringSubmatch(doc, -1)
		switch {
		case len(found) == 1:
			names = append(names, found[0][1])
		case len(found) > 1 || saying.MatchString(doc):
			return nil, false
		}
	}
	return names, true
}
