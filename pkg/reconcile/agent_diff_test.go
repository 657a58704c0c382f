package reconcile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// stranger is an ordinary user, who is in a group.
type stranger struct {
	*service
	gid string
}

// runs gives what a command prints to somebody, and its exit code.
func (s stranger) runs(as []string, args ...string) (stdout, stderr string, code int) {
	s.Helper()
	var out, say strings.Builder
	cmd := exec.CommandContext(s.Context(), "timeout", slices.Concat([]string{"60"}, as, []string{s.bin}, args)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &out, &say
	_ = cmd.Run() // its code tells
	return out.String(), say.String(), cmd.ProcessState.ExitCode()
}

// asStranger is how a command is run by the user.
func (s stranger) asStranger() []string {
	return []string{"setpriv", "--reuid", "65534", "--regid", s.gid, "--clear-groups"}
}

// same holds that the agent tells the user what plumb tells root.
func (s stranger) same(code int, args ...string) {
	s.Helper()
	wantOut, wantSaid, wantCode := s.runs(nil, args...)
	out, said, got := s.runs(s.asStranger(), args...)
	if got != code || wantCode != code || out != wantOut || said != wantSaid {
		s.Errorf("%q: the agent says (%d)\n%s%s\nroot is told (%d, want %d)\n%s%s",
			args, got, out, said, wantCode, code, wantOut, wantSaid)
	}
}

// refused holds that the user is told nothing but why.
func (s stranger) refused(why string, args ...string) {
	s.Helper()
	out, said, code := s.runs(s.asStranger(), args...)
	if code != 3 || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, why) {
		s.Errorf("%q: exit code %d, %q, %q, want %q", args, code, out, said, why)
	}
}

// files writes files that everybody can read, and gives the way to all of them.
func (s stranger) files(files map[string]string) {
	s.Helper()
	for name, text := range files {
		s.write(name, text)
		s.must(os.Chmod(filepath.Join(s.dir, name), 0o644))
	}
	s.must(os.Chmod(s.dir, 0o755))
	s.must(os.Chmod(filepath.Dir(s.dir), 0o755))
	s.must(os.Chmod(filepath.Dir(s.bin), 0o755))
	s.must(os.Chmod(filepath.Dir(filepath.Dir(s.bin)), 0o755))
}

// TestAgentDiff has an ordinary user ask the agent what a file would change.
func TestAgentDiff(t *testing.T) {
	s := stranger{newService(t), "65534"}
	const ways = "CAP_NET_ADMIN is missing: run as root"
	s.files(map[string]string{
		"lab.yaml":     agentLab("10.0.0.2/24"),
		"changed.yaml": agentLab("10.0.0.3/24"),
		"refused.yaml": "name: new\nnamespaces: {theirs: {}}\n",
		"wrong.yaml":   "name: new\nbridgse: {}\n",
		"nat.yaml":     agentLab("10.0.0.2/24") + "nat: [{masquerade: 10.0.0.0/24}]\n",
		"key.yaml":     "name: new\nnamespaces: {n: {interfaces: {w: {wireguard: {private-key-file: /etc/shadow}}}}}\n",
	})
	s.refused(ways+"; could not run, nothing was changed; diff-group in an agent's config names who may ask that instead",
		"diff", "-f", "changed.yaml")
	s.script("ip netns add theirs")
	s.start()
	s.refused("diff-group in an agent's config", "diff", "-f", "changed.yaml")

	group := s.sh("sh", "-c", "getent group 65534 | cut -d: -f1")
	s.write("agent.yaml", "topologies: [{file: lab.yaml}]\ndiff-group: "+group)
	s.must(s.cmd.Process.Signal(unix.SIGHUP))
	s.waits("answers", func() bool { _, err := os.Stat("/run/plumb/diff.sock"); return err == nil })
	s.same(0, "diff", "-f", "lab.yaml")
	s.same(0, "diff", "-f", "lab.yaml", "-q")
	s.same(1, "diff", "-f", "changed.yaml")
	s.same(1, "diff", "-f", "changed.yaml", "-o", "json", "-v")
	s.same(1, "diff", "-f", "changed.yaml", "--color", "always")
	s.same(4, "diff", "-f", "refused.yaml", "-f", "changed.yaml")
	s.same(1, "diff", "-f", "refused.yaml", "--adopt")
	s.same(2, "diff", "-f", "wrong.yaml")
	s.same(2, "diff", "-f", "wrong.yaml", "-o", "json")
	s.same(2, "diff", "-f", "missing.yaml")
	s.refused("nat.yaml:6:1: the agent's config does not name this (host-nat)", "diff", "-f", "nat.yaml")
	s.refused("(keys): run as root", "diff", "-f", "key.yaml")
	s.refused(ways, "apply", "-f", "changed.yaml")
	_, said, code := s.runs(append([]string{"unshare", "--net"}, s.asStranger()...), "diff", "-f", "lab.yaml")
	if code != 3 || !strings.Contains(said, "another network namespace") {
		t.Errorf("in another namespace: %d, %q", code, said)
	}
	if !s.has("10.0.0.2/24") {
		t.Error("it has changed something")
	}

	s.gid = "65533"
	s.refused(ways+"; could not run, nothing was changed; the agent answers who is in the group "+strings.TrimSpace(group),
		"diff", "-f", "changed.yaml")
	s.gid = "65534"
	s.write("agent.yaml", "topologies: [{file: lab.yaml}]")
	s.must(s.cmd.Process.Signal(unix.SIGHUP))
	s.waits("answers nobody", func() bool { _, err := os.Stat("/run/plumb/diff.sock"); return err != nil })
	s.script("ip netns delete theirs")
}
