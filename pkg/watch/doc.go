// Package watch hears of what changes in a host's network and its namespaces: by netlink, by a mark of fanotify(7) for
// sysctls, and by the list of mounts for the names of namespaces. It says which section has to be looked at, and not
// what is there now.
//
// Whatever may have been missed is reported as a change, so that nothing goes unheard: a namespace that is heard from now
// on, and everything when the kernel had more to tell than it had room for. It holds no descriptor of a namespace: one
// that somebody deletes is gone at once.
package watch
