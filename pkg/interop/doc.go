// Package interop tests plumb beside the programs that manage a host's network too: Docker, ufw, firewalld and libvirt,
// as Debian packages them. Each test has a private host, in which the real daemon runs: it comes before plumb or after
// it, and it is reloaded meanwhile. Either traffic flows or a warning says why not; what is the daemon's stays as it
// is; and destroy leaves it working.
//
// A test is skipped where the program is not installed. `make interop` installs all of them, and lets no test skip. To
// test beside another program, write a [neighbour].
package interop
