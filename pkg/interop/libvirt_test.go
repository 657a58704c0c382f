package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// TestBesideLibvirt has a network of libvirt's, with a namespace on its bridge in a virtual machine's stead.
func TestBesideLibvirt(t *testing.T) { beside(t, libvirt) }

var libvirt = neighbour{
	packages: "libvirt-daemon-system libvirt-clients dnsmasq-base iptables",
	commands: []string{"libvirtd", "virsh", "dnsmasq", "iptables"},
	forwards: []string{forward4},
	start: func(h *house) {
		h.startLibvirtd()
		h.sh("virsh", "-c", "network:///system", "net-define", h.network("lan", 30))
		h.sh("virsh", "-c", "network:///system", "net-start", "lan")
		h.guest("box", "virbr30", "192.168.30.2", "192.168.30.1")
	},
	reload: func(h *house) {
		h.stop("libvirtd")
		h.startLibvirtd()
	},
	shows: func(h *house) string {
		return h.sh("virsh", "-c", "network:///system", "net-list", "--all") +
			h.sh("virsh", "-c", "network:///system", "net-dumpxml", "lan") +
			h.sh("ip", "-br", "address", "show", "dev", "virbr30")
	},
	works: func(h *house, limit time.Duration) error {
		if err := reached("box", "world", world4, 0, uplink4, limit); err != nil {
			return err
		}
		if err := dial("box", "192.168.30.1:53", limit); err != nil { // dnsmasq
			return err
		}
		if _, err := run("virsh", "-c", "network:///system", "net-create", h.network("brief", 31)); err != nil {
			return err
		}
		return host.Script("virsh -c network:///system net-destroy brief")
	},
}

// startLibvirtd starts the daemon, which says that it is ready before its networks are, but answers nobody until then.
func (h *house) startLibvirtd() {
	h.Helper()
	h.start("libvirtd")
	h.sh("virsh", "-c", "network:///system", "net-list")
}

// network writes the description of a network behind libvirt's NAT to a file.
func (h *house) network(name string, number int) string {
	h.Helper()
	path := filepath.Join(h.TempDir(), name+".xml")
	text := fmt.Sprintf(`<network><name>%s</name><forward mode='nat'/><bridge name='virbr%d'/>
<ip address='192.168.%[2]d.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.%[2]d.9' end='192.168.%[2]d.99'/></dhcp></ip></network>`, name, number)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
	return path
}
