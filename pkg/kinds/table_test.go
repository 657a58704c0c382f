package kinds_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// TestTable: every row is complete, its objects are comparable values, and an example declares one.
func TestTable(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	declared := make(map[string]bool)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all, problems := topology.Load(topology.Input{Name: file, Data: data})
		if len(problems) > 0 {
			t.Errorf("%s: %v", file, problems)
		}
		for _, topo := range all {
			for _, o := range topo.Objects() {
				declared[o.Key().Kind] = true
				if !reflect.TypeOf(o).Comparable() || reflect.TypeOf(o).Kind() != reflect.Struct {
					t.Errorf("%T is no comparable struct", o)
				}
			}
		}
	}
	seen := make(map[string]bool)
	for _, k := range kinds.Table() {
		if k.Read == nil || k.Owner == nil || k.Put == nil || k.Del == nil || seen[k.Name] {
			t.Errorf("row %q is not complete, or stands twice", k.Name)
		}
		seen[k.Name] = true
		if !declared[k.Name] {
			t.Errorf("no example declares a %s", k.Name)
		}
	}
	for name := range declared {
		if !seen[name] {
			t.Errorf("there is no row for %s", name)
		}
	}
}

// What belongs to an object is compared, field by field.
func TestCompared(t *testing.T) {
	var specs []reflect.Type
	for _, row := range link.Types {
		specs = append(specs, reflect.TypeOf(row.New()))
		if row.Ports != nil {
			specs = append(specs, reflect.TypeOf(row.Ports.New()))
		}
	}
	for _, o := range []plan.Object{
		kinds.Namespace{}, kinds.Sysctl{}, kinds.Altname{}, kinds.Offload{}, kinds.Neighbor{}, kinds.Address{},
		kinds.Route{}, kinds.Rule{}, kinds.NAT{},
	} {
		if err := plan.CheckType(reflect.TypeOf(o)); err != nil {
			t.Error(err)
		}
	}
	for _, spec := range specs {
		if err := plan.CheckType(reflect.TypeFor[link.Link](), spec); err != nil {
			t.Error(err)
		}
	}
}
