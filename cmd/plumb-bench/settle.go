package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel takes namespaces down when nobody waits for it any more, and that slows what comes next. Before each run
// the bench waits until they are gone, by the kernel's own count, and before each run of a step until the machine
// is idle.

// settler waits until the kernel has as few network namespaces as when there were fewest.
type settler struct {
	limit  time.Duration
	fewest int
	say    func(format string, args ...any)
}

// newSettler makes one that waits longer than for an idle machine: a thousand namespaces take their time.
func newSettler(idle time.Duration, say func(string, ...any)) *settler {
	awaitIdle(idle)
	return &settler{6 * idle, countNetObjects().count, say}
}

// wait returns when they are gone. Namespaces of others do not stop the bench, but are told of.
func (s *settler) wait(ctx context.Context) error {
	for deadline := time.Now().Add(s.limit); ; {
		if err := nudge(ctx); err != nil {
			return fmt.Errorf("make an empty namespace: %w", err)
		}
		if err := sleep(ctx, window); err != nil {
			return err
		}
		now := countNetObjects()
		s.fewest = min(s.fewest, now.count)
		if now.count <= s.fewest+now.slack {
			return nil
		}
		if time.Now().After(deadline) {
			s.say("warning: there are %d network namespaces, and have been %d: "+
				"something else makes them, or the kernel is slow in removing them",
				now.count, s.fewest)
			return nil
		}
	}
}

// nudge makes an empty namespace that goes at once. New kernels free the memory of one that is gone when they take down
// the next (net_complete_free), and count it until then.
func nudge(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	return cmd.Run()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// netObjects is the kernel's count of network namespaces, 0 where it does not tell (not root, or SLUB merges them with
// others). Each CPU keeps some that are free and counted, as many as slack.
type netObjects struct{ count, slack int }

// slabsPerCPU is how many slabs of such large objects a CPU keeps.
const slabsPerCPU = 3

func countNetObjects() netObjects {
	text, _ := os.ReadFile("/proc/slabinfo")
	return parseNetObjects(string(text), runtime.NumCPU())
}

// parseNetObjects reads slabinfo(5).
func parseNetObjects(slabinfo string, cpus int) netObjects {
	for line := range strings.Lines(slabinfo) {
		var active, total, size, perSlab int
		if n, _ := fmt.Sscanf(line, "net_namespace %d %d %d %d", &active, &total, &size, &perSlab); n == 4 {
			return netObjects{active, slabsPerCPU * perSlab * cpus}
		}
	}
	return netObjects{}
}

const (
	window      = 100 * time.Millisecond
	idleWindows = 3   // in a row
	idleShare   = 0.9 // of the time of all CPUs
)

// awaitIdle says whether the machine became idle within the limit.
func awaitIdle(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	before, inARow := readCPU(), 0
	for time.Now().Before(deadline) {
		time.Sleep(window)
		now := readCPU()
		if now.idleSince(before) < idleShare {
			inARow = 0
		} else if inARow++; inARow == idleWindows {
			return true
		}
		before = now
	}
	return false
}

// cpuTime is what the CPUs have done since the machine's start, in ticks.
type cpuTime struct{ idle, all uint64 }

// idleSince is the share of the time that was idle.
func (c cpuTime) idleSince(before cpuTime) float64 {
	if c.all <= before.all {
		return 0
	}
	return float64(c.idle-before.idle) / float64(c.all-before.all)
}

func readCPU() cpuTime {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return cpuTime{}
	}
	defer f.Close() //nolint:errcheck // only read
	line, _ := bufio.NewReader(f).ReadString('\n')
	return parseCPU(line)
}

// parseCPU reads the first line of proc_stat(5): user nice system idle iowait irq softirq steal.
func parseCPU(line string) cpuTime {
	var n [8]uint64
	var into []any
	for i := range n {
		into = append(into, &n[i])
	}
	// What is left out is 0.
	_, _ = fmt.Sscanf(strings.Join(strings.Fields(line), " "), "cpu %d %d %d %d %d %d %d %d", into...)
	var c cpuTime
	for _, ticks := range n {
		c.all += ticks
	}
	c.idle = n[3] + n[4]
	return c
}
