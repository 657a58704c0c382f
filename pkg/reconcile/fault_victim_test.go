package reconcile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// victimMark makes the test binary a victim: the order that it holds is carried out, up to the write where it dies.
const victimMark = "PLUMB_TEST_VICTIM"

// order is what a victim shall do.
type order struct {
	// Name is that of the topology; File holds its text, or nothing when it shall be destroyed.
	Name, File string
	// Fail is the number of the write that is made and reported as failed, so that the run rolls back; 0 is none.
	Fail int64
	// Die is the number of the write at which the process kills itself, before it or after; 0 is none.
	Die   int64
	After bool
	// Workers is how many threads it has; 0 is one, so that a write has the same number each time.
	Workers int
}

// victim carries out an order in a process of its own, and returns its exit code.
func victim(text string) int {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.carryOut()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o order) carryOut() error {
	h, err := reconcile.Open(reconcile.Options{
		LockTimeout: time.Minute, AllowDisconnect: true, Seam: &kernel.Seam{Around: o.around()}, Workers: o.Workers,
	})
	if err != nil {
		return err
	}
	if o.File == "" {
		_, err = h.Destroy(context.Background(), o.Name)
		return errors.Join(err, h.Close())
	}
	all, problems := topology.Load(topology.Input{Name: "victim.yaml", Data: []byte(o.File)})
	if problems.HasErrors() || len(all) != 1 {
		return fmt.Errorf("%d topologies, problems: %v", len(all), problems)
	}
	_, err = h.Apply(context.Background(), all[0])
	return errors.Join(err, h.Close())
}

func (o order) around() func(kernel.Write, func() error) error {
	var writes atomic.Int64
	return func(_ kernel.Write, write func() error) error {
		count := writes.Add(1)
		if count == o.Die && !o.After {
			die()
		}
		err := write()
		if count == o.Die && o.After {
			die()
		}
		if count == o.Fail {
			return errors.Join(err, errInjected)
		}
		return err
	}
}

// die ends the process as the kernel's memory killer would: nothing of it runs on.
func die() {
	if err := unix.Kill(unix.Getpid(), unix.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

// command is a process that carries out the order, in the host's namespaces.
func (o order) command() (*exec.Cmd, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	// The race detector would sleep a second at the end.
	cmd.Env = append(os.Environ(), victimMark+"="+string(text), "GORACE=atexit_sleep_ms=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, nil
}

// sacrificed counts victims that died, and outlived those that ended before the write at which they were to: the kernel
// spares a run a write at times, as that of a link-local address.
var sacrificed, outlived atomic.Int64

// sacrifice runs a victim, which must die as it was told. Few may outlive it.
func (l *lab) sacrifice(o order) {
	l.Helper()
	cmd, err := o.command()
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
