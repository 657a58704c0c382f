// Command plumb makes a Linux host's network match a topology file. To add a command, write its file and its line in
// [env.root].
package main

import (
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	_ "github.com/plumbnet/plumb/cmd/plumb/early"
)

func main() {
	// A run is short, and most of what it reads it needs to its end: collecting garbage half as often as usual, for each
	// byte that is live, saves more than the memory is worth.
	debug.SetGCPercent(gcPercent)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// countWorkers is how many threads are to work at once: one for each processor. The runtime gets to count one
// processor more than there are. The workers mostly wait in the kernel: if none were idle then, the runtime's monitor
// would hand on what they hold, and start threads that look for other work (runtime/proc.go: retake, handoffp). There
// is none, and they would take time from the workers.
func countWorkers() int {
	processors := runtime.GOMAXPROCS(0)
	if processors > 1 {
		runtime.GOMAXPROCS(processors + 1)
	}
	return processors
}

const gcPercent = 300

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, open: openHost, workers: countWorkers()}
	return e.run(args)
}

func (e *env) run(args []string) int {
	root := e.root()
	root.AddCommand(e.validate(), e.diff(), e.apply(), e.watchFiles(), e.confirm(), e.destroy(), e.list(), e.status(),
		e.agent(), e.fetch(), e.reconcile(), e.suspend(), e.resume(), e.show(), e.execIn(), e.shell(), e.capture(),
		e.initFile(), e.explain(), e.schema(), e.version())
	completion(root)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		unquoted(root)
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	return e.exit(cmd, err)
}
