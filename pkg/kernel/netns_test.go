package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestParseMount reads real lines (a shared mount, a slave below `ip netns exec`, one that another hides), and one
// with more layers than any has.
func TestParseMount(t *testing.T) {
	const text = `22 28 0:20 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,mode=755
403 22 0:20 /netns /run/netns rw,nosuid shared:5 - tmpfs tmpfs rw,mode=755
404 22 0:20 /netns /run/netns rw,nosuid master:5 propagate_from:2 - tmpfs tmpfs rw
405 22 0:61 / /run rw - tmpfs master:1 rw
`
	overlay := "21 28 0:19 / / rw shared:1 - overlay overlay rw,lowerdir=" + strings.Repeat("/layer:", 1<<18) + "\n"
	for id, want := range map[uint64]mount{
		22: {"/run", "5", false}, 403: {"/run/netns", "5", false}, 404: {"/run/netns", "", true},
		405: {"/run", "", false}, 9: {},
		21: {"/", "1", false},
	} {
		if got, err := parseMount(strings.NewReader(overlay+text), id); got != want || err != nil {
			t.Errorf("mount %d: %+v, %v, want %+v", id, got, err, want)
		}
	}
}

// TestMountOfNothing finds the mount that a path would lie on.
func TestMountOfNothing(t *testing.T) {
	got, err := mountOf("/proc/no/such/path")
	if err != nil || got.point != "/proc" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestClosed: the libraries would silently work on the caller's namespace.
func TestClosed(t *testing.T) {
	n, err := Current(new(Seam))
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	n.Close()
	read := n.Read(NewQuery(Request(unix.RTM_GETLINK, unix.NLM_F_DUMP), 0), func([][]byte) {})
	_, fd := n.FD()
	_, nft := n.NFT()
	_, untouched := n.NFTUntouched()
	inside := n.Inside(func() error { t.Error("ran outside"); return nil })
	for i, err := range []error{read, n.Write("nothing", Request(unix.RTM_NEWLINK, 0)), fd, nft, untouched, inside} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("use %d after close: %v", i, err)
		}
	}
}

// A process that looks does not count itself: its threads come and go.
func TestProcessesOfOthers(t *testing.T) {
	in, _, err := Processes(func(ID) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if none, _, err := Processes(func(ID) bool { return false }); err != nil || len(none) > 0 {
		t.Errorf("of no namespace: %v, and the error is %v", none, err)
	}
	own, others := fmt.Sprintf("%d ", os.Getpid()), 0
	for id, list := range in {
		for _, p := range list {
			others++
			if strings.HasPrefix(p, own) {
				t.Errorf("in %v: %s", id, p)
			}
		}
	}
	if others == 0 {
		t.Error("there are no processes at all")
	}
}

// TestInEmpty looks into a namespace that is there only for that, and has nothing but lo.
func TestInEmpty(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	var links []string
	if err := InEmpty(func() error {
		links = SysctlNamesHere("net/ipv4/conf")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(links, " "); got != "all default lo" {
		t.Errorf("in a new namespace there are %q", got)
	}
	mode, err := SysctlModeHere("net/ipv4/ip_forward")
	if err != nil || mode.Perm() != 0o644 {
		t.Errorf("ip_forward has mode %v, %v", mode, err)
	}
	if _, err := SysctlModeHere("net/ipv4/../../kernel/hostname"); err == nil {
		t.Error("a path leads out of /proc/sys/net")
	}
}
