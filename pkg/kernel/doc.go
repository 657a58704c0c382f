// Package kernel holds thin wrappers around what plumb asks of Linux: a network namespace with its sockets, named
// namespaces in /run/netns, nftables and sysctls. Every write, whatever its way into the kernel, leaves through one
// [Seam].
package kernel
