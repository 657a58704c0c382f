package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A cell is a process with a network, mounts and processes of its own. It has an empty /run and lo, and it runs the
// steps of one contender. What is left when it ends, ends with it.

// job is what a cell is to do.
type job struct {
	Steps []step `json:"steps"`
	// Idle is how long to wait, before each run of a step, until the machine has nothing else to do.
	Idle time.Duration `json:"idle"`
}

// sample is a step that was run.
type sample struct {
	Op           string  `json:"op"`
	Milliseconds float64 `json:"ms"`       // from the process's start to its end, the median of what was run several times
	PeakKiB      int64   `json:"peak_kib"` // of resident memory; not below that of the cell, from which it is forked
	Busy         bool    `json:"busy"`     // the machine had other work when one of its runs started
}

// runCell runs a job in a new cell.
func runCell(ctx context.Context, self string, j job) ([]sample, error) {
	in, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "cell")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Setpgid:    true, // Ctrl-C is for the bench, which ends the cell
		Pdeathsig:  unix.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		if errs.Len() > 0 {
			return nil, fmt.Errorf("%s", strings.TrimPrefix(strings.TrimSpace(errs.String()), "plumb-bench: "))
		}
		return nil, fmt.Errorf("run a cell: %w", err)
	}
	var samples []sample
	if err := json.Unmarshal(out.Bytes(), &samples); err != nil {
		return nil, fmt.Errorf("read what a cell measured: %w", err)
	}
	return samples, nil
}

// inCell is the cell's own process: it reads a job and writes its samples.
func inCell(stdin io.Reader, stdout io.Writer) error {
	if os.Getpid() != 1 {
		return errors.New("a cell is for the bench to start")
	}
	var j job
	if err := json.NewDecoder(stdin).Decode(&j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	if err := furnish(); err != nil {
		return fmt.Errorf("make a cell: %w", err)
	}
	var samples []sample
	for _, s := range j.Steps {
		sample, err := s.measure(j.Idle)
		if err == nil && s.Expect != nil {
			err = s.Expect.check()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Op, err)
		}
		samples = append(samples, sample)
	}
	return json.NewEncoder(stdout).Encode(samples)
}

// furnish gives the cell what a machine has after its start.
func furnish() error {
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"sysfs", "/sys", "sysfs", 0},
		{"tmpfs", "/run", "tmpfs", 0},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	socket, err := dial()
	if err != nil {
		return err
	}
	defer unix.Close(socket) //nolint:errcheck // a socket has nothing to lose
	r := newRTNL()
	r.begin(unix.RTM_NEWLINK, 0, linkBody(1, unix.IFF_UP))
	if err := r.exec(socket); err != nil {
		return fmt.Errorf("lo: up: %w", err)
	}
	return nil
}

// stepLimit ends a command that hangs.
const stepLimit = 30 * time.Minute

// measure runs a step as often as it is to be.
func (s step) measure(idle time.Duration) (sample, error) {
	all := sample{Op: s.Op}
	var times []float64
	for i := range max(1, s.Times) {
		if i > 0 && len(s.Back) > 0 {
			if _, _, err := timed(s.Back); err != nil {
				return all, err
			}
		}
		all.Busy = !awaitIdle(idle) || all.Busy
		took, peak, err := timed(s.Args)
		if err != nil {
			return all, err
		}
		times, all.PeakKiB = append(times, took.Seconds()*1000), max(all.PeakKiB, peak)
	}
	all.Milliseconds = median(times)
	return all, nil
}

// timed runs a command and measures it. Its output goes nowhere.
func timed(args []string) (took time.Duration, peakKiB int64, err error) {
	errs, err := os.CreateTemp("/run", "stderr") // a file: through a pipe, reading it would be timed too
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(errs.Name()) //nolint:errcheck // it ends with the cell
	defer errs.Close()           //nolint:errcheck // as above
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = errs
	start := time.Now()
	err = cmd.Run()
	took = time.Since(start)
	if err != nil {
		text, _ := os.ReadFile(errs.Name())
		return 0, 0, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, text)
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return took, usage.Maxrss, nil
}
