package link

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// Tun is an interface whose packets a program reads and writes at /dev/net/tun, and that stays when the program ends
// (IFLA_TUN_* of linux/if_link.h; tun(4)). What a program chooses when it opens it, as vnet_hdr, is the program's.
type Tun struct {
	User  Account `file:"user" plan:"user" nl:"1,less" doc:"number of the user who may open it; root may in any case"`
	Group Account `file:"group" plan:"group of users" nl:"2,less" doc:"number of the group whose members may open it"`
	// Multi says that programs can have several queues of it.
	Multi bool `file:"multi-queue" plan:"multi-queue,fixed" nl:"7" doc:"several queues, for programs of several threads"`
	// Persist is always wanted: without it the interface goes with the program.
	Persist bool `plan:"persistent" nl:"6"`
}

// Account is the number of a user or a group, and one more; it is 0 for none.
type Account uint32

// Parse implements [file.Parser].
func (a *Account) Parse(name, s string) error {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 { // which stands for none
		return file.Flawf("%s is %s, which is not a number of an account", name, file.Quote(s))
	}
	*a = Account(n + 1)
	return nil
}

// Text implements [file.Described].
func (*Account) Text() file.Text {
	return file.Text{Words: "number of an account", Pattern: "^[0-9]{1,10}$"}
}

// String is the number.
func (a Account) String() string { return fmt.Sprint(int64(a) - 1) }

var (
	tun = tunType("tun", "an interface whose IP packets a program reads and writes, as of a VPN", unix.IFF_TUN)
	tap = tunType("tap", "an interface whose frames a program reads and writes, as a virtual machine", unix.IFF_TAP)
)

// device is what programs open to get at a tun or tap.
const device = "/dev/net/tun"

func tunType(name, doc string, mode uint16) Type {
	t := Type{
		Name: name, Doc: doc, Part: kernel.Part{Module: "tun", Option: "TUN", Device: device},
		New: func() Spec { return Tun{Persist: true} },
		Fixed: func(want, have Spec) (fields []string) {
			w, h := want.(Tun), have.(Tun)
			if w.User == 0 && h.User != 0 { // there is no way to take it back
				fields = append(fields, "user")
			}
			if w.Group == 0 && h.Group != 0 {
				fields = append(fields, "group of users")
			}
			return fields
		},
		Making: Making{
			Make: func(s *object.Section, l Link, stamp func(int) error) (object.LiveLink, error) {
				return makeTun(s, l, mode, stamp)
			},
		},
		Changing: Changing{
			Alter: func(_ *object.Env, s *object.Section, want, have Link) error {
				return alterTun(s, want, have, mode)
			},
		},
	}
	if name == "tun" {
		t.NoARP, t.NoVLANs, t.NoPort, t.TxQLen = true, true, true, 500
		t.OwnMAC = func(Spec) bool { return false }
		t.Check = checkTun
	} else {
		t.MTUs = func(Spec) (least, most uint32) { return object.MinMTU, object.MaxMTU - ethernetHead }
	}
	return t
}

// checkTun reports what needs frames: a tun has packets alone.
func checkTun(l *object.Iface, _ file.Spots) {
	if l.Spots.Given("mac") {
		l.Section.Errorf(l.Spots.At("mac"), "%s has a mac, and is a tun, which has none", l).Hint = "a tap has one"
	}
}

// makeTun makes an interface as a program does, gives it its stamp, and only then has it stay: should plumb die before,
// it goes with it.
func makeTun(s *object.Section, l Link, mode uint16, stamp func(int) error) (live object.LiveLink, err error) {
	const exclusive = unix.IFF_TUN_EXCL // one of that name that is there is not opened
	err = openTun(s, l, mode|exclusive, "create link "+l.Key().Place(), func(fd int) error {
		if live, err = object.FindLink(s.NS, l.Ifname); err != nil {
			return err
		}
		if err := stamp(live.Index); err != nil {
			return err
		}
		return own(s, fd, l, Tun{})
	})
	if err != nil {
		return live, err
	}
	return object.FindLink(s.NS, l.Ifname)
}

// alterTun changes an interface that is there. A program that has its only queue keeps others out.
func alterTun(s *object.Section, want, have Link, mode uint16) error {
	what := "open link " + want.Key().Place()
	err := openTun(s, want, mode, what, func(fd int) error { return own(s, fd, want, have.Spec.(Tun)) })
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w: a program has it open, and must end first", err)
	}
	return err
}

// own says who may open an interface, and has it stay.
func own(s *object.Section, fd int, l Link, have Tun) error {
	want, place := l.Spec.(Tun), l.Key().Place()
	for _, c := range []struct {
		what    string
		request uint
		value   int
		differs bool
	}{
		{"set user of link ", unix.TUNSETOWNER, int(want.User) - 1, want.User != have.User},
		{"set group of users of link ", unix.TUNSETGROUP, int(want.Group) - 1, want.Group != have.Group},
		{"let stay link ", unix.TUNSETPERSIST, int(kernel.Bit(want.Persist)), want.Persist != have.Persist},
	} {
		if !c.differs {
			continue
		}
		err := s.NS.Do(c.what+place, func() error { return unix.IoctlSetInt(fd, c.request, c.value) })
		if err != nil {
			return err
		}
	}
	return nil
}

// openTun opens an interface as a program does, in its namespace, for as long as use takes.
func openTun(s *object.Section, l Link, mode uint16, what string, use func(fd int) error) error {
	request, err := unix.NewIfreq(l.Ifname)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if l.Spec.(Tun).Multi {
		mode |= unix.IFF_MULTI_QUEUE
	}
	request.SetUint16(mode | unix.IFF_NO_PI)
	return s.NS.Inside(func() error {
		fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: open %s: %w", what, device, err)
		}
		err = s.NS.Do(what, func() error { return unix.IoctlIfreq(fd, unix.TUNSETIFF, request) })
		if err == nil {
			err = use(fd)
		}
		return errors.Join(err, unix.Close(fd))
	})
}
