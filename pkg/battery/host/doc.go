// Package host gives a test binary a Linux host of its own, with a network, mounts and a /run that end with the
// process, and ways to work in the namespaces of that host.
package host
