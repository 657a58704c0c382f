package kernel_test

import (
	"net"
	"os"
	"reflect"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// Asking for a type of link makes none, whether the kernel has the type or not.
func TestHasLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	err := host.Apart(func() error {
		n, err := kernel.Current(new(kernel.Seam))
		if err != nil {
			return err
		}
		defer n.Close()
		before, err := net.Interfaces()
		if err != nil {
			return err
		}
		for kind, want := range map[string]bool{"veth": true, "bridge": true, "nosuch": false} {
			if has, err := n.HasLinks(kind, kernel.Part{Module: "module-that-is-not-there"}); err != nil || has != want {
				t.Errorf("%s: %t, %v", kind, has, err)
			}
		}
		device := kernel.Part{Module: "null", Device: "/dev/nosuch"}
		if has, err := n.HasLinks("nosuch", device); err != nil || has {
			t.Errorf("a device that is not there: %t, %v", has, err)
		}
		after, err := net.Interfaces()
		if err == nil && !reflect.DeepEqual(before, after) {
			t.Errorf("before %v, after %v", before, after)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPart(t *testing.T) {
	for _, test := range []struct {
		kernel.Part
		want string
	}{
		{kernel.Part{Module: "8021q", Option: "VLAN_8021Q"}, "the kernel module 8021q (CONFIG_VLAN_8021Q)"},
		{
			kernel.Part{Module: "netkit", Option: "NETKIT", Since: "6.7"},
			"the kernel module netkit (CONFIG_NETKIT), which Linux has since 6.7",
		},
	} {
		if got := test.String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
