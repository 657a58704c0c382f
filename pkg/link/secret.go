package link

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	handles "unique"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// Secret is a key of WireGuard, which stands in a file of its own. It can be compared, and holds no more of the key
// than an address: neither fmt nor JSON nor the trace of a panic shows it.
type Secret struct {
	path string // of the file, until that is read
	// within is the directory that the file lies beneath, and the path begins at; empty where it may lie anywhere.
	within string
	key    handles.Handle[[keySize]byte]
}

// keySize is the size of keys of any sort, in bytes.
const keySize = 32

// newSecret is a key; one of zeros is none.
func newSecret(key [keySize]byte) Secret {
	if key == [keySize]byte{} {
		return Secret{}
	}
	return Secret{key: handles.Make(key)}
}

// reveal gives the key to whoever hands it to the kernel; zeros where there is none.
func (s Secret) reveal() (key [keySize]byte) {
	if s.key != (handles.Handle[[keySize]byte]{}) {
		key = s.key.Value()
	}
	return key
}

// Parse implements [file.Parser].
func (s *Secret) Parse(name, text string) error {
	switch raw, err := base64.StdEncoding.DecodeString(text); {
	case text == "":
		return file.Flawf("%s is empty: it names the file that has the key", name)
	case err == nil && len(raw) == keySize:
		const say, hint = " is a key, and must be the name of a file", "keys stand in files of their own"
		return file.Hidden{Flaw: file.Flaw{Message: name + say, Hint: hint}}
	}
	*s = Secret{path: text}
	return nil
}

// Text implements [file.Described].
func (*Secret) Text() file.Text {
	return file.Text{Words: "name of a file that root alone can read, from the directory of this one"}
}

// String names the file, until that is read.
func (s Secret) String() string {
	if s.key == (handles.Handle[[keySize]byte]{}) {
		return s.path
	}
	return "(hidden)"
}

// errNoKey is why a file holds no key. What it holds is never told.
var errNoKey = errors.New("does not hold one key of WireGuard: wg genkey makes one, and wg genpsk a preshared one")

// in says where the file is that names others.
func (s Secret) in(dir string) Secret {
	if s.path != "" && !filepath.IsAbs(s.path) {
		s.path = filepath.Join(dir, s.path)
	}
	return s
}

// place finds the file of a key from the one that names it.
func (s Secret) place(section *object.Sense, at file.Spots) Secret {
	if s.path == "" {
		return s
	}
	section.Reach(object.BeyondKeys, at.Key())
	if section.Keys == "" {
		return s.in(filepath.Dir(section.File()))
	}
	if !filepath.IsLocal(s.path) {
		section.Errorf(at.At(), "%s leads out of %s, where the keys are", file.Quote(s.path), section.Keys)
	}
	s.within = section.Keys
	return s
}

// read reads the file.
func (s Secret) read() (Secret, error) {
	if s.path == "" {
		return s, nil
	}
	text, err := readPrivate(s.within, s.path)
	var key [keySize]byte
	if err == nil {
		raw, bad := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if bad != nil || len(raw) != keySize || [keySize]byte(raw) == key {
			err = errNoKey // and not what it has, nor where that is wrong
		} else {
			key = [keySize]byte(raw)
		}
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", s.path, err)
	}
	return newSecret(key), nil
}

// maxKeyFile bounds what is read of the file of a key, in bytes.
const maxKeyFile = 4 << 10

// readPrivate reads a small file that nobody but its owner can read: root, or who runs plumb. A symbolic link to such a
// file will do: what is judged is what was opened.
// Where it must lie beneath a directory, no link may be on the way to it from there.
func readPrivate(within, path string) (text []byte, err error) {
	// A FIFO would wait for a writer, and a device may do anything: it is looked at before it is opened to be read.
	place, err := openPlace(within, path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(place) //nolint:errcheck // nothing was written through it
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return nil, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("it is no regular file")
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return nil, fmt.Errorf("it belongs to user %d, who could change it: chown root %s", st.Uid, path)
	case st.Mode&0o077 != 0:
		return nil, fmt.Errorf("others than its owner can use it (mode %#o): chmod 600 %s", st.Mode&0o777, path)
	case st.Size > maxKeyFile:
		return nil, fmt.Errorf("it has more than %d bytes", maxKeyFile)
	}
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", place))
	if err != nil {
		return nil, err
	}
	text, err = io.ReadAll(io.LimitReader(f, maxKeyFile))
	return text, errors.Join(err, f.Close())
}

func openPlace(within, path string) (int, error) {
	const flags = unix.O_PATH | unix.O_CLOEXEC
	if within == "" {
		return unix.Open(path, flags, 0)
	}
	dir, err := unix.Open(within, flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", within, err)
	}
	defer unix.Close(dir) //nolint:errcheck // nothing was written through it
	how := unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	place, err := unix.Openat2(dir, path, &how)
	if errors.Is(err, unix.ELOOP) {
		err = errors.New("it is a symbolic link, or behind one")
	}
	return place, err
}
