// Package battery puts every kind of object through the same tests on a real kernel: what a kind must do is said here
// once, and a kind's own files say with what.
//
// A case is a file testdata/cases/KIND/NAME.txtar. [Parse] tells its form, and [Case.Run] what is tried with it: it
// is created, applied again, changed and changed back, changed by hand and healed, compared with what has no history,
// failed and killed at its writes, and destroyed. To test a new kind, add its cases.
package battery
