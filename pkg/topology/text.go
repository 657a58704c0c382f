package topology

import "bytes"

// Document is the text of the topology's document: of a file with several, with the comments above the first.
func (t *Topology) Document() string {
	first := 0 // byte of the line at which the document's content begins
	for range t.line - 1 {
		first += bytes.IndexByte(t.data[first:], '\n') + 1
	}
	from, to := 0, len(t.data)
	for _, at := range docLine.FindAllIndex(t.data, -1) {
		switch {
		case at[0] > first:
			return string(t.data[from:at[0]])
		case saying.Match(t.data[:at[0]]):
			from = at[0]
		}
	}
	return string(t.data[from:to])
}
