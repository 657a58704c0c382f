package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Capable says whether the thread may use a capability, as CAP_NET_ADMIN (capabilities(7)).
func Capable(capability int) (bool, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return false, fmt.Errorf("read capabilities: %w", err)
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0, nil
}
