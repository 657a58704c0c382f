package object

import (
	"bufio"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// tableDirs are where ip(8) looks for the names of routing tables, the distribution's before the administrator's:
// rt_tables, and rt_tables.d/*.conf, in each.
var tableDirs = []string{"usr/share/iproute2", "usr/lib/iproute2", "etc/iproute2"}

// tableNames are the routing tables that this host has names for. The last to name one is right, as for ip(8). Files
// that cannot be read name none.
func tableNames(root fs.FS) map[string]uint32 {
	names := make(map[string]uint32)
	for _, dir := range tableDirs {
		files, _ := fs.Glob(root, path.Join(dir, "rt_tables.d/*.conf")) // the pattern is good
		for _, name := range append([]string{path.Join(dir, "rt_tables")}, files...) {
			if text, err := fs.ReadFile(root, name); err == nil {
				maps.Copy(names, parseTableNames(text))
			}
		}
	}
	return names
}

// parseTableNames reads lines of a number, which may begin with 0x, and a name. Others are passed over, as ip(8) does.
func parseTableNames(text []byte) map[string]uint32 {
	names := make(map[string]uint32)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		field := strings.Fields(line)
		if len(field) != 2 {
			continue
		}
		if n, err := strconv.ParseUint(field[0], 0, 32); err == nil {
			names[field[1]] = uint32(n)
		}
	}
	return names
}

// namedTable is the number of the table of that name on this host; known are all names.
func namedTable(name string) (number uint32, known []string) {
	names := tableNames(os.DirFS("/"))
	return names[name], slices.Sorted(maps.Keys(names))
}
