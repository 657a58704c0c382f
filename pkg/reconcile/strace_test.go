package reconcile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// plumb builds the command.
func plumb(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	path := filepath.Join(t.TempDir(), "plumb")
	if err := host.Run("go", "build", "-o", path, "../../cmd/plumb"); err != nil {
		t.Fatal(err)
	}
	return path
}

// System calls that change something, in the words of strace(1). A file is opened for writing to be written, but for
// the lock.
var (
	changing = regexp.MustCompile(`^(mount|umount2|unshare|mkdir|mkdirat|unlink|unlinkat|rename|renameat2?|link|linkat|` +
		`symlinkat|mknodat?|move_mount|open_tree)\(`)
	opening  = regexp.MustCompile(`^(open|openat|openat2|creat)\(.*(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC)`)
	sending  = regexp.MustCompile(`^(sendto|sendmsg|sendmmsg|write|writev)\(.*nlmsg_type=`)
	message  = regexp.MustCompile(`nlmsg_type=([^ ,]*)`)
	ofThread = regexp.MustCompile(`^\d+ +`)
)

// nftReads are the types of message that read nf_tables: NFT_MSG_GETTABLE and so on of linux/netfilter/nf_tables.h.
var nftReads = []uint64{1, 4, 7, 10, 13, 16, 19, 23}

// reads says whether a netlink message of that type changes nothing. Strace only knows the names of those that are sent
// in its own namespace. Of rtnetlink's numbers, each third of four is a question (linux/rtnetlink.h).
func reads(kind string) bool {
	if n, err := strconv.ParseUint(kind, 0, 16); err == nil {
		return n>>8 == 0 && n&3 == 2 || n>>8 == 10 && slices.Contains(nftReads, n&0xff)
	}
	return strings.HasPrefix(kind, "RTM_GET") || strings.Contains(kind, "NFT_MSG_GET")
}

// writes lists the system calls of a trace that write.
func writes(trace string) []string {
	var found []string
	for line := range strings.Lines(trace) {
		call := ofThread.ReplaceAllString(strings.TrimSpace(line), "")
		lock := strings.Contains(call, "/lock\", ")
		bad := (changing.MatchString(call) || opening.MatchString(call)) && !lock
		if sending.MatchString(call) {
			for _, m := range message.FindAllStringSubmatch(call, -1) {
				bad = bad || !reads(m[1])
			}
		}
		if bad {
			found = append(found, call)
		}
	}
	return found
}

// What system calls a run makes tells more than our own count: monitors don't see writes of the same value.
func TestSecondApplyUnderStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	l := newLab(t)
	l.uplink()
	bin, file := plumb(t), filepath.Join("..", "..", "examples", "docker0-dual.yaml")
	trace := func() string {
		out := filepath.Join(t.TempDir(), "trace")
		l.sh("strace", "-f", "-s", "80", "-o", out, bin, "apply", "-f", file)
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	l.names = append(l.names, "docker0-dual")
	first := strings.Join(writes(trace()), "\n")
	for _, sign := range []string{
		"RTM_NEWLINK|nlmsg_type=0x10", "RTM_NEWADDR|nlmsg_type=0x14", "NFT_MSG_NEWRULE|nlmsg_type=0xa06", `unshare\(`,
		`mount\(`, `host\.json`, `"ipv4/ip_forward"`, "RTM_NEWROUTE|nlmsg_type=0x18",
	} { // strace knows what a socket is of only where it finds it in /proc/net
		if !regexp.MustCompile(sign).MatchString(first) {
			t.Errorf("the first apply is not seen to write %s: this test is blind; it saw\n%s", sign, first)
		}
	}
	if found := writes(trace()); len(found) > 0 {
		t.Errorf("the second apply made %d system calls that write:\n%s", len(found), strings.Join(found, "\n"))
	}
}
