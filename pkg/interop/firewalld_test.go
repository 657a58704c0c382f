package interop

import (
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// TestBesideFirewalld has firewalld's own defaults: all interfaces are in the zone public.
func TestBesideFirewalld(t *testing.T) { beside(t, firewalld) }

var firewalld = neighbour{
	packages: "firewalld dbus",
	commands: []string{"firewalld", "firewall-cmd", "dbus-daemon"},
	start: func(h *house) {
		h.sh("dbus-daemon", "--system", "--fork")
		d := h.launch(nil, "firewalld", "--nofork", "--nopid")
		for begin := time.Now(); ; { // each question takes it a while to ask
			_, err := run("firewall-cmd", "--state")
			if err == nil {
				return
			}
			if len(d.ended) > 0 || time.Since(begin) > patience {
				h.Fatalf("start firewalld: %v\n%s", err, h.log("firewalld"))
			}
		}
	},
	reload: func(h *house) { h.sh("firewall-cmd", "--reload") },
	shows: func(h *house) string {
		return h.sh("firewall-cmd", "--list-all-zones") + h.sh("firewall-cmd", "--list-all-policies")
	},
	allow: func(h *house) { h.sh("firewall-cmd", "--permanent", "--zone=trusted", "--add-interface=br7") },
	works: func(_ *house, limit time.Duration) error {
		if err := reached("world", "", uplink4, 22, world4, limit); err != nil {
			return err
		}
		if err := host.Script("firewall-cmd --add-port=8080/tcp"); err != nil {
			return err
		}
		if err := reached("world", "", uplink6, 8080, world6, limit); err != nil {
			return err
		}
		return host.Script("firewall-cmd --remove-port=8080/tcp")
	},
}
