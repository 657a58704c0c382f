package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noise is a text that can't be compressed.
func noise(t *testing.T, size int) string {
	t.Helper()
	text := make([]byte, size)
	if _, err := io.ReadFull(rand.NewChaCha8([32]byte{}), text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGitBroken holds that what a kill or a power failure leaves of the repository is mended by the next readings.
func TestGitBroken(t *testing.T) {
	for _, name := range []string{
		"refs/plumb/newest", "refs/plumb/newest.lock", "packed-refs.lock", "config.lock", "config", "HEAD", "objects",
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			g := f.source("hosts")
			f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
			path := filepath.Join(g.repository(), name)
			switch info, err := os.Stat(path); {
			case err == nil && info.IsDir():
				empty(t, path)
			default:
				file(t, path, "")
			}
			commit := f.commit("hosts/a.yaml", "name: a2")
			if _, err := g.Read(t.Context()); err != nil {
				t.Log(err)
			}
			f.reads(g, commit, "hosts/a.yaml=name: a2")
		})
	}
}

// empty makes all files beneath a directory empty.
func empty(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if err := errors.Join(os.Chmod(name, 0o600), os.Truncate(name, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGitKilled ends readings at any time: none of it keeps the next one from reading.
func TestGitKilled(t *testing.T) {
	f := newForge(t)
	g := f.source("hosts")
	for i := range 20 {
		text := fmt.Sprintf("name: a%d", i)
		commit := f.commit("hosts/a.yaml", text)
		ctx, cancel := context.WithTimeoutCause(t.Context(), rand.N(60*time.Millisecond), errors.New("ended by the test"))
		_, _ = g.Read(ctx) // ended, most often
		cancel()
		f.clean(g)
		f.reads(g, commit, "hosts/a.yaml="+text)
	}
}

// TestGitTogether reads two places of one branch at once, as two entries of one configuration do.
func TestGitTogether(t *testing.T) {
	f := newForge(t)
	f.commit("hosts/b.yaml", "name: b")
	one, two := f.source("hosts/a.yaml"), f.source("hosts/b.yaml")
	two.StateDir, two.RunDir = one.StateDir, one.RunDir
	for i := range 5 {
		var both sync.WaitGroup
		for _, g := range []*Git{one, two} {
			both.Go(func() {
				if _, err := g.Read(t.Context()); err != nil {
					t.Errorf("%s: %v", g.Path, err)
				}
			})
		}
		both.Wait()
		f.commit("hosts/a.yaml", fmt.Sprintf("name: a%d", i))
	}
}

// TestGitNames reads files with names that a shell or git would obey, and by none that git would expand.
func TestGitNames(t *testing.T) {
	f := newForge(t)
	commit := f.commit("odd/-rf $(id) *\".yaml", "name: a")
	f.reads(f.source("odd"), commit, "odd/-rf $(id) *\".yaml=name: a")
	f.reads(f.source("odd/-rf $(id) *\".yaml"), commit, "odd/-rf $(id) *\".yaml=name: a")
	for _, path := range []string{"*", "odd/*", ":", ":(glob)**"} {
		_ = f.refuses(f.source(path), "there is no "+path)
	}
}

// TestGitFull reads with a full disk, and then with room again.
func TestGitFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	f := newForge(t)
	g := f.source("hosts")
	if err := unix.Mount("tmpfs", g.StateDir, "tmpfs", 0, "size=1m,mode=711"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(g.StateDir, unix.MNT_DETACH) })
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	f.commit("noise", noise(t, 2<<20))
	_ = f.refuses(g, "No space left on device")
	f.git("reset", "-q", "--hard", "HEAD~1")
	f.reads(g, f.commit("hosts/a.yaml", "name: a2"), "hosts/a.yaml=name: a2")
}
