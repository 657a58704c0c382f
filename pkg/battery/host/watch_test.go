package host

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Println("not root: the tests on a kernel are skipped")
	} else if err := Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A watch wakes when something changes, on the host or in a namespace.
func TestWatch(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if err := errors.Join(Run("ip", "netns", "add", "n1"), Run("ip", "link", "add", "br0", "type", "bridge")); err != nil {
		t.Fatal(err)
	}
	w, err := NewWatch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, change := range [][]string{
		{"ip", "address", "add", "10.0.0.1/24", "dev", "br0"}, {"ip", "-n", "n1", "link", "set", "lo", "up"},
	} {
		if err := Run(change[0], change[1:]...); err != nil {
			t.Fatal(err)
		}
		const long = time.Minute
		begin := time.Now()
		if err := w.Wait(long); err != nil || time.Since(begin) >= long {
			t.Errorf("after %q: %v, after %s", change, err, time.Since(begin))
		}
	}
}
