package watch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Println("not root: the tests on a kernel are skipped")
	} else if err := host.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// long is more than anything takes.
const long = time.Minute

// start starts a watcher that ends with the test, and leaves nothing behind.
func start(t testing.TB, o Options) *Watcher {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// script runs a command a line.
func script(t testing.TB, lines string) {
	t.Helper()
	if err := host.Script(lines); err != nil {
		t.Fatal(err)
	}
}

// input runs a command that reads text.
func input(text, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

// inputTo has another process write text to a file.
func inputTo(file *os.File, text string) error {
	cmd := exec.Command("echo", text)
	cmd.Stdout = file
	return cmd.Run()
}

// addresses are commands for ip -batch that give lo so many addresses, and take them away again.
func addresses(n int) string {
	var add strings.Builder
	for i := range n {
		fmt.Fprintf(&add, "address add 10.8.%d.%d/32 dev lo\n", i/250, i%250)
	}
	return add.String() + strings.ReplaceAll(add.String(), " add", " del")
}

// namespaces makes some, and deletes at the end those that are left. It waits until the kernel has ended them, for the
// host's end of a cable goes with them and has a name that the next test may want.
func namespaces(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		script(t, "ip netns add "+name)
	}
	t.Cleanup(func() {
		for _, name := range names {
			_ = host.Run("ip", "netns", "delete", name)
		}
		if err := host.Buried(); err != nil {
			t.Error(err)
		}
	})
}

// follow follows namespaces by their names, and takes the events that say so.
func follow(t testing.TB, w *Watcher, names ...string) {
	t.Helper()
	if err := w.Follow(names, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		await(t, w, Event{Section: name, What: "namespace " + name + " is followed from now on"})
	}
}

// next takes the next event.
func next(t testing.TB, w *Watcher) Event {
	t.Helper()
	select {
	case e := <-w.Events():
		if e.At.IsZero() || time.Since(e.At) < 0 {
			t.Errorf("%+v was heard at %s", e, e.At)
		}
		return e
	case <-time.After(long):
		t.Fatal("no event has come")
		return Event{}
	}
}

// await takes events up to the one that is like another, and returns it: of the section, with its words at the
// beginning of What. When several are wanted it returns the last. They may come in any order, for what two sources
// tell, as rtnetlink and fanotify, has none.
func await(t testing.TB, w *Watcher, likes ...Event) (last Event) {
	t.Helper()
	var seen []string
	for deadline := time.After(long); len(likes) > 0; {
		select {
		case e := <-w.Events():
			seen = append(seen, fmt.Sprintf("%+v", e))
			likes = slices.DeleteFunc(likes, func(like Event) bool {
				return e.Section == like.Section && e.All == like.All && strings.HasPrefix(e.What, like.What)
			})
			last = e
		case <-deadline:
			t.Fatalf("there was no %+v, but\n%s", likes, strings.Join(seen, "\n"))
		}
	}
	return last
}

// until waits for something that the kernel does in its own time.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for begin := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > long {
			t.Fatalf("%s: not after %s", what, long)
		}
	}
}

// goroutines counts those that run code of this package's Watcher.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	count := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "/pkg/watch.(*") && !strings.Contains(stack, "testing.tRunner(") {
			count++
		}
	}
	return count
}

// descriptors lists those that are open.
func descriptors(t testing.TB) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); !errors.Is(err, os.ErrNotExist) {
			open = append(open, to)
		}
	}
	return open
}
