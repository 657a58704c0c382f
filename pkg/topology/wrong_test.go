package topology

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected problems in testdata/topology/wrong")

// TestWrong loads the files of each archive, and compares the problems with the archive's file "want", byte by byte.
func TestWrong(t *testing.T) {
	files, err := filepath.Glob("../../testdata/topology/wrong/*.txtar")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, want := wrong(t, a)
			if *update && !bytes.Equal(got, want.Data) {
				want.Data = got
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want.Data) {
				t.Errorf("got\n%s\nwant\n%s", got, want.Data)
			}
		})
	}
}

// wrong gives the problems of an archive's files, and the file that says what they should be.
func wrong(t *testing.T, a *txtar.Archive) (got []byte, want *txtar.File) {
	t.Helper()
	var inputs []Input
	for i := range a.Files {
		if a.Files[i].Name == "want" {
			want = &a.Files[i]
			continue
		}
		inputs = append(inputs, Input{Name: a.Files[i].Name, Data: a.Files[i].Data})
	}
	if want == nil {
		a.Files = append(a.Files, txtar.File{Name: "want"})
		want = &a.Files[len(a.Files)-1]
	}
	_, problems := Load(inputs...)
	if len(problems) == 0 {
		t.Error("no problem was found")
	}
	var b bytes.Buffer
	if err := problems.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), want
}
