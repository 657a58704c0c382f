package reconcile_test

import (
	"sync/atomic"

	"github.com/plumbnet/plumb/pkg/battery"
)

// order is what a victim shall do: a process that carries it out, and may die on the way.
type order = battery.Order

// sacrificed counts victims that died, and outlived those that ended before the write at which they were to: the kernel
// spares a run a write at times, as that of a link-local address.
var sacrificed, outlived atomic.Int64

// sacrifice runs a victim, which must die as it was told. Few may outlive it.
func (l *lab) sacrifice(o order) {
	l.Helper()
	cmd, err := o.Command()
	if err != nil {
		l.Fatal(err)
	}
	err = cmd.Run()
	status, ok := cmd.ProcessState.Sys().(interface{ Signaled() bool })
	const spared = 20 // one of so many
	switch sacrificed.Add(1); {
	case ok && status.Signaled():
	case outlived.Add(1)*spared <= sacrificed.Load()+spared:
		l.Logf("the victim ended before write %d: %v", o.Die, err)
	default:
		l.Errorf("the victim did not die at write %d, but ended: %v\n%s", o.Die, err, cmd.Stdout)
	}
}
