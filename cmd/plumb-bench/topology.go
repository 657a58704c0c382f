package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// plumbSteps are those of plumb, by the files that its users write.
func (t tools) plumbSteps(s shape, dir string) ([]step, error) {
	file, changed := filepath.Join(dir, "bench.yaml"), filepath.Join(dir, "changed.yaml")
	files := map[string]string{file: topology(s)}
	apply := []string{t.plumb, "apply", "-f", file}
	steps := []step{
		{Op: "up", Args: apply, Expect: s.built(namedDir)},
		{Op: "noop", Args: apply, Times: repeats},
		{Op: "diff", Args: []string{t.plumb, "diff", "-f", file}, Times: repeats},
	}
	if s.changeable() {
		c := s.changed()
		files[changed] = topology(c)
		change := []string{t.plumb, "apply", "-f", changed}
		steps = append(steps, step{Op: "change", Args: change, Expect: c.built(namedDir), Times: repeats, Back: apply})
	}
	steps = append(steps, step{Op: "down", Args: []string{t.plumb, "destroy", "-f", file}, Expect: nothing()})
	return steps, writeFiles(files)
}

// topology is a shape as plumb's file.
func topology(s shape) string {
	var b strings.Builder
	b.WriteString("name: bench\n")
	if len(s.bridges) > 0 {
		b.WriteString("bridges:\n")
	}
	for _, br := range s.bridges {
		fmt.Fprintf(&b, "  %s: {addresses: [%s]}\n", br.name, br.address)
	}
	b.WriteString("namespaces:\n")
	interfaces := map[string]string{}
	for _, c := range s.cables {
		interfaces[c[0].namespace] += topologyInterface(c[0], c[1])
		interfaces[c[1].namespace] += topologyInterface(c[1], c[0])
	}
	for _, n := range s.namespaces {
		fmt.Fprintf(&b, "  %s:\n    interfaces:\n%s", n.name, interfaces[n.name])
		if len(n.routes) > 0 {
			b.WriteString("    routes:\n")
		}
		for _, r := range n.routes {
			fmt.Fprintf(&b, "      - {to: %s, via: %s}\n", r.destination(), r.via)
		}
		if len(n.sysctls) > 0 {
			b.WriteString("    sysctls:\n")
		}
		for _, ctl := range n.sysctls {
			fmt.Fprintf(&b, "      %s: %q\n", ctl.key, ctl.value)
		}
	}
	return b.String()
}

// topologyInterface is the line of an end, with the way to the other end.
func topologyInterface(e, other end) string {
	to := fmt.Sprintf("peer: %s/%s", other.namespace, other.name)
	if other.bridge != "" {
		to = fmt.Sprintf("bridge: %s, port-name: %s", other.bridge, other.name)
	}
	return fmt.Sprintf("      %s: {%s, addresses: [%s]}\n", e.name, to, e.address)
}

// destination is that of a route as people write it.
func (r route) destination() string {
	if r.to.Bits() == 0 {
		return "default"
	}
	return r.to.String()
}
