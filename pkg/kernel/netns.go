package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// NetnsDir is where namespaces have their names, as ip-netns(8) has it.
const NetnsDir = "/run/netns"

// ErrNotNamespace is the error of [Named] for a file in /run/netns that is no network namespace, as a crash of any
// tool leaves it behind.
var ErrNotNamespace = errors.New("is a file, and not a network namespace")

// ErrSymlink is the error of [Named] for a symbolic link, which plumb never makes and does not follow.
var ErrSymlink = errors.New("is a symbolic link")

// Names lists what is in /run/netns.
func Names() ([]string, error) {
	entries, err := os.ReadDir(NetnsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Named takes the thread into the namespace called name, and opens it with all that a look at it needs. It follows no
// symbolic link. Errors wrap [fs.ErrNotExist], [ErrNotNamespace] or [ErrSymlink].
func Named(t Thread, name string, seam *Seam) (*Namespace, error) {
	n, err := open(t, name, seam)
	if err == nil {
		n.openForLook()
	}
	return n, err
}

// Again is [Named], but gives n itself where that is still open and has the name. A nil Namespace is not.
func (n *Namespace) Again(t Thread, name string, seam *Seam) (*Namespace, error) {
	if n == nil || n.Name != name || n.route == nil || !n.Stands() || n.Enter(t) != nil {
		return Named(t, name, seam)
	}
	n.openForLook()
	return n, nil
}

// openForLook opens what only a look needs, on a thread in the namespace.
func (n *Namespace) openForLook() {
	if n.nft == nil {
		n.nft, _ = openSocket(unix.NETLINK_NETFILTER) // else NFTUntouched tries again, and says why not
	}
}

// Absent says whether an error of [Named] is that no namespace has the name.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotNamespace) || errors.Is(err, ErrSymlink)
}

// open is Named without what only a look needs.
func open(t Thread, name string, seam *Seam) (*Namespace, error) {
	fd, err := openFile(name)
	if err != nil {
		return nil, err
	}
	if err := t.enter(name, fd); err != nil {
		unix.Close(fd) //nolint:errcheck // only opened to enter
		if errors.Is(err, unix.EINVAL) {
			err = fmt.Errorf("%s/%s %w", NetnsDir, name, ErrNotNamespace)
		}
		return nil, err
	}
	return newNamespace(name, fd, seam)
}

func openFile(name string) (fd int, err error) {
	path := filepath.Join(NetnsDir, name)
	var st unix.Statfs_t
	// What can't be a namespace is not opened: a device may take that for an order, and a file be closed to us.
	if err := unix.Statfs(path, &st); err == nil && st.Type != unix.NSFS_MAGIC {
		return -1, fmt.Errorf("%s %w", path, ErrNotNamespace)
	}
	fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, fmt.Errorf("%s %w", path, ErrSymlink)
	case err != nil:
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	return fd, nil
}

// Create takes the thread into a new namespace. Nobody else can be in it, and it ends when it is closed, until
// [Namespace.Bind] has made its name visible. What the kernel copies into it comes from the host, and not from where
// the thread has been: net.core.devconf_inherit_init_net may say that.
func Create(t Thread, name string, seam *Seam) (*Namespace, error) {
	if err := t.enter("", t.home); err != nil {
		return nil, err
	}
	make := func() error { return unix.Unshare(unix.CLONE_NEWNET) }
	if err := seam.Do(Write{NS: name, What: "create namespace"}, make); err != nil {
		return nil, err
	}
	n, err := Current(seam)
	if err != nil {
		return nil, err
	}
	n.Name = name
	return n, nil
}

// Bind makes the name of a namespace visible that the calling thread is in. It mounts onto the very file that it made:
// where that is gone, the name may be another's by now, whose namespace a second mount would hide.
func (n *Namespace) Bind() error {
	path := filepath.Join(NetnsDir, n.Name)
	var file *os.File
	err := n.Do("create "+path, func() (err error) {
		file, err = os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o444)
		return err
	})
	if file == nil {
		return err
	}
	defer file.Close() //nolint:errcheck // nothing is written to it
	if err != nil {
		return err
	}
	err = n.Do("mount "+path, func() error {
		at := fmt.Sprintf("/proc/thread-self/fd/%d", file.Fd())
		return unix.Mount("/proc/thread-self/ns/net", at, "none", unix.MS_BIND, "")
	})
	if err != nil && isAt(file, path) {
		return errors.Join(err, Remove(n.Name, n.seam))
	}
	return err
}

// isAt says whether the path is still that of the file.
func isAt(file *os.File, path string) bool {
	have, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(have, there)
}

