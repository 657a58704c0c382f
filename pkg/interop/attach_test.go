package interop

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttachDocker wires a container of Docker's that has no network of its own: with its bridge, and again when it was
// started again. Docker's own network stays as it is.
func TestAttachDocker(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, command := range []string{"go", "ip", "nft", "dockerd", "docker", "containerd", "iptables", "busybox", "tar"} {
		if _, err := exec.LookPath(command); err != nil {
			skip(t, "%s is not installed: apt-get install docker.io busybox-static", command)
		}
	}
	if os.Getenv(roleMark) != testerRole {
		apart(t, build(t))
		return
	}
	h := newHouse(t)
	h.start("dockerd", "--storage-driver", "vfs")
	h.image("box")
	for _, name := range []string{"web", "app"} {
		h.sh("docker", "run", "--detach", "--name", name, "--network", "none", "box", "/bin/busybox", "sleep", "1000000")
	}
	file := h.file(wired)
	before, rules := h.container("app"), h.rules()
	h.plumb("apply", "-f", file)
	h.plumb("diff", "-f", file)
	h.talk()

	h.sh("docker", "restart", "--time", "0", "web")
	if out, err := exec.Command(os.Getenv(plumbMark), "diff", "-f", file).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "web/eth1") {
		h.Errorf("diff does not see that the container was started again: %v\n%s", err, out)
	}
	h.plumb("apply", "-f", file)
	h.plumb("diff", "-f", file)
	h.talk()

	h.sh("docker", "stop", "--time", "0", "web")
	out, err := exec.Command(os.Getenv(plumbMark), "apply", "-f", file).CombinedOutput()
	if code := exitCode(err); code != 3 || !strings.Contains(string(out), "docker start web") {
		h.Errorf("the container does not run: exit code %d, want 3\n%s", code, out)
	}
	h.sh("docker", "start", "web")
	h.plumb("apply", "-f", file)
	h.talk()
	h.plumb("destroy", "-f", file)
	h.same("after destroy", "the container", before, h.container("app"))
	h.same("after destroy", "the list of Docker's rules", rules, h.rules())
}

// wired has two containers: one on a bridge of the host, and a cable from it to the other.
const wired = `
name: wired
bridges: {br7: {addresses: [10.77.0.1/24]}}
namespaces:
  web:
    attach: docker:web
    interfaces:
      eth1: {bridge: br7, addresses: [10.77.0.11/24]}
      eth2: {peer: app/eth1, addresses: [10.78.0.1/24]}
    routes: [{to: default, via: 10.77.0.1}]
  app:
    attach: docker:app
    interfaces: {eth1: {addresses: [10.78.0.2/24]}}
nat: [{masquerade: 10.77.0.0/24, out: up0}]
`

// image makes an image of a busybox alone.
func (h *house) image(name string) {
	h.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		h.Fatal(err)
	}
	root := filepath.Join(h.TempDir(), "root")
	h.sh("mkdir", "-p", root+"/bin", root+"/proc", root+"/sys", root+"/dev", root+"/etc")
	h.sh("cp", path, root+"/bin/busybox")
	h.sh("tar", "-C", root, "-cf", root+".tar", ".")
	h.sh("docker", "import", root+".tar", name)
}

// container tells of the network of a container.
func (h *house) container(name string) string {
	h.Helper()
	return h.sh("docker", "exec", name, "/bin/busybox", "ip", "address") +
		h.sh("docker", "exec", name, "/bin/busybox", "ip", "route")
}

// talk says that the container reaches what the topology wires it to.
func (h *house) talk() {
	h.Helper()
	for _, to := range []string{"10.77.0.1", "10.78.0.2"} {
		h.sh("docker", "exec", "web", "/bin/busybox", "ping", "-c", "1", "-W", "10", to)
	}
}

func exitCode(err error) int {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
