package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// check says what is not as expected. It counts what is there, and sends packets.
func (e *expectation) check() error {
	got, err := countNetwork(e.Dir)
	if err != nil {
		return fmt.Errorf("count what is there: %w", err)
	}
	if got != e.Census {
		return fmt.Errorf("there are %+v, not %+v", got, e.Census)
	}
	if e.Ping == nil {
		return nil
	}
	return e.ping()
}

// ping sends packets. Of several one must come through: the first may be late for the sake of all the neighbours on
// the way. A question for a neighbour is lost at times where a bridge makes a thousand copies of it: as many as the
// kernel keeps (net.core.netdev_max_backlog). It asks three times, and is made to ask anew.
func (e *expectation) ping() error {
	const attempts = 3
	var out []byte
	var err error
	for range attempts {
		out, err = exec.Command("nsenter", "--net="+filepath.Join(e.Dir, e.Ping.From),
			"ping", "-q", "-n", "-c", "3", "-i", "0.2", "-W", "5", "-t", "255", e.Ping.To.String()).CombinedOutput()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("ping from %s to %s: %w\n%s", e.Ping.From, e.Ping.To, err, out)
}

// countNetwork is the floor's reading, in a process of its own, as it leaves its thread in another namespace.
func countNetwork(dir string) (census, error) {
	out, err := exec.Command("/proc/self/exe", "floor", "read", dir).Output()
	if err != nil {
		return census{}, err
	}
	var c census
	_, err = fmt.Sscan(string(out), &c.Namespaces, &c.Links, &c.Addresses, &c.Routes)
	return c, err
}
