package battery

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

func TestMain(m *testing.M) {
	Main()
	flag.Parse()
	// A case waits for the kernel for half of its time.
	if err := flag.Set("test.parallel", fmt.Sprint(host.Parts)); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// caseMark gives the file of a case to the process that tries it.
const caseMark = "PLUMB_TEST_CASE"

// TestCases tries each case in a process and on a private host of its own. Go test -run TestCases/KIND/NAME tries one.
func TestCases(t *testing.T) {
	if path := os.Getenv(caseMark); path != "" {
		c, err := Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		c.Run(t)
		return
	}
	if version, err := os.ReadFile("/proc/version"); err == nil {
		t.Logf("%s", version)
	}
	kinds, err := filepath.Glob("../../testdata/cases/*")
	if err != nil || len(kinds) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, dir := range kinds {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			files, err := filepath.Glob(dir + "/*.txtar")
			if err != nil || len(files) == 0 {
				t.Fatalf("no cases: %v", err)
			}
			for _, path := range files {
				t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
					t.Parallel()
					alone(t, path)
				})
			}
		})
	}
}

// alone tries a case in a process of its own.
func alone(t *testing.T, path string) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	runtime.LockOSThread() // it is this thread's death that the kernel tells the process of
	defer runtime.UnlockOSThread()
	args := []string{"-test.run=^TestCases$", "-test.v", "-test.timeout=" + flag.Lookup("test.timeout").Value.String(),
		"-test.short=" + flag.Lookup("test.short").Value.String()}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.Env = append(host.Outside(), caseMark+"="+path, host.QuickEnd)
	err := cmd.Run()
	switch text := out.String(); {
	case err != nil:
		t.Errorf("%v\n%s", err, text)
	case strings.Contains(text, "--- SKIP"):
		t.Skip(text)
	default:
		t.Log(text)
	}
}

// whole is a case with nearly every section.
const whole = `What it is for.
-- with --
# a comment
ip link set 'a b' alias ""
-- file x.key --
a key
-- from --
name: x
-- hand --
# one
in ns1 ip link set eth0 down
> update link ns1/eth0

# two
ip link del br0
anew br0 ns1/eth0
gone br0
-- packets --
in ns1 ping 10.0.0.1
-- wrong --
name: X
-- problem --
name
`

// inFile is a file with a text.
func inFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.txtar")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	path := inFile(t, whole)
	c, err := Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Case{
		Name: filepath.Base(filepath.Dir(path)) + "/x", About: "What it is for.", From: "name: x\n",
		Files: map[string]string{"x.key": "a key\n"},
		With:  []Command{{Argv: []string{"ip", "link", "set", "a b", "alias", ""}}},
		Hand: []Drift{
			{
				Name: "one", Do: []Command{{"ns1", strings.Fields("ip link set eth0 down")}},
				Plan: []string{"update link ns1/eth0"},
			},
			{
				Name: "two", Do: []Command{{"", strings.Fields("ip link del br0")}},
				Anew: []string{"br0", "ns1/eth0"}, Gone: []string{"br0"},
			},
		},
		Packets: []Command{{"ns1", []string{"ping", "10.0.0.1"}}},
		Wrong:   []Wrong{{"name: X\n", "name\n"}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c, want)
	}
}

// TestParseBad: what is no case is told.
func TestParseBad(t *testing.T) {
	for _, bad := range []struct{ text, says string }{
		{"", "neither from nor wrong"},
		{"-- form --\n", "no such section"},
		{"-- to --\nname: x\n-- wrong --\nx\n-- problem --\nx\n", "without from"},
		{"-- from --\nname: x\n-- from --\nname: x\n", "stands twice"},
		{"-- from --\nname: x\n-- anew --\nbr0\n", "anew without to"},
		{"-- from --\nname: x\n-- with --\nip 'link\n", "a quote is not closed"},
		{"-- from --\nname: x\n-- with --\nin ns1\n", "want in NS COMMAND"},
		{"-- from --\nname: x\n-- hand --\nip link\n", "begins with # and its name"},
		{"-- from --\nname: x\n-- hand --\n# none\n> update\n", "none: no command"},
		{"-- wrong --\nname: x\n", "without a problem"},
		{"-- problem --\nx\n", "no topology stands before it"},
	} {
		if _, err := Parse(inFile(t, bad.text)); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%q: %v, want %q", bad.text, err, bad.says)
		}
	}
}
