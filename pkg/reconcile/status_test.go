package reconcile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatusCommand follows a topology with list and status: applied, drifted, with the copy of what was applied lost,
// and gone.
func TestStatusCommand(t *testing.T) {
	l, bin := newLab(t), plumb(t)
	file := topologyFile(t, "name: lab\nbridges: {br0: {addresses: [192.168.30.1/24]}}\nnamespaces: {ns1: {}}\n")
	l.names = append(l.names, "lab")
	exits(t, 0, bin, "apply", "-f", file)
	if got, want := l.sh(bin, "list"), "lab  "+file+"\n"; got != want {
		t.Errorf("list says %q, want %q", got, want)
	}
	if got, want := l.sh(bin, "status", "--exit-code"), "lab: in sync"; !strings.HasPrefix(got, want) {
		t.Errorf("status says %q, want %q", got, want)
	}
	l.script("ip link set br0 mtu 1400")
	exits(t, 1, bin, "status", "lab", "--exit-code")
	if got := l.sh(bin, "status", "-o", "json"); !strings.Contains(got, `"state": "drifted"`) ||
		!strings.Contains(got, `"before": "1400"`) {
		t.Errorf("status says %s", got)
	}
	copies, err := filepath.Glob("/run/plumb/*/applied/lab")
	if err != nil || len(copies) != 1 {
		t.Fatalf("copies: %q, %v", copies, err)
	}
	if err := os.Remove(copies[0]); err != nil {
		t.Fatal(err)
	}
	if got, want := l.sh(bin, "list"), "lab\n"; got != want {
		t.Errorf("without its copy list says %q, want %q", got, want)
	}
	exits(t, 3, bin, "status", "--exit-code")
	exits(t, 1, bin, "status", "-f", file, "--exit-code")
	exits(t, 0, bin, "destroy", "lab")
	exits(t, 3, bin, "status", "lab")
}
