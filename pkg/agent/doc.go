// Package agent keeps hosts as topologies want them, for as long as it runs: it takes what topology files say, hears of
// what changes, and has what was changed healed. It decides when to do what; how is for [reconcile.Session].
package agent
