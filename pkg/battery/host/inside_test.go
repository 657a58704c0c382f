package host

import (
	"errors"
	"os"
	"testing"
)

// TestApart takes no thread that stays: the process itself is on the host all the time, for those who ask by its
// number.
func TestApart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	onHost := func(path string) bool {
		home, err := os.Stat(NetNS)
		st, of := os.Stat(path)
		if err = errors.Join(err, of); err != nil {
			t.Error(err)
		}
		return os.SameFile(home, st)
	}
	const tries = 1000
	for i := range tries {
		err := Apart(func() error {
			if onHost("/proc/thread-self/ns/net") {
				return errors.New("it runs on the host")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !onHost("/proc/self/ns/net") {
			t.Fatalf("after %d calls the process is not on the host any more", i+1)
		}
	}
}
