// Command plumb makes a Linux host's network match a topology file. To add a command, write its file and its line in
// [env.root].
package main

import (
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

func main() {
	// A run is short, and most of what it reads it needs to its end: collecting garbage half as often as usual, for each
	// byte that is live, saves more than the memory is worth.
	debug.SetGCPercent(gcPercent)
	// Threads wait in the kernel. Where there are more than the runtime counts processors, its monitor takes theirs away from them and starts
	// others to look for work, of which there is none (runtime/proc.go: retake, handoffp): those only get in the way. One more prevents that.
	if processors := runtime.GOMAXPROCS(0); processors > 1 {
		runtime.GOMAXPROCS(processors + 1)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

const gcPercent = 300

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, open: openHost, prefetch: reconcile.StartPrefetch}
	return e.run(args)
}

func (e *env) run(args []string) int {
	root := e.root()
	root.AddCommand(e.validate(), e.diff(), e.apply(), e.confirm(), e.destroy(), e.version())
	completion(root)
	root.SetArgs(args)
	err := root.Execute()
	e.closePrefetched()
	return e.exit(root, err)
}
