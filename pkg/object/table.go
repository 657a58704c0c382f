package object

import (
	"cmp"

	"github.com/plumbnet/plumb/pkg/file"
)

// MainTable is the routing table of routes that name none (RT_TABLE_MAIN).
const MainTable = 254

// TableNumber is the number of a routing table.
type TableNumber uint32

// localTable is the table of the host's own addresses (RT_TABLE_LOCAL).
const localTable = 255

// Parse implements [file.Parser]. A name is one of this host's: see rt_tables in ip-route(8).
func (t *TableNumber) Parse(name, s string) error {
	n, err := file.ParseNumber(name, s, 1, 1<<32-1)
	switch {
	case s == "main":
		n, err = MainTable, nil
	case s == "local":
		n, err = localTable, nil
	case err != nil && s != "" && (s[0] < '0' || s[0] > '9') && s[0] != '-':
		number, known := namedTable(s)
		if number == 0 {
			return file.Flaw{
				Message: "no routing table is called " + file.Quote(s) + " on this host",
				Hint:    cmp.Or(file.Suggest(s, known), "give its number, or name it in /etc/iproute2/rt_tables"),
			}
		}
		n, err = int64(number), nil
	}
	if err != nil {
		return err
	}
	if n == localTable {
		return file.Flawf("table 255 (local) is the kernel's own")
	}
	*t = TableNumber(n)
	return nil
}

// Text implements [file.Described].
func (*TableNumber) Text() file.Text {
	return file.Text{Words: "number of a table, or its name in rt_tables", Types: []string{"integer", "string"}}
}
