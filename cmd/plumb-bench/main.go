// Command plumb-bench measures plumb against other ways of building the same network. A [shape] says what is built, a
// [contender] builds it, and a cell is the private network that it does so in, so that nothing of the machine's own is
// touched. To add a shape, write its function and its line in parseShape; to add a contender, its file and its line in
// contenders.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "plumb-bench:", err)
		os.Exit(1)
	}
}

// run is the bench, or one of the processes that it starts: a cell, or the floor in a cell.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "cell":
			return inCell(stdin, stdout)
		case "floor":
			return floorCommand(args[1:], stdout)
		}
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	return bench(ctx, o, stdout, stderr)
}
