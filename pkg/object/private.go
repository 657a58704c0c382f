package object

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ArePrivate says what is wrong with the directory of a host, or with the one that it is in: see [IsPrivate].
func ArePrivate(dir string) error {
	if err := IsPrivate(filepath.Dir(dir)); err != nil {
		return err
	}
	return IsPrivate(dir)
}

// IsPrivate says what is wrong with a directory that root alone should be able to write to.
func IsPrivate(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user, or others can write to it: "+
			"in a user namespace mount a tmpfs on /run first, else remove it", path)
	}
	return nil
}
