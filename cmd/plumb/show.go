package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// showFormat names the JSON form of what show prints.
const showFormat = "plumb/show/v1"

// shownTopology is a topology as show prints it.
type shownTopology struct {
	Format     string            `json:"format"`
	Topology   string            `json:"topology"`
	File       string            `json:"file"`
	Namespaces []reconcile.Shown `json:"namespaces"`
}

func (e *env) show() *cobra.Command {
	return &cobra.Command{
		Use:        "show NAME",
		Short:      "Show what a topology has on this host",
		SuggestFor: []string{"inspect", "get", "describe"},
		Long: `show reads what the topology NAME has on this host now: for each namespace the interfaces, their
state and addresses, where their cables lead, what has passed them, and the default gateway. It
goes by the stamps in the kernel alone, needs no file, and writes nothing. Link-local addresses
are only in the JSON.`,
		Example: `  plumb show docker0
  plumb show docker0 -o json | jq '.namespaces[].interfaces[] | select(.state != "up")'`,
		ValidArgsFunction: e.completeTopologies,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args, "NAME", "; 'plumb list' names those on this host"); err != nil {
				return usage(cmd, err)
			}
			h, names, err := e.present()
			if err != nil {
				return err
			}
			defer e.closeHost(h)
			t := target{name: args[0]}
			if !slices.Contains(names, t.name) {
				return &exitError{exitNotRun, fmt.Errorf("topology %s is not on this host%s", t.name, e.others(h, t))}
			}
			all, err := h.Show(cmd.Context(), t.name)
			if err != nil {
				return hostError(err)
			}
			in, _ := h.Applied(t.name) // else the file is not known
			return e.printShown(shownTopology{showFormat, t.name, fileOf(in), all})
		},
	}
}

func (e *env) printShown(t shownTopology) error {
	if e.json() {
		return e.printJSON(t)
	}
	var b strings.Builder
	b.WriteString(t.Topology)
	if t.File != "" {
		b.WriteString(" (" + plan.Printable(t.File) + ")")
	}
	b.WriteString("\n")
	for _, s := range t.Namespaces {
		if s.Namespace == "" && len(s.Interfaces) == 0 {
			continue
		}
		b.WriteString("\n" + plan.Printable(headOf(s)) + "\n")
		b.WriteString(interfaceTable(s.Interfaces))
	}
	return e.print(b.String())
}

// headOf names a namespace and its gateways.
func headOf(s reconcile.Shown) string {
	head := cmp.Or(s.Namespace, "host")
	if s.Attached != "" {
		head += " (" + s.Attached + ")"
	}
	var ways []string
	for _, g := range s.Gateways {
		ways = append(ways, strings.TrimSpace(g.Address+" by "+g.Dev))
	}
	if len(ways) > 0 {
		head += ", gateway " + plan.Listing(ways)
	}
	return head
}

// interfaceTable has a line for each interface. What the kernel puts there by itself is left out: lo with its own
// addresses, and link-local ones.
func interfaceTable(list []reconcile.ShownInterface) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = plan.Printable(cell)
		}
		_, _ = fmt.Fprintf(w, "  %s\n", strings.Join(cells, "\t")) // to memory
	}
	const most = 3 // addresses on a line
	for _, l := range list {
		addresses := slices.DeleteFunc(slices.Clone(l.Addresses), ofTheKernel)
		if l.Type == "loopback" && len(addresses) == 0 && l.State == "up" {
			continue
		}
		if more := len(addresses) - most; more > 0 {
			addresses = append(addresses[:most], fmt.Sprintf("and %d more", more))
		}
		row(l.Name, cmp.Or(l.Type, "card"), l.State, strings.Join(addresses, " "), connections(l), traffic(l))
	}
	_ = w.Flush() // to memory
	return b.String()
}

// ofTheKernel says whether an address is one that the kernel gives by itself.
func ofTheKernel(address string) bool {
	p, err := netip.ParsePrefix(address)
	linkLocal := err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast()
	return linkLocal || address == "127.0.0.1/8" || address == "::1/128"
}

// connections tells what an interface is plugged into, and where its cable leads.
func connections(l reconcile.ShownInterface) string {
	var list []string
	if l.Master != "" {
		list = append(list, "port of "+l.Master)
	}
	switch {
	case l.Peer != "" && l.PeerMaster != "":
		list = append(list, "to "+l.PeerMaster+" ("+l.Peer+")")
	case l.Peer != "":
		list = append(list, "to "+l.Peer)
	}
	return strings.Join(list, ", ")
}

// traffic tells what has passed an interface, and what got lost there.
func traffic(l reconcile.ShownInterface) string {
	c := l.Counters
	text := fmt.Sprintf("in %s, out %s", humanize.Bytes(c.RxBytes), humanize.Bytes(c.TxBytes))
	if lost := c.RxErrors + c.TxErrors + c.RxDropped + c.TxDropped; lost > 0 {
		text += fmt.Sprintf(", %d lost", lost)
	}
	return text
}
