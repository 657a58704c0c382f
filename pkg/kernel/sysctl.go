package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// sysctlRoot has all that is ever read or written, whatever a name looks like.
const sysctlRoot = "/proc/sys/net"

// ReadSysctls reads parameters of the namespace; paths are below /proc/sys. What does not exist is left out.
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
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			values[path] = v
		}
	}
	return values, nil
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
		_, err = f.WriteString(value)
		return errors.Join(err, f.Close())
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
