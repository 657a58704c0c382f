package battery

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

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// victimMark makes the test binary a victim: the order that it holds is carried out, up to the write where it dies.
const victimMark = "PLUMB_TEST_VICTIM"

// ErrInjected is what a write reports that is made to fail.
var ErrInjected = errors.New("injected")

// Order is what a victim shall do.
type Order struct {
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

// Main moves a test binary that root runs to a private host, and lets it be a victim there if that is what it is for.
// It returns when there are tests to run.
func Main() {
	if os.Geteuid() != 0 {
		fmt.Println("not root: the tests on a kernel are skipped")
		return
	}
	if err := host.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	text := os.Getenv(victimMark)
	if text == "" {
		return
	}
	var o Order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.carryOut()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (o Order) carryOut() error {
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

func (o Order) around() func(kernel.Write, func() error) error {
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
			return errors.Join(err, ErrInjected)
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

// Command is a process that carries out the order, in the host's namespaces. What it says goes to its Stdout, a
// [bytes.Buffer].
func (o Order) Command() (*exec.Cmd, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimMark+"="+string(text), host.QuickEnd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, nil
}

// Sacrifice runs a victim, which must die as it was told.
func (o Order) Sacrifice() error {
	cmd, err := o.Command()
	if err != nil {
		return err
	}
	_ = cmd.Run() // the state tells how it ended
	status, ok := cmd.ProcessState.Sys().(interface{ Signaled() bool })
	if !ok || !status.Signaled() {
		return fmt.Errorf("the victim did not die at write %d, but ended: %s\n%s", o.Die, cmd.ProcessState, cmd.Stdout)
	}
	return nil
}
