package source

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// launch has the test binary become git.
const launch = "launch"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == launch {
		fmt.Fprintln(os.Stderr, Launch(os.Args[2:]))
		os.Exit(1)
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(host.Enter(), host.Run("ip", "link", "set", "lo", "up")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// water remembers commits.
type water map[string]string

func (w water) Newest(name string) string      { return w[name] }
func (w water) Take(name, commit string) error { w[name] = commit; return nil }

// forge is a repository that somebody works in.
type forge struct {
	*testing.T
	dir  string // of the work tree
	keys string
}

// newForge makes a repository with one commit.
func newForge(t *testing.T) *forge {
	t.Helper()
	for _, program := range []string{"git", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	f := &forge{t, t.TempDir(), t.TempDir()}
	// Another user reads it.
	for dir := f.dir; dir != filepath.Dir(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if dir != os.TempDir() {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.git("init", "-q", "-b", "main")
	f.commit("hosts/a.yaml", "name: a")
	return f
}

func (f *forge) run(name string, args ...string) string {
	f.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f *forge) git(args ...string) string {
	f.Helper()
	return f.run("git", args...)
}

// commit writes a file and commits it, and returns the commit.
func (f *forge) commit(name, text string, flags ...string) string {
	f.Helper()
	path := filepath.Join(f.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		f.Fatal(err)
	}
	f.git("add", "-A")
	f.git(append([]string{"-c", "gpg.format=ssh", "commit", "-q", "-m", name}, flags...)...)
	return f.git("rev-parse", "HEAD")
}

// key makes a key, and returns the name of its file.
func (f *forge) key(name string) string {
	f.Helper()
	path := filepath.Join(f.keys, name)
	f.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path)
	return path
}

// source reads the repository by its path.
func (f *forge) source(path string) *Git {
	f.Helper()
	state, run := f.TempDir(), f.TempDir()
	for _, dir := range []string{state, run} { // as the agent has them
		if err := errors.Join(os.Chmod(dir, 0o711), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			f.Fatal(err)
		}
	}
	return &Git{
		URL: "file://" + f.dir, Ref: "main", Path: path, StateDir: state, RunDir: run, Highwater: water{},
		Program: []string{"/proc/self/exe", launch},
	}
}

// reads reads a source that must be readable.
func (f *forge) reads(g *Git, commit string, want ...string) {
	f.Helper()
	r, err := g.Read(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, in := range r.Inputs {
		got = append(got, strings.TrimPrefix(in.Name, g.URL+"/")+"="+string(in.Data))
	}
	if r.ID != commit || strings.Join(got, " ") != strings.Join(want, " ") {
		f.Errorf("it reads %s %q, want %s %q", r.ID, got, commit, want)
	}
	f.clean(g)
}

// refuses reads a source that must not be readable.
func (f *forge) refuses(g *Git, want string) error {
	f.Helper()
	r, err := g.Read(f.Context())
	if err == nil || !strings.Contains(err.Error(), want) {
		f.Errorf("it reads %+v, %v, want %q", r, err, want)
	}
	f.clean(g)
	return err
}

// clean holds that a reading leaves nothing but the repository.
func (f *forge) clean(g *Git) {
	f.Helper()
	left, err := os.ReadDir(g.RunDir)
	if err != nil || len(left) > 0 {
		f.Errorf("left: %v, %v", left, err)
	}
}

// TestGit follows a branch: a file, and a directory, by the files that are there.
func TestGit(t *testing.T) {
	f := newForge(t)
	g := f.source("hosts/a.yaml")
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a") // the same again
	second := f.commit("hosts/b.yml", "name: b")
	f.commit("hosts/deeper/c.yaml", "name: c")
	f.commit("hosts/.d.yaml", "name: d")
	last := f.commit("hosts/README", "text")
	f.reads(f.source("hosts"), last, "hosts/a.yaml=name: a", "hosts/b.yml=name: b")
	f.reads(f.source("hosts/deeper/"), last, "hosts/deeper/c.yaml=name: c")
	f.git("tag", "-a", "-m", "one", "v1", second)
	tagged := f.source("hosts")
	tagged.Ref = "v1"
	f.reads(tagged, second, "hosts/a.yaml=name: a", "hosts/b.yml=name: b")
	f.commit("hosts/a.yaml", "name: a2")
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a2")
	// As after a boot.
	again := *g
	again.last = Revision{}
	f.reads(&again, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a2")
}

// TestGitRefuses holds what is not taken from a repository.
func TestGitRefuses(t *testing.T) {
	f := newForge(t)
	for _, c := range []struct{ path, want string }{
		{"none.yaml", "there is no none.yaml"}, {"hosts/none", "there is no hosts/none"}, {"link.yaml", "symbolic link"},
		{"linked", "symbolic link"}, {"links", "symbolic link"}, {"linked/a.yaml", "there is no linked/a.yaml"},
		{"sub.yaml", "submodule"}, {"empty", "no *.yaml or *.yml files"},
	} {
		if c.path == "none.yaml" {
			for to, name := range map[string]string{"/etc/passwd": "link.yaml", "hosts": "linked", "../hosts/a.yaml": "links/a.yaml"} {
				path := filepath.Join(f.dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)); err != nil {
					t.Fatal(err)
				}
			}
			f.commit("empty/file", "text")
			f.git("update-index", "--add", "--cacheinfo", "160000,"+f.git("rev-parse", "HEAD")+",sub.yaml")
			f.git("commit", "-q", "-m", "sub")
		}
		_ = f.refuses(f.source(c.path), c.want)
	}
	for _, change := range []func(*Git){
		func(g *Git) { g.URL = "ext::sh -c true" }, func(g *Git) { g.URL = "--upload-pack=x" },
		func(g *Git) { g.URL = "ssh://-oProxyCommand=x/y" }, func(g *Git) { g.URL = "http://host/x" },
		func(g *Git) { g.URL = "https://a:b@host/x" }, func(g *Git) { g.URL = "ssh://host/x" }, func(g *Git) { g.Ref = "-x" },
		func(g *Git) { g.Path = "../x" }, func(g *Git) { g.Path = "/etc" }, func(g *Git) { g.Ref = "a\nb" },
	} {
		g := f.source("hosts")
		change(g)
		if err := g.Check(); err == nil {
			t.Errorf("%+v is taken", *g)
		}
	}
	g := f.source("hosts")
	g.Ref = "none"
	_ = f.refuses(g, "there is no branch and no tag none")
	g = f.source("hosts")
	g.URL += "/none"
	_ = f.refuses(g, "git ls-remote")
}

// TestGitHistory holds that history that was rewritten is not taken, nor an older commit, also after a boot.
func TestGitHistory(t *testing.T) {
	f := newForge(t)
	first := f.git("rev-parse", "HEAD")
	second := f.commit("hosts/a.yaml", "name: a2")
	g := f.source("hosts")
	f.reads(g, second, "hosts/a.yaml=name: a2")
	f.git("reset", "-q", "--hard", first)
	for range 2 {
		if err := f.refuses(g, second); !errors.Is(err, ErrNotDescendant) {
			t.Errorf("the error is %v", err)
		}
		if err := os.RemoveAll(filepath.Join(g.StateDir, "git")); err != nil { // the commit can't be asked for any longer
			t.Fatal(err)
		}
		g.last = Revision{}
	}
	f.commit("hosts/a.yaml", "name: a3")
	if err := f.refuses(g, second); !errors.Is(err, ErrNotDescendant) {
		t.Errorf("the error is %v", err)
	}
	f.git("reset", "-q", "--hard", second)
	f.reads(g, second, "hosts/a.yaml=name: a2")
}

// TestGitSigned holds that a commit must be signed by one of those who may, where that is asked for.
func TestGitSigned(t *testing.T) {
	f := newForge(t)
	mine, other := f.key("mine"), f.key("other")
	public, err := os.ReadFile(mine + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	allow := func(text string) *Git {
		g := f.source("hosts")
		g.AllowedSigners = filepath.Join(f.keys, "allowed")
		if err := os.WriteFile(g.AllowedSigners, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return g
	}
	line := "me@example.org " + string(public)
	_ = f.refuses(allow(line), "it is not signed")
	f.commit("hosts/a.yaml", "name: a2", "-S"+other)
	_ = f.refuses(allow(line), "is signed with the key SHA256:")
	commit := f.commit("hosts/a.yaml", "name: a3", "-S"+mine)
	g := allow("# those who may\n\n" + line)
	f.reads(g, commit, "hosts/a.yaml=name: a3")
	if g.last.Signer != "me@example.org" {
		t.Errorf("signed by %q", g.last.Signer)
	}
	f.reads(allow(`me@example.org namespaces="file,git" `+string(public)), commit, "hosts/a.yaml=name: a3")
	_ = f.refuses(allow(`me@example.org namespaces="file" `+string(public)), "it allows nobody")
	_ = f.refuses(allow(`me@example.org cert-authority `+string(public)), "cert-authority is not supported")
	_ = f.refuses(allow("me@example.org nonsense"), "line 1")
	// What was signed is another commit.
	raw := f.git("cat-file", "commit", commit)
	forged := strings.Replace(raw, "tree ", "tree  ", 1)
	if forged == raw {
		t.Fatal("nothing is forged")
	}
	if _, err := verify([]byte(forged), filepath.Join(f.keys, "mine.pub")); err == nil {
		t.Error("a file that is no list of signers is taken for one")
	}
	allow(line)
	if _, err := verify([]byte(forged+"\n"), filepath.Join(f.keys, "allowed")); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("a forged commit: %v", err)
	}
	if _, err := verify([]byte(raw+"\n"), filepath.Join(f.keys, "allowed")); err != nil {
		t.Error(err)
	}
}

// TestGitLimits holds that what is too large is not taken, does not fill the disk, and that the one before can still
// be had.
func TestGitLimits(t *testing.T) {
	f := newForge(t)
	g := f.source("hosts")
	g.Limits.Pack = 1 << 20
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	f.commit("noise", noise(t, 5<<20))
	for range 2 { // the agent asks again and again
		_ = f.refuses(g, "it brings more than 1 MiB")
		if left, err := filepath.Glob(filepath.Join(g.repository(), "objects", "pack", "tmp_*")); err != nil || len(left) > 0 {
			t.Errorf("left: %q, %v", left, err)
		}
	}
	f.git("reset", "-q", "--hard", "HEAD~1")
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
}

// TestGitUser holds that git can't read what is root's.
func TestGitUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	f := newForge(t)
	g := f.source("hosts")
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	info, err := os.Stat(filepath.Join(g.repository(), "HEAD"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid == 0 {
		t.Error("git runs as root")
	}
	if err := os.Chmod(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_ = f.refuses(&Git{
		URL: g.URL, Ref: g.Ref, Path: g.Path, StateDir: g.StateDir, RunDir: g.RunDir, Highwater: water{}, Program: g.Program,
	}, "git ls-remote")
}

// TestGitSilent holds that a server that says nothing is given up at the deadline, with all that was started for it.
func TestGitSilent(t *testing.T) {
	f := newForge(t)
	for _, scheme := range []string{"https", "ssh"} {
		l := silent(t)
		g := f.source("hosts")
		g.URL, g.Limits.Time = fmt.Sprintf("%s://127.0.0.1:%d/x", scheme, l), 2*time.Second
		g.KnownHosts = filepath.Join(f.keys, "known")
		if err := os.WriteFile(g.KnownHosts, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_ = f.refuses(g, "it took longer than 2s")
		const slow = 20 * time.Second // whatever else the machine does
		took := time.Since(begun)
		if t.Logf("%s: it took %v", scheme, took); took > g.Limits.Time+slow {
			t.Errorf("%s: it took %v", scheme, took)
		}
	}
}

// TestGitSpeaksOfNoSecret holds that no error tells a token.
func TestGitSpeaksOfNoSecret(t *testing.T) {
	f := newForge(t)
	g := f.source("hosts")
	g.URL, g.TokenFile = "https://127.0.0.1:1/x", filepath.Join(f.keys, "token")
	if err := os.WriteFile(g.TokenFile, []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := f.refuses(g, "git ls-remote")
	for _, secret := range []string{"geheim", "eC1hY2Nlc3MtdG9rZW46Z2VoZWlt"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("it tells %q", err)
		}
	}
}

// silent is the port of a server that takes connections and says nothing.
func silent(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
