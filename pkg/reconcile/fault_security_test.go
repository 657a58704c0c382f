package reconcile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/topology"
)

// No name and no key of a file leads out of where it belongs.
func TestNamesStayInPlace(t *testing.T) {
	for _, yaml := range []string{
		`{name: "../x"}`,
		`{name: x, namespaces: {"../../etc/passwd": {}}}`,
		`{name: x, namespaces: {"..": {}}}`,
		`{name: x, namespaces: {"-a": {}}}`,
		`{name: x, namespaces: {"a/b": {}}}`,
		"name: x\nnamespaces: {\"a\\e[31m\": {}}",
		`{name: x, bridges: {"../b": {}}}`,
		`{name: x, bridges: {"..": {}}}`,
		`{name: x, bridges: {b: {}}, namespaces: {n: {interfaces: {e: {bridge: b, port-name: "../../b"}}}}}`,
		`{name: x, bridges: {b: {}}, namespaces: {n: {interfaces: {e: {bridge: b, port-name: "b b"}}}}}`,
		`{name: x, sysctls: {kernel.core_pattern: "|/bin/sh"}}`,
		`{name: x, sysctls: {net.../../kernel.core_pattern: x}}`,
		`{name: x, sysctls: {net/../kernel/core_pattern: x}}`,
		`{name: x, sysctls: {net/ipv4/../../kernel/core_pattern: x}}`,
		`{name: x, sysctls: {../../kernel/core_pattern: x}}`,
		`{name: x, sysctls: {/proc/sys/kernel/core_pattern: x}}`,
		`{name: x, sysctls: {net.ipv4.conf.../../../kernel.x: 1}}`,
	} {
		if all, problems := topology.Load(topology.Input{Name: "test.yaml", Data: []byte(yaml)}); !problems.HasErrors() {
			t.Errorf("no problem is seen in %s\n%v", yaml, all)
		}
	}
}

// Whatever the path, nothing outside of /proc/sys/net is read or written.
func TestSysctlsStayInPlace(t *testing.T) {
	l := newLab(t)
	n, err := kernel.Current(l.seam)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	const outside = "/proc/sys/kernel/domainname" // harmless, should it be written
	before, err := os.ReadFile(outside)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"net/../kernel/domainname", "net/ipv4/../../kernel/domainname", "kernel/domainname", "../sys/kernel/domainname",
		"net//proc/sys/kernel/domainname", "net/", "net/..", "/proc/sys/net/../kernel/domainname",
		"net/ipv4/../../../self/comm",
	} {
		if err := n.WriteSysctl(path, "escaped"); err == nil {
			t.Errorf("%s can be written", path)
		}
		if v, err := n.ReadSysctls([]string{path}); len(v) > 0 {
			t.Errorf("%s can be read: %v, %v", path, v, err)
		}
	}
	if after, err := os.ReadFile(outside); err != nil || string(after) != string(before) {
		t.Errorf("%s was %q and is %q (%v)", outside, before, after, err)
	}
}

func TestRunDirPrivate(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("docker0.yaml")))
	paths, err := filepath.Glob(RunDir + "/*/*")
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	// Who fetches for an agent passes through the directory above.
	if st, err := os.Stat(RunDir); err != nil || st.Mode().Perm()&0o066 != 0 {
		t.Errorf("%s: %v (%v), want nothing to read for others", RunDir, st.Mode(), err)
	}
	for _, path := range append(paths, filepath.Dir(paths[0])) {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v (%v), want nothing for others", path, st.Mode(), err)
		}
	}
}

// public puts the command and an example where every user can read them.
func public(l *lab, t *testing.T) (bin, file string) {
	t.Helper()
	bin = plumb(t)
	dir := filepath.Dir(bin)
	file = filepath.Join(dir, "docker0.yaml")
	if err := os.WriteFile(file, []byte(l.example("docker0.yaml")), 0o644); err != nil {
		t.Fatal(err)
	}
	l.script("chmod 755 " + filepath.Dir(dir) + " " + dir + " " + bin)
	return bin, file
}

// exits runs a command and checks its exit code. It returns what it says on stderr.
func exits(t testing.TB, code int, name string, args ...string) (stderr string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, say strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &say
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%s %s: exit code %d (%v), want %d\n%s%s", name, strings.Join(args, " "), got, err, code, &out, &say)
	}
	return say.String()
}

