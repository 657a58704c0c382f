package object

import (
	"errors"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/plumbnet/plumb/pkg/file"
)

func TestTableNames(t *testing.T) {
	root := fstest.MapFS{
		"usr/share/iproute2/rt_tables":           {Data: []byte("# own\n255\tlocal\n254\tmain\n253 default\n0 unspec\n")},
		"usr/share/iproute2/rt_tables.d/a.conf":  {Data: []byte("100 red\n101 blue\n")},
		"etc/iproute2/rt_tables":                 {Data: []byte("0x66 green # of the lab\n#1 inr.ruhep\nx y\n7\n1 2 3\n")},
		"etc/iproute2/rt_tables.d/b.conf":        {Data: []byte("200 blue\n4294967296 toomuch\n")},
		"etc/iproute2/rt_tables.d/README":        {Data: []byte("9 readme\n")},
		"etc/iproute2/rt_tables.d/dir.conf/file": {Data: []byte("9 file\n")},
	}
	want := map[string]uint32{
		"local": 255, "main": 254, "default": 253, "unspec": 0, "red": 100, "blue": 200, "green": 0x66,
	}
	if names := tableNames(root); !maps.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	if names := tableNames(fstest.MapFS{}); len(names) != 0 {
		t.Errorf("names without a file: %v", names)
	}
}

func TestTableNumber(t *testing.T) {
	for _, good := range []struct {
		text string
		want TableNumber
	}{{"main", 254}, {"254", 254}, {"1", 1}, {"4294967295", 1<<32 - 1}} {
		var n TableNumber
		if err := n.Parse("table", good.text); err != nil || n != good.want {
			t.Errorf("%s is %d, %v; want %d", good.text, n, err, good.want)
		}
	}
	for text, want := range map[string]file.Flaw{
		"local": {Message: "table 255 (local) is the kernel's own"},
		"255":   {Message: "table 255 (local) is the kernel's own"},
		"0":     {Message: `table must be a whole number from 1 to 4294967295, not "0"`},
		"-1":    {Message: `table must be a whole number from 1 to 4294967295, not "-1"`},
		"1x":    {Message: `table must be a whole number from 1 to 4294967295, not "1x"`},
		"":      {Message: `table must be a whole number from 1 to 4294967295, not ""`},
		"of-no-host": {
			Message: `no routing table is called "of-no-host" on this host`,
			Hint:    "give its number, or name it in /etc/iproute2/rt_tables",
		},
	} {
		var n TableNumber
		var flaw file.Flaw
		if err := n.Parse("table", text); !errors.As(err, &flaw) || flaw != want {
			t.Errorf("%q: %v (%s), want %v (%s)", text, err, flaw.Hint, want, want.Hint)
		}
	}
}
