package battery

import (
	"fmt"
	"os/exec"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// run runs commands, which must succeed.
func (r *trial) run(list ...Command) {
	r.Helper()
	for _, c := range list {
		r.must(c.Run())
	}
}

// Run runs the command. The error has what it says. The command "rest" waits until the kernel is done with what was
// before it, and "feature LINK NAME on|off" is ethtool(8), which not every host has.
func (c Command) Run() error {
	switch {
	case len(c.Argv) == 1 && c.Argv[0] == "rest":
		_, err := snapshot.Rest()
		return err
	case len(c.Argv) == 4 && c.Argv[0] == "feature":
		return host.Inside(c.NS, func() error { return setFeature(c.Argv[1], c.Argv[2], c.Argv[3] == "on") })
	}
	return host.Inside(c.NS, func() error {
		out, err := exec.Command(c.Argv[0], c.Argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", c, err, out)
		}
		return nil
	})
}

func setFeature(link, name string, on bool) error {
	n, err := kernel.Current(new(kernel.Seam))
	if err != nil {
		return err
	}
	defer n.Close()
	return n.SetFeature(link, name, on)
}
