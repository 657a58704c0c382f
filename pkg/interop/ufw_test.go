package interop

import (
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// TestBesideUfw has ufw's own defaults: it lets in what is allowed and forwards nothing.
func TestBesideUfw(t *testing.T) { beside(t, ufw) }

func TestBesideUfwLegacy(t *testing.T) { beside(t, legacy(ufw)) }

var ufw = neighbour{
	packages: "ufw",
	commands: []string{"ufw", "iptables"},
	start: func(h *house) {
		h.script(`
			ufw allow 22/tcp
			ufw --force enable`)
	},
	reload: func(h *house) { h.sh("ufw", "reload") },
	shows:  func(h *house) string { return h.sh("ufw", "status", "numbered") + h.sh("ufw", "show", "added") },
	allow: func(h *house) {
		h.script(`
			ufw route allow from 10.77.0.0/24
			ufw route allow from fd00:77::/64`)
	},
	works: func(_ *house, limit time.Duration) error {
		if err := reached("world", "", uplink4, 22, world4, limit); err != nil {
			return err
		}
		if err := host.Script("ufw allow 8080/tcp"); err != nil {
			return err
		}
		if err := reached("world", "", uplink6, 8080, world6, limit); err != nil {
			return err
		}
		return host.Script("ufw delete allow 8080/tcp")
	},
}
