package source

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFollow holds that whatever an editor does to a file is heard of.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path, real := filepath.Join(dir, "lab.yaml"), filepath.Join(t.TempDir(), "real.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "1")
	write(real, "1")
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	f, err := Follow([]string{path, link})
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(){
		"written": func() { write(path, "2") },
		"renamed over": func() {
			write(path+"~", "3")
			if err := os.Rename(path+"~", path); err != nil {
				t.Fatal(err)
			}
		},
		"removed and made anew": func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(path, "4")
		},
		"written where a link leads to": func() { write(real, "2") },
	} {
		edit()
		select {
		case <-f.Changed():
		case <-time.After(20 * time.Second):
			t.Errorf("a file that is %s is not heard of", name)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestFollowAlone holds that a file beside the one that is followed counts for nothing: it may be the output of plumb.
func TestFollowAlone(t *testing.T) {
	dir := t.TempDir()
	path, beside := filepath.Join(dir, "lab.yaml"), filepath.Join(dir, "watch.log")
	for _, name := range []string{path, beside} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, followed := range []string{path, dir} {
		f, err := Follow([]string{followed})
		if err != nil {
			t.Fatal(err)
		}
		if f.concerns(beside) || !f.concerns(path) {
			t.Errorf("of %s a file beside it counts: %v, and itself: %v", followed, f.concerns(beside), f.concerns(path))
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFollowNothing(t *testing.T) {
	if f, err := Follow([]string{filepath.Join(t.TempDir(), "none", "lab.yaml")}); err == nil {
		_ = f.Close()
		t.Error("a file without a directory is followed")
	}
}
