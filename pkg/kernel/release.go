package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Since says whether the kernel is of a release or of a later one. It is for what the kernel takes in silence and does
// not do: all else is tried, and the error tells.
func Since(major, minor int) bool {
	var name unix.Utsname
	var is, point int
	if err := unix.Uname(&name); err != nil {
		return true
	}
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &is, &point); err != nil {
		return true
	}
	return is > major || is == major && point >= minor
}
