package topology

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
)

// FuzzLoad holds that no input makes Load panic or hang, and that the objects of what it takes for sound are so.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"../../examples/*.yaml", "../../testdata/topology/wrong/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if filepath.Ext(file) == ".txtar" {
				data = txtar.Parse(data).Files[0].Data
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, problems := Load(Input{Name: "t.yaml", Data: data})
		if err := problems.WriteText(io.Discard, true); err != nil {
			t.Fatal(err)
		}
		for i, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" || i > 0 && p.Line < problems[i-1].Line {
				t.Errorf("%+v", p)
			}
		}
		if problems.HasErrors() {
			return
		}
		for _, topo := range all {
			if err := new(object.Name).Parse("", topo.Name); err != nil {
				t.Error(err)
			}
			for _, o := range topo.Objects() {
				if n, ok := o.(kinds.Namespace); ok {
					if err := new(object.NamespaceName).Parse("", n.Name); err != nil {
						t.Error(err)
					}
				}
			}
			consistent(t, topo)
		}
	})
}
