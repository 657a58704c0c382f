package source

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/plumbnet/plumb/pkg/topology"
)

// Git is a place in a git repository. It is read by git(1), as another user than root, and without a work tree.
type Git struct {
	// URL has the scheme ssh, https or file; Ref is a branch or a tag; Path is a file, or a directory of topology files.
	URL, Ref, Path string
	// KnownHosts has the server's key, and KeyFile the key to log in with, for ssh. TokenFile has the token for https.
	KnownHosts, KeyFile, TokenFile string
	// AllowedSigners lists who may sign commits, as ssh-keygen(1) describes; empty is no signature wanted.
	AllowedSigners string
	// StateDir is where repositories are kept, and RunDir for what is needed while one is read. Another user must be able
	// to pass through both.
	StateDir, RunDir string
	// Program is a command that calls [Launch] with the arguments behind it.
	Program []string
	// Limits bound what git may take.
	Limits Limits
	// Highwater is told, and asked for, the newest commit that was taken of a branch: no other branch of history is.
	Highwater Highwater

	last Revision
}

// Limits bound what a reading may take. The zero value is fine.
type Limits struct {
	Time  time.Duration // 1 minute
	Pack  uint64        // bytes that a fetch brings: 64 MiB
	Space uint64        // address space of each process, in bytes: 2 GiB
}

func (l Limits) pack() uint64 { return cmp.Or(l.Pack, defaultPack) }

// Highwater remembers a commit for each name.
type Highwater interface {
	Newest(name string) string
	Take(name, commit string) error
}

// ErrNotDescendant is the error of a commit that does not descend from the one that was taken last: history was
// rewritten, or somebody offers an older commit.
var ErrNotDescendant = errors.New("does not descend from the commit that was taken last")

const (
	defaultTime  = time.Minute
	defaultPack  = 64 << 20
	defaultSpace = 2 << 30
	maxText      = 16 << 20 // bytes of all files that are read
)

// Changed implements what follows sources: of a repository nothing is told.
func (g *Git) Changed() <-chan struct{} { return nil }

// Check says what is wrong with the names, before anything is done with them.
func (g *Git) Check() error {
	for _, part := range []struct{ what, value string }{{"url", g.URL}, {"ref", g.Ref}, {"path", g.Path}} {
		if part.value == "" || strings.HasPrefix(part.value, "-") || strings.ContainsFunc(part.value, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("git %s %q cannot be", part.what, part.value)
		}
	}
	u, err := url.Parse(g.URL)
	if err != nil {
		return fmt.Errorf("git url: %w", err)
	}
	switch {
	case u.Scheme != "ssh" && u.Scheme != "https" && u.Scheme != "file":
		return fmt.Errorf("git url %q must begin with ssh://, https:// or file://", g.URL)
	case u.Scheme != "file" && (u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-")):
		return fmt.Errorf("git url %q names no host", g.URL)
	case u.User != nil && strings.HasPrefix(u.User.Username(), "-"):
		return fmt.Errorf("git url %q names no user", g.URL)
	case !filepath.IsLocal(g.Path):
		return fmt.Errorf("git path %q leads out of the repository", g.Path)
	case u.Scheme == "ssh" && g.KnownHosts == "":
		return fmt.Errorf("git url %q needs known-hosts: a file with the server's key, as ssh-keyscan(1) prints it", g.URL)
	}
	if _, hasPassword := u.User.Password(); hasPassword {
		return errors.New("git url holds a password: put it into a file, and name that with token-file")
	}
	return nil
}

// name tells the ref from others.
func (g *Git) name() string { return digest(g.URL, g.Ref) }

// repository is where what was fetched is kept. Places of one branch have one each, as they are read at the same time.
func (g *Git) repository() string {
	return filepath.Join(g.StateDir, "git", digest(g.URL, g.Ref, g.Path))
}

func digest(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\n")))
	return hex.EncodeToString(sum[:8])
}

// Read fetches what the ref leads to, and reads the files. A commit that was read already is not read again.
func (g *Git) Read(ctx context.Context) (Revision, error) {
	if err := g.Check(); err != nil {
		return Revision{}, err
	}
	limit := g.Limits.Time
	if limit == 0 {
		limit = defaultTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := g.read(ctx)
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("it took longer than %v: %w", limit, err)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("git %s: %w", g.Ref, err)
	}
	g.last = r
	return r, nil
}

func (g *Git) read(ctx context.Context) (r Revision, err error) {
	w, err := g.newWorkshop()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	ref, commit, err := w.ask(ctx)
	if err != nil || commit == g.last.ID {
		return g.last, err
	}
	if commit, err = w.fetch(ctx, ref); err != nil {
		return r, err
	}
	if err := g.follows(ctx, w, commit); err != nil {
		return r, err
	}
	raw, err := w.inside(ctx, maxText, "cat-file", "commit", commit)
	if err != nil {
		return r, err
	}
	r.ID = commit
	if g.AllowedSigners != "" {
		if r.Signer, err = verify(raw, g.AllowedSigners); err != nil {
			return r, fmt.Errorf("commit %s: %w", commit, err)
		}
	}
	if r.Inputs, err = g.files(ctx, w, commit); err != nil {
		return r, fmt.Errorf("commit %s: %w", commit, err)
	}
	return r, g.Highwater.Take(g.name(), commit)
}

// follows says whether a commit is the newest one that was taken, or descends from that.
func (g *Git) follows(ctx context.Context, w *workshop, commit string) error {
	newest := g.Highwater.Newest(g.name())
	if newest == "" || newest == commit {
		return nil
	}
	if _, err := w.git(ctx, 0, "merge-base", "--is-ancestor", newest, commit); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("commit %s %w, %s: was it pushed by force?", commit, ErrNotDescendant, newest)
	}
	return nil
}

