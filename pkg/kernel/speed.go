package kernel

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LinkSpeed is what a link of the namespace that the calling thread is in says of its speed, in Mbit/s (ethtool(8)); 0
// where it does not know, or does not say.
func LinkSpeed(name string) (speed uint32) {
	const (
		getSettings      = 1 // ETHTOOL_GSET of linux/ethtool.h
		speedAt, highAt  = 12, 28
		unknown          = 1<<32 - 1
		size             = 44 // of struct ethtool_cmd
		requestSize      = 40 // of struct ifreq
		requestPointerAt = unix.IFNAMSIZ
	)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd) //nolint:errcheck // nothing is written to it
	var settings [size]byte
	binary.NativeEndian.PutUint32(settings[:], getSettings)
	request := struct {
		name [requestPointerAt]byte
		data unsafe.Pointer
		rest [requestSize - requestPointerAt - unsafe.Sizeof(uintptr(0))]byte
	}{data: unsafe.Pointer(&settings)}
	copy(request.name[:requestPointerAt-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	speed = uint32(binary.NativeEndian.Uint16(settings[speedAt:])) |
		uint32(binary.NativeEndian.Uint16(settings[highAt:]))<<16
	if errno != 0 || speed == unknown {
		return 0
	}
	return speed
}
