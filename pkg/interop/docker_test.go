package interop

import (
	"testing"
	"time"
)

// TestBesideDocker has a network of Docker's, with a namespace on its bridge in a container's stead.
func TestBesideDocker(t *testing.T) { beside(t, docker()) }

func TestBesideDockerLegacy(t *testing.T) { beside(t, legacy(docker())) }

// TestBesideDockerIPv6 has Docker's network and firewall in both families.
func TestBesideDockerIPv6(t *testing.T) {
	n := docker("--experimental", "--ip6tables", "--ipv6", "--fixed-cidr-v6", "fd00:29::/64")
	start, works := n.start, n.works
	n.start = func(h *house) {
		start(h)
		h.sh("docker", "network", "create", "--ipv6", "--subnet", "fd00:30::/64", "--subnet", "172.29.0.0/24",
			"-o", "com.docker.network.bridge.name=lan29", "dual")
		h.guest("box6", "lan29", "172.29.0.2", "172.29.0.1")
		h.script(`
			ip -n box6 address add fd00:30::2/64 dev eth0 nodad
			ip -n box6 route add default via fd00:30::1`)
	}
	n.works = func(h *house, limit time.Duration) error {
		if err := reached("box6", "world", world6, 0, uplink6, limit); err != nil {
			return err
		}
		return works(h, limit)
	}
	beside(t, n)
}

// docker is Docker's daemon with some options more.
func docker(options ...string) neighbour {
	options = append(options, "--storage-driver", "vfs")
	return neighbour{
		packages: "docker.io",
		commands: []string{"dockerd", "docker", "containerd", "iptables"},
		start: func(h *house) {
			h.start("dockerd", options...)
			h.sh("docker", "network", "create", "--subnet", "172.30.0.0/24", "-o", "com.docker.network.bridge.name=lan30",
				"lan")
			h.guest("box", "lan30", "172.30.0.2", "172.30.0.1")
		},
		reload: func(h *house) {
			h.stop("dockerd")
			h.start("dockerd", options...)
		},
		shows: func(h *house) string {
			const lasting = "{{.Name}} {{.Driver}} {{json .IPAM}} {{json .Options}}" // some get a new id at each start
			return h.sh("docker", "network", "inspect", "lan") +
				h.sh("docker", "network", "inspect", "--format", lasting, "bridge", "host", "none") +
				h.sh("ip", "-br", "address", "show", "dev", "docker0") + h.sh("ip", "-br", "address", "show", "dev", "lan30")
		},
		works: func(_ *house, limit time.Duration) error {
			if err := reached("box", "world", world4, 0, uplink4, limit); err != nil {
				return err
			}
			if err := reached("", "box", "172.30.0.2", 0, "172.30.0.1", limit); err != nil {
				return err
			}
			return runAll("docker network create --subnet 172.31.0.0/24 brief", "docker network rm brief")
		},
	}
}
