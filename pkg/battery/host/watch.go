package host

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Watch notices changes in namespaces as the kernel tells of them.
type Watch struct{ fds []unix.PollFd }

// groups are those of rtnetlink that tell of links, addresses, routes and neighbours.
var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE,
	unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
}

// NewWatch notices changes from now on, on the host and in all namespaces that have a name now.
func NewWatch() (*Watch, error) {
	w := &Watch{}
	names := []string{""}
	entries, err := os.ReadDir(NetnsDir)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, name := range names {
		err := Inside(name, func() error {
			fd, err := listen()
			w.fds = append(w.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
			return err
		})
		if err != nil && name == "" {
			return nil, err
		}
		// Else it is no namespace, or one that is gone.
	}
	return w, nil
}

func listen() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("watch: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) // what has no address is told nothing
	for _, g := range groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("watch: %w", err)
	}
	return fd, nil
}

// Wait waits until something has changed since the watch began, or since the last call; or until the limit.
func (w *Watch) Wait(limit time.Duration) error {
	_, err := unix.Poll(w.fds, int(limit.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("watch: %w", err)
	}
	var room [64 << 10]byte
	for _, p := range w.fds {
		if p.Fd < 0 {
			continue
		}
		for err := error(nil); !errors.Is(err, unix.EAGAIN); {
			// ENOBUFS says that there were more: one is as good as many.
			if _, _, err = unix.Recvfrom(int(p.Fd), room[:], 0); err != nil && !errors.Is(err, unix.ENOBUFS) {
				break
			}
		}
	}
	return nil
}

// Close ends the watch.
func (w *Watch) Close() {
	for _, p := range w.fds {
		if p.Fd >= 0 {
			_ = unix.Close(int(p.Fd))
		}
	}
}
