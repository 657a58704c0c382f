package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// ipCommand is the arguments of ip(8), to be run in a namespace, or on the host.
type ipCommand struct{ namespace, args string }

// ipUp is a shape as commands: those of the host, those of one namespace after the other, and the bridges up last. A
// namespace makes the cables to those after it, so that what a command needs is there. With a group, the cables are in
// it.
func ipUp(s shape, group string) []ipCommand {
	var c []ipCommand
	add := func(namespace, format string, args ...any) {
		c = append(c, ipCommand{namespace, fmt.Sprintf(format, args...)})
	}
	for _, b := range s.bridges {
		add("", "link add %s type bridge", b.name)
		add("", "address add %s dev %s", b.address, b.name)
	}
	for _, n := range s.namespaces {
		add("", "netns add %s", n.name)
		for _, ctl := range n.sysctls {
			add("", "netns exec %s sysctl -qw %s=%s", n.name, ctl.key, ctl.value)
		}
	}
	cables := map[end]cable{}
	for _, p := range s.cables {
		cables[p[0]] = p
	}
	ends := s.ends()
	for _, n := range append([]namespace{{}}, s.namespaces...) {
		if n.name != "" {
			add(n.name, "link set lo up")
		}
		for _, e := range ends[n.name] {
			if p, first := cables[e]; first {
				add(n.name, "%s", addCable(p, group))
			} else {
				add(n.name, "link set %s up", e.name)
			}
			if e.address.IsValid() {
				add(n.name, "address add %s dev %s", e.address, e.name)
			}
		}
		for _, r := range n.routes {
			add(n.name, "route add %s via %s", r.destination(), r.via)
		}
	}
	for _, b := range s.bridges {
		add("", "link set %s up", b.name)
	}
	return c
}

// addCable makes both ends where they belong, and the first one up.
func addCable(c cable, group string) string {
	options := "up"
	if c[0].bridge != "" {
		options += " master " + c[0].bridge
	}
	if group != "" {
		options += " group " + group
	}
	return fmt.Sprintf("link add %s %s type veth peer name %s netns %s", c[0].name, options, c[1].name, c[1].namespace)
}

// ipDown removes a shape: the cables first, because the kernel takes its time with those of a removed namespace. With
// a group, the cables of a namespace go together.
func ipDown(s shape, group string) []ipCommand {
	var c []ipCommand
	seen := map[string]bool{}
	for _, p := range s.cables {
		switch owner := p[0].namespace; {
		case group == "":
			c = append(c, ipCommand{owner, "link delete " + p[0].name})
		case !seen[owner]:
			seen[owner] = true
			c = append(c, ipCommand{owner, "link delete group " + group})
		}
	}
	for _, n := range s.namespaces {
		c = append(c, ipCommand{"", "netns delete " + n.name})
	}
	for _, b := range s.bridges {
		c = append(c, ipCommand{"", "link delete " + b.name})
	}
	return c
}

// scriptSteps are those of a shell script, with a process for each command.
func scriptSteps(s shape, dir string) ([]step, error) {
	up, down := filepath.Join(dir, "up.sh"), filepath.Join(dir, "down.sh")
	return shellSteps(s, up, down), writeFiles(map[string]string{up: script(ipUp(s, "")), down: script(ipDown(s, ""))})
}

func script(commands []ipCommand) string {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "ip %s%s\n", inNamespace(c.namespace), c.args)
	}
	return b.String()
}

// batchGroup marks the cables of the batch.
const batchGroup = "7"

// batchSteps are those of ip -batch: a process for the host, and one for each namespace.
func batchSteps(s shape, dir string) ([]step, error) {
	up, down := filepath.Join(dir, "up.sh"), filepath.Join(dir, "down.sh")
	files := map[string]string{}
	files[up] = batch(ipUp(s, batchGroup), filepath.Join(dir, "up"), files)
	files[down] = batch(ipDown(s, batchGroup), filepath.Join(dir, "down"), files)
	return shellSteps(s, up, down), writeFiles(files)
}

// batch is the script of a list of commands. Those that follow each other in one namespace are in a file; its name is
// prefix and a number.
func batch(commands []ipCommand, prefix string, files map[string]string) string {
	var b strings.Builder
	file, runs := "", 0
	for i, c := range commands {
		if i == 0 || c.namespace != commands[i-1].namespace {
			runs++
			file = fmt.Sprintf("%s%d", prefix, runs)
			fmt.Fprintf(&b, "ip %s-batch '%s'\n", inNamespace(c.namespace), file)
		}
		files[file] += c.args + "\n"
	}
	return b.String()
}

func inNamespace(name string) string {
	if name == "" {
		return ""
	}
	return "-n " + name + " "
}

func shellSteps(s shape, up, down string) []step {
	return []step{
		{Op: "up", Args: []string{"sh", "-e", up}, Expect: s.built(namedDir)},
		{Op: "down", Args: []string{"sh", "-e", down}, Expect: nothing()},
	}
}
