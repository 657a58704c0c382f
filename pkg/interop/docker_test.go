package interop

import "testing"

// TestBesideDocker has a network of Docker's, with a namespace on its bridge in a container's stead.
func TestBesideDocker(t *testing.T) { beside(t, docker) }

var docker = neighbour{
	packages: "docker.io",
	commands: []string{"dockerd", "docker", "containerd"},
	start: func(h *house) {
		h.start("dockerd", "--storage-driver", "vfs")
		h.sh("docker", "network", "create", "--subnet", "172.30.0.0/24", "-o", "com.docker.network.bridge.name=lan30",
			"lan")
		h.guest("box", "lan30", "172.30.0.2", "172.30.0.1")
	},
	reload: func(h *house) {
		h.stop("dockerd")
		h.start("dockerd", "--storage-driver", "vfs")
	},
	shows: func(h *house) string {
		const lasting = "{{.Name}} {{.Driver}} {{json .IPAM}} {{json .Options}}" // the others get a new id at each start
		return h.sh("docker", "network", "inspect", "lan") +
			h.sh("docker", "network", "inspect", "--format", lasting, "bridge", "host", "none") +
			h.sh("ip", "-br", "address", "show", "dev", "docker0") + h.sh("ip", "-br", "address", "show", "dev", "lan30")
	},
	works: func(h *house) error {
		if err := reached("box", "world", world4, 0, uplink4); err != nil {
			return err
		}
		if err := reached("", "box", "172.30.0.2", 0, "172.30.0.1"); err != nil {
			return err
		}
		return runAll("docker network create --subnet 172.31.0.0/24 brief", "docker network rm brief")
	},
}
