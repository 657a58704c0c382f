package object_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// What a link was told is known as long as it lives and nothing else may have been told to it.
func TestTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "host")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	load := func() *object.Record {
		r, err := object.LoadRecord(dir)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := map[string]string{"port": "1"}, map[string]string{"port": "2"}
	k, other := object.LinkKey("ns1", "wg0"), object.LinkKey("ns2", "wg0")
	v := load().View("lab")
	v.Tell(k, 5, a)
	v.Tell(other, 6, a)
	if err := v.Save(new(kernel.Seam)); err != nil {
		t.Fatal(err)
	}
	before := load()
	v = before.Clone().View("lab")
	if got := v.Told(k, 5); !reflect.DeepEqual(got, object.Told{Index: 5, Values: a}) {
		t.Errorf("%+v", got)
	}
	if v.Told(k, 7).Known() || v.Told(object.LinkKey("", "wg0"), 5).Known() {
		t.Error("another link is known")
	}
	if v.Doubt(k, 5, a) || v.Doubt(k, 7, b) || !v.Doubt(k, 5, b) || v.Doubt(k, 5, b) || !v.Told(k, 5).Unsure {
		t.Error("it is in doubt from when something else is to be told")
	}
	v.RecallTold(before, "lab", func(key plan.Key) bool { return key == k })
	if got := v.Told(k, 5); got.Unsure || got.Values["port"] != "1" || v.Told(other, 6).Known() {
		t.Errorf("%+v", v.Record.Told)
	}
	v.Doubt(k, 5, b)
	v.Tell(k, 5, b)
	v.RecallTold(before, "lab", func(plan.Key) bool { return true })
	if got := v.Told(k, 5); got.Unsure || got.Values["port"] != "2" {
		t.Errorf("%+v", got)
	}
	v.ForgetNamespace("ns1")
	if before.Leave("lab", func(key plan.Key) bool { return key == k }); v.Told(k, 5).Known() || len(before.Told) != 1 {
		t.Errorf("%+v, %+v", v.Record.Told, before.Told)
	}
}