// blob is a file in a commit.
type blob struct {
	name, hash string
	size       int64
}

// files reads the file at the path, or the topology files of the directory there.
func (g *Git) files(ctx context.Context, w *workshop, commit string) (inputs []topology.Input, err error) {
	blobs, err := g.list(ctx, w, commit)
	if err != nil {
		return nil, err
	}
	left := int64(maxText)
	for _, b := range blobs {
		if left -= b.size; left < 0 {
			return nil, fmt.Errorf("%s: all files together have more than %d MiB", b.name, maxText>>20)
		}
		data, err := w.inside(ctx, b.size, "cat-file", "blob", b.hash)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.name, err)
		}
		inputs = append(inputs, topology.Input{Name: g.URL + "/" + b.name, Data: data})
	}
	return inputs, nil
}

// list finds the files.
func (g *Git) list(ctx context.Context, w *workshop, commit string) ([]blob, error) {
	at := path.Clean(g.Path)
	dir := at == "."
	if !dir {
		entries, err := w.tree(ctx, commit, at)
		if err != nil {
			return nil, err
		}
		switch {
		case len(entries) != 1:
			return nil, fmt.Errorf("there is no %s", at)
		case entries[0].kind != "tree":
			b, err := entries[0].blob(at)
			return []blob{b}, err
		}
	}
	tree := commit
	if !dir {
		tree += ":" + at
	}
	entries, err := w.tree(ctx, tree)
	if err != nil {
		return nil, err
	}
	var blobs []blob
	for _, e := range entries {
		if ext := path.Ext(e.name); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(e.name, ".") || e.kind == "tree" {
			continue
		}
		b, err := e.blob(path.Join(at, e.name))
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, b)
	}
	if len(blobs) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml or *.yml files in this directory", at)
	}
	return blobs, nil
}

// treeEntry is a line of git-ls-tree(1).
type treeEntry struct{ mode, kind, hash, size, name string }

// tree lists a tree, or one entry of it.
func (w *workshop) tree(ctx context.Context, tree string, paths ...string) (entries []treeEntry, err error) {
	out, err := w.inside(ctx, maxText, append([]string{"ls-tree", "-z", "-l", tree, "--"}, paths...)...)
	if err != nil {
		return nil, err
	}
	for _, line := range bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		head, name, ok := strings.Cut(string(line), "\t")
		if field := strings.Fields(head); ok && len(field) == 4 {
			entries = append(entries, treeEntry{field[0], field[1], field[2], field[3], name})
		}
	}
	return entries, nil
}

// blob is the entry as a file. What a link leads to, or is in another repository, is not read.
func (e treeEntry) blob(name string) (blob, error) {
	switch e.mode {
	case "100644", "100755":
	case "120000":
		return blob{}, fmt.Errorf("%s is a symbolic link: put the file itself there", name)
	case "160000":
		return blob{}, fmt.Errorf("%s is a submodule: put the files themselves there", name)
	default:
		return blob{}, fmt.Errorf("%s is no file (mode %s)", name, e.mode)
	}
	size, err := strconv.ParseInt(e.size, 10, 64)
	return blob{name, e.hash, size}, err
}
