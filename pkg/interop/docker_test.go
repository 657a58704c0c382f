package interop

import (
	"slices"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// TestBesideDocker has a network of Docker's, with a namespace on its bridge in a container's stead.
func TestBesideDocker(t *testing.T) { beside(t, docker(nil, nil)) }

func TestBesideDockerLegacy(t *testing.T) { beside(t, legacy(docker(nil, nil))) }

// TestBesideDockerIPv6 has Docker's network and firewall in both families.
func TestBesideDockerIPv6(t *testing.T) {
	n := docker([]string{"--experimental", "--ip6tables"}, []string{"--ipv6", "--subnet", "fd00:30::/64"})
	start, works := n.start, n.works
	n.start = func(h *house) {
		start(h)
		h.script(`
			ip -n box address add fd00:30::2/64 dev eth0 nodad
			ip -n box route add default via fd00:30::1`)
	}
	allow := n.allow // of IPv6 this Docker has no chain for its user
	n.allow = func(h *house) {
		allow(h)
		h.script(`
			ip6tables -I FORWARD -s fd00:77::/64 -j ACCEPT
			ip6tables -I FORWARD -d fd00:77::/64 -j ACCEPT`)
	}
	n.forwards = append(n.forwards, forward6)
	n.works = func(h *house, limit time.Duration) error {
		if err := reached("box", "world", world6, 0, uplink6, limit); err != nil {
			return err
		}
		return works(h, limit)
	}
	beside(t, n)
}

// docker is Docker with options more for its daemon and for its network. A second network would do no good: after a
// start the rules of networks have any order.
func docker(daemon, network []string) neighbour {
	daemon = append([]string{"--storage-driver", "vfs"}, daemon...)
	network = slices.Concat([]string{"network", "create", "--subnet", "172.30.0.0/24",
		"-o", "com.docker.network.bridge.name=lan30"}, network, []string{"lan"})
	return neighbour{
		packages: "docker.io",
		commands: []string{"dockerd", "docker", "containerd", "iptables"},
		forwards: []string{forward4},
		start: func(h *house) {
			h.start("dockerd", daemon...)
			h.sh("docker", network...)
			h.guest("box", "lan30", "172.30.0.2", "172.30.0.1")
		},
		reload: func(h *house) {
			h.stop("dockerd")
			h.start("dockerd", daemon...)
		},
		shows: func(h *house) string {
			const lasting = "{{.Name}} {{.Driver}} {{json .IPAM}} {{json .Options}}" // some get a new id at each start
			return h.sh("docker", "network", "inspect", "lan") +
				h.sh("docker", "network", "inspect", "--format", lasting, "bridge", "host", "none") +
				h.sh("ip", "-br", "address", "show", "dev", "docker0") + h.sh("ip", "-br", "address", "show", "dev", "lan30")
		},
		allow: func(h *house) {
			h.script(`
				iptables -I DOCKER-USER -s 10.77.0.0/24 -j ACCEPT
				iptables -I DOCKER-USER -d 10.77.0.0/24 -j ACCEPT`)
		},
		works: func(_ *house, limit time.Duration) error {
			if err := reached("box", "world", world4, 0, uplink4, limit); err != nil {
				return err
			}
			if err := reached("", "box", "172.30.0.2", 0, "172.30.0.1", limit); err != nil {
				return err
			}
			return host.Script("docker network create --subnet 172.31.0.0/24 brief\ndocker network rm brief")
		},
	}
}
