package source

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// workshop is where git works: as a user of its own, with copies of the keys in a directory that is removed with it.
type workshop struct {
	*Git
	dir  string // of what is needed for this reading
	repo string
	user *syscall.Credential // nil for the own one
}

func (g *Git) newWorkshop() (w *workshop, err error) {
	w = &workshop{Git: g}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fmt.Errorf("git is needed for a git source: install it (%w)", err)
	}
	if os.Geteuid() == 0 {
		if w.user, err = lesser(); err != nil {
			return nil, err
		}
	}
	if w.dir, err = os.MkdirTemp(g.RunDir, "fetch-"); err != nil {
		return nil, err
	}
	if err := w.furnish(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workshop) close() error { return os.RemoveAll(w.dir) }

// lesser is the user that git runs as: plumb-fetch, else nobody.
func lesser() (*syscall.Credential, error) {
	u, err := user.Lookup("plumb-fetch")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to fetch as (plumb-fetch, or nobody): %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// furnish puts what git needs into the directory.
func (w *workshop) furnish() error {
	for name, from := range map[string]string{"known_hosts": w.KnownHosts, "key": w.KeyFile} {
		if from == "" {
			continue
		}
		data, err := readSmall(from)
		if err != nil {
			return err
		}
		if err := w.write(name, string(data)); err != nil {
			return err
		}
	}
	config, err := w.gitConfig()
	if err != nil {
		return err
	}
	w.repo = w.repository()
	if err := os.MkdirAll(filepath.Dir(w.repo), 0o711); err != nil {
		return err
	}
	return errors.Join(w.write("gitconfig", config), w.write("ssh_config", w.sshConfig()), w.own(w.dir))
}

// readSmall reads a file with a key.
func readSmall(path string) ([]byte, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s has more than %d KiB", path, most>>10)
	}
	return data, err
}

func (w *workshop) write(name, text string) error {
	path := filepath.Join(w.dir, name)
	return errors.Join(os.WriteFile(path, []byte(text), 0o600), w.own(path))
}

// own gives a file to the user that git runs as.
func (w *workshop) own(path string) error {
	if w.user == nil {
		return nil
	}
	return os.Lchown(path, int(w.user.Uid), int(w.user.Gid))
}

// gitConfig is all that git is configured by. The token goes to the one server, and to none that this leads to.
func (w *workshop) gitConfig() (string, error) {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "", err
	}
	config := "[core]\n hooksPath = /dev/null\n[gc]\n autoDetach = false\n[maintenance]\n autoDetach = false\n" +
		"[transfer]\n fsckObjects = true\n[fetch]\n fsckObjects = true\n[http]\n followRedirects = false\n" +
		"[credential]\n helper =\n"
	if u.Scheme == "file" {
		at := filepath.Clean(u.Path)
		config += "[safe]\n directory = " + quoteConfig(at) + "\n directory = " + quoteConfig(at+"/.git") + "\n"
	}
	if w.TokenFile != "" {
		token, err := readSmall(w.TokenFile)
		if err != nil {
			return "", err
		}
		basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + strings.TrimSpace(string(token))))
		config += "[http " + quoteConfig("https://"+u.Host) + "]\n extraHeader = \"Authorization: Basic " + basic + "\"\n"
	}
	return config, nil
}

