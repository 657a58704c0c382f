package main

import (
	_ "embed" // for the driver
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

//go:embed mininet_driver.py
var mininetDriver string

// mininetNetwork is what the driver reads.
type mininetNetwork struct {
	Bridge  string        `json:"bridge"`
	Address string        `json:"address"`
	Hosts   []mininetHost `json:"hosts"`
}

type mininetHost struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Via     string `json:"via"`
}

// mininetSteps are those of a program that uses mininet's Python interface, for hosts on one bridge. Its namespaces
// have no names: the driver leaves their files in a folder for the check.
func (t tools) mininetSteps(s shape, dir string) ([]step, error) {
	if t.python == "" || len(s.bridges) != 1 {
		return nil, nil
	}
	network, err := json.Marshal(mininetOf(s))
	if err != nil {
		return nil, err
	}
	driver, file, down := filepath.Join(dir, "driver.py"), filepath.Join(dir, "network.json"),
		filepath.Join(dir, "down.sh")
	stop, done := filepath.Join(dir, "stop"), filepath.Join(dir, "done")
	err = errors.Join(unix.Mkfifo(stop, 0o600), unix.Mkfifo(done, 0o600), writeFiles(map[string]string{
		driver: mininetDriver,
		file:   string(network),
		down:   fmt.Sprintf("echo down >'%s'\nread -r answer <'%s'\n[ \"$answer\" = down ]\n", stop, done),
	}))
	return []step{
		{Op: "up", Args: []string{t.python, driver, file, dir}, Expect: s.built(filepath.Join(dir, "netns"))},
		{Op: "down", Args: []string{"sh", "-e", down}, Expect: nothing()},
	}, err
}

// mininetOf gives each host its address and its way out. Links have mininet's own names.
func mininetOf(s shape) mininetNetwork {
	network := mininetNetwork{Bridge: s.bridges[0].name, Address: s.bridges[0].address.String()}
	ends := s.ends()
	for _, n := range s.namespaces {
		network.Hosts = append(network.Hosts, mininetHost{n.name, ends[n.name][0].address.String(), n.routes[0].via.String()})
	}
	return network
}

// findMininet gives a Python that has mininet, or the empty string and why there is none.
func findMininet() (string, error) {
	for _, tool := range []string{"mnexec", "brctl", "ifconfig"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", err
		}
	}
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import mininet.net").Run() == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("no python3 has the module mininet: %w", os.ErrNotExist)
}
