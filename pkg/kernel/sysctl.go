package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// sysctlRoot has all that is ever read or written, whatever a name looks like.
const sysctlRoot = "/proc/sys/net"

// ReadSysctls reads parameters of the namespace; paths are below /proc/sys. What does not exist, or has no value to
// read, is left out.
func (n *Namespace) ReadSysctls(paths []string) (values map[string]string, err error) {
	if len(paths) == 0 {
		return nil, nil
	}
	err = n.Inside(func() error {
		values, err = ReadSysctlsHere(paths)
		return err
	})
	return values, err
}

// ReadSysctlsHere is [Namespace.ReadSysctls] for the namespace that the calling thread is in.
func ReadSysctlsHere(paths []string) (map[string]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	root, err := openSysctlRoot()
	if err != nil {
		return nil, err
	}
	defer unix.Close(root) //nolint:errcheck // O_PATH
	values := make(map[string]string, len(paths))
	for _, path := range paths {
		v, err := readSysctl(root, path)
		switch {
		case err == nil:
			values[path] = v
		case !unreadable(err):
			return nil, err
		}
	}
	return values, nil
}

// unreadable says whether a parameter is not there or has no value to read: a directory, one that can only be written,
// or one that was never set (stable_secret).
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EISDIR) ||
		errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EIO)
}

// SysctlModeHere tells how a parameter can be used in the namespace that the calling thread is in.
func SysctlModeHere(path string) (fs.FileMode, error) {
	root, err := openSysctlRoot()
	if err != nil {
		return 0, err
	}
	defer unix.Close(root) //nolint:errcheck // O_PATH
	fd, err := openSysctl(root, path, unix.O_PATH)
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close() //nolint:errcheck // O_PATH
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("sysctl %s: %w", path, err)
	}
	return info.Mode(), nil
}

// SysctlFilesHere identifies the files of parameters of the namespace that the calling thread is in; the zero ID is for
// one that is not there. Each namespace has its own, which keeps its number while somebody has it open.
func SysctlFilesHere(paths ...string) []ID {
	files := make([]ID, len(paths))
	root, err := openSysctlRoot()
	if err != nil {
		return files
	}
	defer unix.Close(root) //nolint:errcheck // O_PATH
	// To find net/ipv4 of a namespace the kernel goes through those of all others, so that it is asked for that once.
	dirs := make(map[string]int)
	for i, path := range paths {
		top, rest := splitSysctl(path)
		dir, known := dirs[top]
		if !known {
			if dir, err = openSysctl(root, top, unix.O_PATH); err != nil {
				dir = -1
			} else {
				defer unix.Close(dir) //nolint:errcheck // O_PATH
			}
			dirs[top] = dir
		}
		if dir >= 0 {
			files[i] = fileBeneath(dir, rest)
		}
	}
	return files
}

// splitSysctl splits a path behind the directory in net that it begins with.
func splitSysctl(path string) (top, rest string) {
	if parts := strings.SplitN(path, "/", 3); len(parts) == 3 {
		return parts[0] + "/" + parts[1], parts[2]
	}
	return "net", strings.TrimPrefix(path, "net/")
}

// fileBeneath identifies a file below a directory, zero for none.
func fileBeneath(dir int, path string) ID {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return ID{}
	}
	defer unix.Close(fd) //nolint:errcheck // O_PATH
	st, err := stat(fd)
	if err != nil {
		return ID{}
	}
	return ID{st.Dev, st.Ino}
}

// SysctlNamesHere lists what is in a directory of parameters; nothing where there is none.
func SysctlNamesHere(dir string) []string {
	root, err := openSysctlRoot()
	if err != nil {
		return nil
	}
	defer unix.Close(root) //nolint:errcheck // O_PATH
	fd, err := openSysctl(root, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()                //nolint:errcheck // only read
	names, _ := f.Readdirnames(-1) //nolint:errcheck // they only make a suggestion
	slices.Sort(names)
	return names
}

// InEmpty runs f on a thread in a new namespace, which has no name and ends with f.
func InEmpty(f func() error) error {
	return OnThread(func(Thread) error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a namespace to look into: %w", err)
		}
		return f()
	})
}

// WriteSysctl writes a parameter of the namespace.
func (n *Namespace) WriteSysctl(path, value string) error {
	return n.Inside(func() error { return n.WriteSysctlHere(path, value) })
}

// readSysctl reads a parameter, its white space made single.
func readSysctl(root int, path string) (string, error) {
	fd, err := openSysctl(root, path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	var text []byte
	for part := make([]byte, 4096); ; {
		n, err := unix.Read(fd, part)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
		if text = append(text, part[:n]...); n < len(part) { // a parameter is read as a whole
			return strings.Join(strings.Fields(string(text)), " "), nil
		}
	}
}

// WriteSysctlHere writes a parameter of n, which the calling thread must be in.
func (n *Namespace) WriteSysctlHere(path, value string) error {
	return n.Do(fmt.Sprintf("write %s = %s", path, value), func() error {
		root, err := openSysctlRoot()
		if err != nil {
			return err
		}
		defer unix.Close(root) //nolint:errcheck // O_PATH
		fd, err := openSysctl(root, path, unix.O_WRONLY|unix.O_TRUNC)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), path)
		_, err = f.WriteString(cmp.Or(value, "\n")) // nothing at all would be no write
		if err != nil {
			err = fmt.Errorf("the kernel refuses the value %q: %w", value, err)
		}
		return errors.Join(err, f.Close())
	})
}

// WriteLinkSysctl writes an IPv6 parameter of a link, whose name is known to be one: it leads nowhere else.
func (n *Namespace) WriteLinkSysctl(link, key, value string) error {
	path := "net/ipv6/conf/" + link + "/" + key
	return n.Inside(func() error {
		return n.Do(fmt.Sprintf("write %s = %s", path, value), func() error {
			f, err := os.OpenFile("/proc/sys/"+path, os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				return fmt.Errorf("open sysctl %s: %w", path, err)
			}
			_, err = f.WriteString(value)
			return errors.Join(err, f.Close())
		})
	})
}

// openSysctlRoot opens the directory that the parameters are below.
func openSysctlRoot() (fd int, err error) {
	if fd, err = unix.Open(sysctlRoot, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("open %s: %w", sysctlRoot, err)
	}
	return fd, nil
}

// openSysctl opens a parameter below the root without leaving that, by whatever way the name tries.
func openSysctl(root int, path string, flags int) (fd int, err error) {
	rest, ok := strings.CutPrefix(path, "net/")
	if path == "net" {
		rest, ok = ".", true
	}
	if !ok {
		return -1, fmt.Errorf("sysctl %s: not below net: %w", path, fs.ErrInvalid)
	}
	fd, err = unix.Openat2(root, rest, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, fmt.Errorf("open sysctl %s: %w", path, err)
	}
	return fd, nil
}