// quoteConfig quotes a value of git-config(1).
func quoteConfig(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// sshConfig is all that ssh is configured by (ssh_config(5)).
func (w *workshop) sshConfig() string {
	config := "Host *\nBatchMode yes\nStrictHostKeyChecking yes\nUpdateHostKeys no\nGlobalKnownHostsFile /dev/null\n" +
		"UserKnownHostsFile " + filepath.Join(w.dir, "known_hosts") + "\nIdentitiesOnly yes\nIdentityAgent none\n" +
		"ForwardAgent no\nConnectTimeout 20\nServerAliveInterval 10\n"
	if w.KeyFile != "" {
		config += "IdentityFile " + filepath.Join(w.dir, "key") + "\n"
	}
	return config
}

// git runs git, and gives what it says: no more than so many bytes.
func (w *workshop) git(ctx context.Context, most int64, args ...string) ([]byte, error) {
	launch := w.launched(append([]string{"--literal-pathspecs", "--git-dir=" + w.repo}, args...))
	cmd := exec.CommandContext(ctx, launch[0], launch[1:]...)
	cmd.Dir, cmd.Env = "/", w.environ()
	// The whole group goes: ssh and what else git has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: w.user}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second / 2
	out, said := &capped{left: most}, &capped{left: 4 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	switch err := cmd.Run(); {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("git %s was ended: %w", args[0], context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.Join(strings.Fields(said.String()), " "))
	case out.full:
		return nil, fmt.Errorf("git %s says more than %d bytes", args[0], most)
	}
	return out.Bytes(), nil
}

// inside runs git on the repository. Where it fails or is ended, it can leave a part of a pack, a lock, or a repository
// that is none: so that is removed, and the next reading begins anew. Otherwise refused packs would fill the disk.
func (w *workshop) inside(ctx context.Context, most int64, args ...string) ([]byte, error) {
	out, err := w.git(ctx, most, args...)
	if err == nil {
		return out, nil
	}
	if limit := w.Limits.pack(); w.overfull(limit) {
		err = fmt.Errorf("it brings more than %d MiB: keep topologies in a repository of their own: %w", limit>>20, err)
	}
	return nil, errors.Join(err, os.RemoveAll(w.repo))
}

// overfull says whether git was ended by the limit of a file's size.
func (w *workshop) overfull(limit uint64) bool {
	begun, err := filepath.Glob(filepath.Join(w.repo, "objects", "pack", "tmp_*"))
	return err == nil && slices.ContainsFunc(begun, func(path string) bool {
		info, err := os.Lstat(path)
		return err == nil && uint64(info.Size()) >= limit
	})
}

// begin makes the repository, if there is none.
func (w *workshop) begin(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(w.repo, "HEAD")); err == nil {
		return nil
	}
	if err := os.Mkdir(w.repo, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := w.own(w.repo); err != nil {
		return err
	}
	_, err := w.inside(ctx, 0, "init", "-q", "--bare", "--template=")
	return err
}

// environ is all that git knows of this process's surroundings.
func (w *workshop) environ() []string {
	scheme, _, _ := strings.Cut(w.URL, ":")
	env := []string{
		"PATH=" + cmp.Or(os.Getenv("PATH"), "/usr/local/bin:/usr/bin:/bin"), "LC_ALL=C", "HOME=" + w.dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + filepath.Join(w.dir, "gitconfig"), "GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=" + scheme, "GIT_SSH_VARIANT=ssh", "GIT_NO_REPLACE_OBJECTS=1", "GIT_ASKPASS=/bin/false",
		"GIT_SSH_COMMAND=ssh -F " + filepath.Join(w.dir, "ssh_config"), // of names that this process has chosen
	}
	for _, name := range []string{"GIT_SSL_CAINFO", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// ask asks the server what the ref leads to, which is cheap. A branch goes before a tag of the same name.
func (w *workshop) ask(ctx context.Context) (ref, commit string, err error) {
	branch, tag := "refs/heads/"+w.Ref, "refs/tags/"+w.Ref
	out, err := w.git(ctx, 64<<10, "ls-remote", "-q", "--", w.URL, branch, tag, tag+"^{}")
	if err != nil {
		return "", "", err
	}
	found := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		if field := strings.Fields(line); len(field) == 2 {
			found[field[1]] = field[0]
		}
	}
	switch {
	case found[branch] != "":
		return branch, found[branch], nil
	case found[tag] != "":
		return tag, cmp.Or(found[tag+"^{}"], found[tag]), nil
	}
	return "", "", fmt.Errorf("there is no branch and no tag %s at %s", w.Ref, w.URL)
}

// fetch brings the whole history of a ref: without that nobody can tell whether it was rewritten.
func (w *workshop) fetch(ctx context.Context, ref string) (commit string, err error) {
	const here = "refs/plumb/newest"
	if err := w.begin(ctx); err != nil {
		return "", err
	}
	_, err = w.inside(ctx, 0, "fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--", w.URL,
		"+"+ref+":"+here)
	if err != nil {
		return "", err
	}
	out, err := w.inside(ctx, 1<<10, "rev-parse", "--verify", "-q", here+"^{commit}")
	return strings.TrimSpace(string(out)), err
}

// capped keeps so many bytes of what is written.
type capped struct {
	bytes.Buffer
	left int64
	full bool
}

func (c *capped) Write(b []byte) (int, error) {
	kept := b[:min(int64(len(b)), c.left)]
	c.left -= int64(len(kept))
	c.full = c.full || len(kept) < len(b)
	c.Buffer.Write(kept)
	return len(b), nil
}
