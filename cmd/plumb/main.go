// Command plumb makes a Linux host's network match a topology file. To add a command, write its file and its line in
// [env.root].
package main

import (
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, open: openHost}
	return e.run(args)
}

func (e *env) run(args []string) int {
	root := e.root()
	root.AddCommand(e.validate(), e.diff(), e.apply(), e.confirm(), e.destroy(), e.version())
	completion(root)
	root.SetArgs(args)
	return e.exit(root, root.Execute())
}