// IsMounted says whether something is mounted at the name. Without that it is a mere file.
func IsMounted(name string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, filepath.Join(NetnsDir, name), unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// Remove takes away a file in /run/netns at which nothing is mounted.
func Remove(name string, seam *Seam) error {
	path := filepath.Join(NetnsDir, name)
	return seam.Do(Write{NS: name, What: "remove " + path}, func() error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Delete takes the name of a namespace away; not of another that has got the name meanwhile, and that it is gone
// already is no error. The namespace ends when it is closed, which is all that may follow, and no process and no
// socket is in it.
func (n *Namespace) Delete() error {
	defer n.closeSockets()
	switch err := n.wake(); { // a number of a namespace that nobody has open could be another's by now
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && !errors.Is(err, ErrNotNamespace):
		return err
	}
	path := filepath.Join(NetnsDir, n.Name)
	err := n.Do("unmount "+path, func() error {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err == nil && IsMounted(n.Name) && (ID{st.Dev, st.Ino}) != n.id {
			return ErrOther
		}
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil // not mounted, or gone already
		}
		return err
	})
	if err != nil {
		return err
	}
	n.ended = true
	return Remove(n.Name, n.seam)
}

// PrepareNetnsDir makes /run/netns if need be, and a shared mount as `ip netns add` does, so that names appear in
// other mount namespaces too.
func PrepareNetnsDir(seam *Seam) error {
	m, err := mountOf(NetnsDir)
	if err != nil {
		return err
	}
	if m.point == NetnsDir && m.peers != "" {
		return nil
	}
	return seam.Do(Write{What: "make " + NetnsDir + " a shared mount"}, func() error {
		if m.point != NetnsDir { // else somebody died before the second mount
			if err := os.MkdirAll(NetnsDir, 0o755); err != nil {
				return err
			}
			if err := unix.Mount(NetnsDir, NetnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
				return err
			}
		}
		return unix.Mount("", NetnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	})
}

// OnSlaveMount says whether /run/netns lies on a slave mount, as it does inside `ip netns exec`: what is mounted there
// vanishes with the process.
func OnSlaveMount() (bool, error) {
	m, err := mountOf(NetnsDir)
	return m.slave, err
}

type mount struct {
	point string
	peers string // number of the group of shared mounts that it is one of; empty for none
	slave bool
}

// mountOf finds the mount that a path lies on, or will when it is made.
func mountOf(path string) (mount, error) { return mountIn("self", path) }

// mountIn is mountOf for a path that lies in the mount namespace of a process. It asks the kernel for the mount's
// number: a list of mount points alone does not tell which of them others hide.
func mountIn(proc, path string) (mount, error) {
	var st unix.Statx_t
	for err := error(unix.ENOENT); errors.Is(err, unix.ENOENT); path = filepath.Dir(path) {
		err = unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
		if err != nil && (!errors.Is(err, unix.ENOENT) || path == "/") {
			return mount{}, fmt.Errorf("stat %s: %w", path, err)
		}
	}
	file, err := os.Open("/proc/" + proc + "/mountinfo")
	if err != nil {
		return mount{}, fmt.Errorf("read the mounts: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	m, err := parseMount(file, st.Mnt_id)
	if err != nil {
		return m, fmt.Errorf("read the mounts: %w", err)
	}
	return m, nil
}

// parseMount reads the line of a mount in proc_pid_mountinfo(5), and no further: each namespace that has a name is a
// line of it.
func parseMount(list io.Reader, id uint64) (m mount, err error) {
	lines, number := bufio.NewScanner(list), strconv.FormatUint(id, 10)
	lines.Buffer(nil, math.MaxInt) // an overlay's line names all its layers
	for lines.Scan() {
		field := strings.Fields(lines.Text())
		if len(field) < 7 || field[0] != number {
			continue
		}
		m.point = field[4]
		for _, option := range field[6:] {
			if option == "-" {
				break
			}
			if group, ok := strings.CutPrefix(option, "shared:"); ok {
				m.peers = group
			}
			m.slave = m.slave || strings.HasPrefix(option, "master:")
		}
		break
	}
	return m, lines.Err()
}

// Processes lists the processes of the namespaces that are asked for: number and name, as "41 sleep". Hidden says that
// some could be looked at with CAP_SYS_PTRACE, which is missing: those of others, and with more capabilities
// (ptrace(2), access mode checking).
func Processes(of func(ID) bool) (in map[ID][]string, hidden bool, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, false, err
	}
	sees, err := Capable(unix.CAP_SYS_PTRACE)
	if err != nil {
		return nil, false, err
	}
	in = make(map[ID][]string)
	own := fmt.Sprintf("/proc/%d", os.Getpid()) // whose threads come and go
	for _, dir := range dirs {
		if dir == own {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat(dir+"/ns/net", &st); err != nil { // or it has ended meanwhile
			hidden = hidden || !sees && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM))
			continue
		}
		id := ID{st.Dev, st.Ino}
		if !of(id) {
			continue
		}
		comm, err := os.ReadFile(dir + "/comm")
		if err != nil {
			continue
		}
		in[id] = append(in[id], filepath.Base(dir)+" "+strings.TrimSpace(string(comm)))
	}
	return in, hidden, nil
}
