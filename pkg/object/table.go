package object

import "github.com/plumbnet/plumb/pkg/file"

// MainTable is the routing table of routes that name none (RT_TABLE_MAIN).
const MainTable = 254

// TableNumber is the number of a routing table.
type TableNumber uint32

// Parse implements [file.Parser].
func (t *TableNumber) Parse(name, s string) error {
	switch s {
	case "main":
		*t = MainTable
		return nil
	case "local", "255":
		return file.Flawf("table 255 (local) is the kernel's own")
	}
	n, err := file.ParseNumber(name, s, 1, 1<<32-1)
	if err == nil {
		*t = TableNumber(n)
	}
	return err
}

// Text implements [file.Described].
func (*TableNumber) Text() file.Text {
	return file.Text{Words: "number of a table, or main", Types: []string{"integer", "string"}}
}
