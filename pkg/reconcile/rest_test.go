package reconcile_test

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// named opens a namespace by its name.
func (l *lab) named(name string) (n *kernel.Namespace) {
	l.Helper()
	err := kernel.OnThread(func(t kernel.Thread) (err error) {
		n, err = kernel.Named(t, name, l.seam)
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(n.Close)
	return n
}

// rest has all closed that is open of a namespace.
func rest(n *kernel.Namespace) {
	_ = kernel.OnThread(func(t kernel.Thread) error {
		n.Use(t)
		return nil
	})
}

// lastDescriptor is the highest of this process.
func (l *lab) lastDescriptor() (last int) {
	l.Helper()
	snapshot.Close()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		l.Fatal(err)
	}
	for _, e := range open {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			l.Fatal(err)
		}
		last = max(last, n)
	}
	return last
}

// A namespace that rests is found again by its name, as long as that is its own: nothing is asked of another, nor is
// its name taken away.
func TestRest(t *testing.T) {
	l := newLab(t)
	l.script("ip netns add r0")
	n := l.named("r0")
	uses := func() map[string]error {
		_, read := object.ListLinks(n)
		rest(n)
		_, fd := n.FD()
		rest(n)
		_, nft := n.NFTUntouched()
		rest(n)
		inside := n.Inside(func() error { return nil })
		return map[string]error{"read": read, "descriptor": fd, "nftables": nft, "inside": inside}
	}
	expect := func(when string, want error) {
		t.Helper()
		rest(n)
		for use, err := range uses() {
			if !errors.Is(err, want) {
				t.Errorf("%s: %s: %v, want %v", when, use, err, want)
			}
		}
	}
	expect("at rest", nil)
	rest(n)
	l.script("ip netns del r0")
	expect("when it is gone", fs.ErrNotExist)
	l.script("ip netns add r0")
	expect("when another has the name", kernel.ErrOther)
	if err := n.Delete(); !errors.Is(err, kernel.ErrOther) {
		t.Errorf("delete when another has the name: %v, want %v", err, kernel.ErrOther)
	}
	l.script("ip netns del r0") // which is still there
	n.Close()
	expect("when it is closed", kernel.ErrClosed)
}

// A namespace that is still open is used again where its name is wanted, and another's is not taken for it.
func TestAgain(t *testing.T) {
	l := newLab(t)
	l.script("ip netns add r0\nip netns add r1")
	n, again := l.named("r0"), (*kernel.Namespace)(nil)
	look := func(name string) (err error) {
		err = kernel.OnThread(func(t kernel.Thread) (err error) {
			again, err = n.Again(t, name, l.seam)
			return err
		})
		if err == nil && again != n {
			l.Cleanup(again.Close)
		}
		return err
	}
	if err := look("r0"); err != nil || again != n {
		t.Errorf("open: it was opened anew, and the error is %v", err)
	}
	if err := look("r1"); err != nil || again == n || again.Name != "r1" {
		t.Errorf("by another name it is the same, or the error is %v", err)
	}
	rest(n)
	if err := look("r0"); err != nil || again == n || again.Cookie() != n.Cookie() {
		t.Errorf("at rest it was not opened anew, or the error is %v", err)
	}
	n = again
	l.script("ip netns del r0")
	if err := look("r0"); !kernel.Absent(err) {
		t.Errorf("when it is gone the error is %v", err)
	}
	l.script("ip netns add r0")
	if err := look("r0"); err != nil || again == n || again.Cookie() == n.Cookie() {
		t.Errorf("when another has the name it is the same, or the error is %v", err)
	}
	l.script("ip netns del r0\nip netns del r1")
}

// A namespace that can't be opened for another reason is not taken for gone.
func TestRestWithoutDescriptors(t *testing.T) {
	l := newLab(t)
	l.script("ip netns add r0")
	n := l.named("r0")
	rest(n)
	err := kernel.OnThread(func(t kernel.Thread) error {
		var before unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			return err
		}
		none := before
		none.Cur = 0
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
			return err
		}
		n.Use(t)
		_, err := n.FD()
		return errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
	})
	if !errors.Is(err, unix.EMFILE) || errors.Is(err, kernel.ErrGone) {
		t.Errorf("%v, want %v alone", err, unix.EMFILE)
	}
	l.script("ip netns del r0")
}

// However many namespaces there are, a look at them needs few descriptors.
func TestFewDescriptors(t *testing.T) {
	l := newLab(t)
	topo := l.load(crowd())
	l.apply(topo)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = uint64(l.lastDescriptor()) + 30
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	if p := l.diff(topo, beside); len(p.Steps) > 0 {
		t.Errorf("not in sync:\n%s", planText(p))
	}
}

// What is to be deleted in a namespace that somebody deletes first is gone, and that is no failure.
func TestGoneBeforeDeletion(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(`
name: gone
namespaces:
  n1: {interfaces: {eth0: {addresses: [10.0.0.1/30]}}}
  n2:
    interfaces: {eth0: {peer: n1/eth0, addresses: [10.0.0.2/30]}, lo: {addresses: [10.9.9.9/32]}}
    routes: [{to: 10.8.0.0/16, type: blackhole}]
`))
	topo := l.load("{name: gone, namespaces: {n1: {}, n2: {}}}")
	report, err := l.tryApply(topo, through(at(1, func(_ kernel.Write, write func() error) error {
		return errors.Join(host.Run("ip", "netns", "del", "n2"), write())
	})))
	if err != nil {
		t.Errorf("%v\n%s", err, outcomes(report))
	}
	l.inSync(topo)
}
