// Package snapshot reads what a host and its namespaces are like, for tests to compare: names and values of all that
// the kernel tells of links, addresses, routes, rules, neighbours, forwarding tables, nftables, queueing disciplines,
// features of links and sysctls.
//
// It stands apart from what it judges: it has a netlink reader of its own, and walks attributes by their numbers.
// What it knows of an attribute is its name and how to print it; one that it does not know is shown by its number, in
// hex. So a new attribute shows without a change here, unless its value differs from run to run. What is left out is
// in one table, [leftOut], with the reason.
//
// Not read: filters, classes and actions of traffic control, multicast groups of bridges, IPsec, conntrack, and
// of what drivers tell by ethtool all but features.
package snapshot
