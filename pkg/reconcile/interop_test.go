package reconcile_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// Firewalls as Debian has them, on the private host. `make interop` installs them; where they are not, the tests are
// skipped.

// needs skips the test where one of some commands is not installed.
func (l *lab) needs(commands ...string) {
	l.Helper()
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			l.Skipf("%s is not installed: make interop", c)
		}
	}
}

// hears says whether a datagram from a namespace gets to another one. Firewalls let echo requests pass that drop it.
func (l *lab) hears(from, to, addr string) bool {
	l.Helper()
	var server *net.UDPConn
	err := host.Inside(to, func() (err error) {
		server, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)})
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // it was only read
	err = host.Inside(from, func() error {
		client, err := net.Dial("udp", server.LocalAddr().String())
		if err != nil {
			return err
		}
		_, err = client.Write([]byte("hello"))
		return errors.Join(err, client.Close())
	})
	if err == nil {
		err = server.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	}
	if err != nil {
		l.Fatal(err)
	}
	_, _, err = server.ReadFromUDP(make([]byte, 8))
	return err == nil
}

// othersRules is the ruleset without counters, and without plumb's tables.
func (l *lab) othersRules() string {
	l.Helper()
	var kept []string
	skip := false
	for line := range strings.Lines(l.sh("nft", "--stateless", "list", "ruleset")) {
		if strings.HasPrefix(line, "table ") {
			skip = strings.HasPrefix(line, "table inet plumb-")
		}
		if !skip {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// beside applies a topology beside a firewall, which is to be as it was before; allow lets both families pass. Either
// packets get through, or a warning says why not.
func (l *lab) beside(allow func()) {
	l.Helper()
	topo := l.load(routedOut)
	before := l.othersRules()
	check := func(when string, pass bool) {
		l.Helper()
		l.apply(topo)
		for _, world := range []string{world4, world6} {
			if l.hears("ns1", "world", world) != pass {
				l.Errorf("%s: packets to %s pass: %v", when, world, !pass)
			}
		}
		if want := map[bool]int{true: 0, false: 2}[pass]; len(l.warnings) != want {
			l.Errorf("%s: the warnings are %q, want %d", when, l.warnings, want)
		}
	}
	check("at first", false)
	if now := l.othersRules(); now != before {
		l.Errorf("the rules of others are\n%s\nbefore\n%s", now, before)
	}
	remedies := l.remedies()
	for _, remedy := range remedies {
		l.sh("sh", "-c", remedy)
	}
	check("after the remedies", true)
	l.withdraw(remedies)
	check("without the remedies", false)
	allow()
	check("allowed by its own means", true)
	before = l.othersRules()
	l.destroy(topo.Name)
	if now := l.othersRules(); now != before {
		l.Errorf("after destroy the rules of others are\n%s\nbefore\n%s", now, before)
	}
}

// withdraw deletes the rules that remedies have inserted.
func (l *lab) withdraw(remedies []string) {
	l.Helper()
	for _, r := range remedies {
		word := strings.Fields(r) // nft insert rule FAMILY TABLE CHAIN ...
		chain, rule := word[3:6], strings.Join(word[6:], " ")
		for line := range strings.Lines(l.sh("nft", append([]string{"-a", "list", "chain"}, chain...)...)) {
			if text, handle, ok := strings.Cut(strings.TrimSpace(line), " # handle "); ok && text == rule {
				l.sh("nft", slices.Concat([]string{"delete", "rule"}, chain, []string{"handle", handle})...)
			}
		}
	}
}

// TestBesideUfw runs beside ufw, whose rules for what is routed let packets pass.
func TestBesideUfw(t *testing.T) {
	l := newLab(t)
	l.needs("ufw", "iptables", "ip6tables", "mount", "umount")
	l.uplink()
	l.bridged("0")
	etc := t.TempDir()
	files, err := filepath.Glob("/usr/share/ufw/*.rules")
	more, _ := filepath.Glob("/usr/share/ufw/iptables/*.rules")
	if files = append(files, more...); err != nil || len(files) == 0 {
		t.Skip("the rules of ufw are not in /usr/share/ufw")
	}
	for _, path := range files {
		l.copyTo(etc, path)
	}
	for name, text := range map[string]string{"ufw.conf": "ENABLED=no\nLOGLEVEL=off\n", "sysctl.conf": ""} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.sh("mkdir", filepath.Join(etc, "applications.d"))
	l.sh("mount", "--bind", etc, "/etc/ufw")
	t.Cleanup(func() { l.sh("umount", "/etc/ufw") })
	l.sh("ufw", "--force", "enable")
	l.fixture(func() { l.script("ufw --force disable\nnft flush ruleset") })
	l.beside(func() {
		l.script("ufw route allow from 192.168.10.0/24\nufw route allow from fd00:10::/64")
	})
	if status := l.sh("ufw", "status"); !strings.Contains(status, "Status: active") {
		t.Errorf("ufw: %s", status)
	}
	l.mark()
}

func (l *lab) copyTo(dir, path string) {
	l.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600)
	}
	if err != nil {
		l.Fatal(err)
	}
}

// TestBesideFirewalld runs beside firewalld, which rejects by a rule what it does not know.
func TestBesideFirewalld(t *testing.T) {
	l := newLab(t)
	l.needs("firewalld", "firewall-cmd", "dbus-daemon")
	l.uplink()
	l.bridged("0")
	l.sh("mkdir", "-p", "/run/dbus")
	l.daemon("dbus-daemon", "--system", "--nofork", "--nopidfile")
	l.until("dbus-daemon", func() bool { _, err := os.Stat("/run/dbus/system_bus_socket"); return err == nil })
	l.daemon("firewalld", "--nofork", "--nopid", "--log-target", "console")
	l.until("firewalld", func() bool { return exec.Command("firewall-cmd", "--state").Run() == nil })
	l.fixture(func() { l.script("nft flush ruleset") })
	l.beside(func() { l.sh("firewall-cmd", "--zone=trusted", "--add-interface=br0") })
	if state := l.sh("firewall-cmd", "--state"); !strings.Contains(state, "running") {
		t.Errorf("firewalld: %s", state)
	}
	l.mark()
}

// daemon starts a daemon, which ends with the test.
func (l *lab) daemon(name string, args ...string) {
	l.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		_, _ = cmd.Process.Kill(), cmd.Wait() // it is done with
		if l.Failed() {
			l.Logf("%s: %s", name, &out)
		}
	})
}

// until waits for something to be so.
func (l *lab) until(what string, so func() bool) {
	l.Helper()
	for deadline := time.Now().Add(3 * patience); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.Fatalf("%s is not ready", what)
		}
	}
}