// Without privileges one line names the first capability that is missing; validate needs none.
func TestUnprivileged(t *testing.T) {
	l := newLab(t)
	bin, file := public(l, t)
	as := func(code int, command ...string) string {
		said := exits(t, code, "setpriv",
			append([]string{"--reuid", "65534", "--regid", "65534", "--clear-groups", bin}, command...)...)
		return said
	}
	for _, command := range []string{"diff", "apply", "destroy"} {
		said := as(3, command, "-f", file)
		if strings.Count(said, "\n") != 1 || !strings.Contains(said, "CAP_NET_ADMIN is missing: run as root") {
			t.Errorf("%s says %q", command, said)
		}
	}
	as(0, "validate", "-f", file)
	said := exits(t, 3, "setpriv", "--bounding-set", "-sys_admin", bin, "diff", "-f", file)
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "CAP_SYS_ADMIN is missing") {
		t.Errorf("without CAP_SYS_ADMIN diff says %q", said)
	}
	if host.Run("unshare", "--user", "true") != nil {
		t.Skip("the kernel makes no user namespaces")
	}
	said = exits(t, 3, "unshare", "--user", "--map-root-user", bin, "diff", "-f", file)
	if strings.Count(said, "\n") != 1 ||
		!strings.Contains(said, "CAP_NET_ADMIN is missing in the user namespace that owns this network") {
		t.Errorf("in a user namespace diff says %q", said)
	}
}

// These two capabilities are enough for root.
func TestTwoCapabilities(t *testing.T) {
	l := newLab(t)
	l.foreign()
	l.uplink()
	bin, file := public(l, t)
	l.names = append(l.names, "docker0")
	with := func(command string) {
		exits(t, 0, "setpriv", "--bounding-set", "-all,+net_admin,+sys_admin", bin, command, "-f", file)
	}
	with("apply")
	l.inSync(l.load(l.example("docker0.yaml")))
	with("diff")
	with("destroy")
	l.restored("after destroy", l.base.Text)
}

// Naming the processes of a namespace that goes takes one capability more; without it the plan says what it lacks.
func TestProcessesUnseen(t *testing.T) {
	l := newLab(t)
	bin, file := public(l, t)
	l.apply(l.load(l.example("docker0.yaml")))
	held := exec.Command("nsenter", "--net=/run/netns/ns1", "sleep", "1000")
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	defer held.Wait()         //nolint:errcheck // it is killed
	defer held.Process.Kill() //nolint:errcheck // or is gone
	for !strings.Contains(l.sh("ip", "netns", "pids", "ns1"), fmt.Sprint(held.Process.Pid)) {
	}
	if err := os.WriteFile(file, []byte("name: docker0\nnamespaces: {ns2: {}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const lacks = "without CAP_SYS_PTRACE"
	for capabilities, seen := range map[string]bool{"": false, ",+sys_ptrace": true} {
		cmd := exec.Command("setpriv", "--bounding-set", "-all,+net_admin,+sys_admin"+capabilities, bin, "diff", "-f", file)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("exit code %d (%v)", code, err)
		}
		named := strings.Contains(string(out),
			fmt.Sprintf("takes with it: the network of process %d sleep", held.Process.Pid))
		if warned := strings.Count(string(out), lacks); named != seen || warned == 1 == seen {
			t.Errorf("with net_admin and sys_admin%s: named %v, warned %d times\n%s", capabilities, named, warned, out)
		}
	}
}

// Names of interfaces that look like flags are names: nothing takes them for an order.
func TestNamesLikeFlags(t *testing.T) {
	l := newLab(t)
	bin, file := public(l, t)
	yaml := `
name: flags
bridges: {"-c": {addresses: [192.0.2.1/24]}, "--help": {}, "$(reboot)": {}, "-": {}}
namespaces:
  n1:
    interfaces: {"-rf": {bridge: "-c", port-name: "--", addresses: [192.0.2.2/24]}}
    routes: [{to: default, via: 192.0.2.1, dev: "-rf"}]
sysctls: {net.ipv4.conf.--help.rp_filter: 1}
nat: [{masquerade: 192.0.2.0/24, out: "-o"}]
`
	if err := os.WriteFile(file, []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	exits(t, 0, bin, "apply", "-f", file)
	l.names = append(l.names, "flags")
	l.apply(l.load(yaml)) // which the copy of what was applied tells of
	l.converged(l.load(yaml))
	exits(t, 0, bin, "diff", "-f", file)
	exits(t, 0, bin, "destroy", "flags")
	l.restored("after destroy", l.base.Text)
	for _, name := range []string{"-f", "--help", "-"} {
		exits(t, 2, bin, "destroy", "--", name) // no topology can be called so
	}
}
