package kinds

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// A kernel without IPv6 has no switch for it, which is no error and no forwarding.
func TestForwardingWithoutFamily(t *testing.T) {
	for _, none := range []error{unix.EAFNOSUPPORT, unix.EOPNOTSUPP} {
		if value, err := forwarding(kernel.Reply{Err: none}); value != "" || err != nil || object.IsOn(value) {
			t.Errorf("%v: %q, %v", none, value, err)
		}
	}
	if _, err := forwarding(kernel.Reply{Err: unix.EPERM}); !errors.Is(err, unix.EPERM) {
		t.Errorf("the error is %v, want EPERM", err)
	}
}
