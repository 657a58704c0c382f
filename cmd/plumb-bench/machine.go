package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what the numbers hold for.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// String is a line about the machine.
func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s, %s.", m.CPU, m.Cores, m.Kernel, m.Go)
}

func thisMachine() machine {
	m := machine{CPU: "unknown CPU", Cores: runtime.NumCPU(), Go: runtime.Version()}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return m
}

// hostNetwork names the links and namespaces of the machine itself.
func hostNetwork() ([]string, error) {
	socket, err := dial()
	if err != nil {
		return nil, err
	}
	defer unix.Close(socket) //nolint:errcheck // a socket has nothing to lose
	r := newRTNL()
	r.begin(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkBody(0, 0))
	found := map[string]bool{} // a repeated dump finds them again
	_, err = r.dump(socket, func(b []byte) bool {
		for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_IFNAME {
				found["link "+unix.ByteSliceToString(value)] = true
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list the machine's links: %w", err)
	}
	files, err := os.ReadDir(namedDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		found["namespace "+f.Name()] = true
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// untouched says whether the machine's own network is as before.
func untouched(before []string) error {
	after, err := hostNetwork()
	if err != nil {
		return err
	}
	if !slices.Equal(before, after) {
		return fmt.Errorf("the machine's own network changed meanwhile, by the bench or by others: before %q, after %q",
			before, after)
	}
	return nil
}
