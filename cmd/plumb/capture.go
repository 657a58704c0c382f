package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/spf13/cobra"
)

func (e *env) capture() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:        "capture NAME/NAMESPACE/INTERFACE [-w FILE] [--] [FILTER...]",
		Short:      "Show or save the packets of an interface",
		SuggestFor: []string{"tcpdump", "sniff"},
		Long: `capture shows the packets that pass an interface in a namespace of the topology NAME, or writes
them to FILE, - for stdout, in the form that Wireshark reads. It becomes tcpdump(1), which must be
installed, and takes a filter as pcap-filter(7) tells.`,
		Example: `  plumb capture lab/web/eth0
  plumb capture lab/web/eth0 -w web.pcap -- icmp or arp
  plumb capture lab/web/eth0 -w - | wireshark -k -i -`,
		Annotations:       map[string]string{becoming: "yes"},
		ValidArgsFunction: e.completePlaces,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, errors.New("which interface? NAME/NAMESPACE/INTERFACE, as lab/web/eth0"))
			}
			at, link := path.Split(args[0])
			if link == "" || strings.Count(at, "/") != 2 {
				return usage(cmd, fmt.Errorf("%q is not NAME/NAMESPACE/INTERFACE, as lab/web/eth0", args[0]))
			}
			where, err := placeIn([]string{strings.TrimSuffix(at, "/")})
			if err != nil {
				return usage(cmd, err)
			}
			const program = "tcpdump"
			if _, err := exec.LookPath(program); err != nil {
				return &exitError{exitNotFound, errors.New(program + " is not installed: it shows the packets; " +
					"on Debian: apt install tcpdump")}
			}
			return e.become(where, program, dumping(link, file, args[1:]), os.Environ())
		},
	}
	cmd.Flags().StringVarP(&file, "write", "w", "", "`FILE` to write the packets to, - for stdout")
	return cmd
}

// dumping is how to call tcpdump. It would else give up its rights before it opens the file, and look names up in a
// network that may have no name server.
func dumping(link, file string, filter []string) []string {
	args := []string{"tcpdump", "-n", "-i", link}
	if file != "" {
		args = append(args, "-U", "-Z", "root", "-w", file)
	}
	return append(append(args, "--"), filter...)
}
