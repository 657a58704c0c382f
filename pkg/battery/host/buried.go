package host

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Buried waits until the kernel has cleaned up the network namespaces that have ended so far, and with them what links in
// them had left on links elsewhere. It does so in their order, some time after: when it has taken the other end of a
// cable from one that ends now, it is done with those before.
func Buried() error {
	return Apart(func() error {
		here := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		err := Apart(func() error {
			return Run("ip", "link", "add", "far", "type", "veth", "peer", "name", "near", "netns", here)
		})
		if err != nil {
			return err
		}
		const limit = 30 * time.Second
		for deadline := time.Now().Add(limit); Run("ip", "link", "show", "near") == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("after %s the kernel has not cleaned up a namespace that has ended", limit)
			}
		}
		return nil
	})
}
