package kernel

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// listen opens a listener to links in a namespace.
func listen(t *testing.T, n *Namespace, room int) (l *Listener) {
	t.Helper()
	err := n.Inside(func() (err error) {
		l, err = Listen(unix.NETLINK_ROUTE, room, unix.RTNLGRP_LINK)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// After an overrun the kernel drops all until what there was room for has been received. An overrun that was told of
// before that would be taken for the end of the gap.
func TestOverrunIsToldAtItsEnd(t *testing.T) {
	n := private(t)
	l := listen(t, n, 4<<10)
	for range 10 {
		if err := flicker(n); err != nil {
			t.Fatal(err)
		}
	}
	heard := 0
	count := func(Notice) { heard++ }
	if err := l.Receive(2, count); err != nil || heard == 0 {
		t.Fatalf("%v, and %d changes heard", err, heard)
	}
	if err := n.Write("create", bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE, "unheard")); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]int)
	note := func(m Notice) { names[Attrs(m.Data[unix.SizeofIfInfomsg:]).Text(unix.IFLA_IFNAME)]++ }
	if err := l.Receive(1000, note); !errors.Is(err, ErrOverrun) || names["unheard"] > 0 {
		t.Errorf("%v, and heard of %v", err, names)
	}
	if err := l.Receive(1000, note); err != nil {
		t.Errorf("it is told again: %v", err)
	}
	if err := n.Write("create", bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE, "heard")); err != nil {
		t.Fatal(err)
	}
	if err := l.Receive(1000, note); err != nil || names["heard"] == 0 {
		t.Errorf("afterwards: %v, and heard of %v", err, names)
	}
}

// A listener hears of another namespace as soon as that has a number, and by that.
func TestListenByNumber(t *testing.T) {
	n, other := private(t), private(t)
	l := listen(t, n, 1<<20)
	var from []int
	note := func(m Notice) { from = append(from, m.Number) }
	hear := func() []int {
		t.Helper()
		from = nil
		if err := errors.Join(flicker(other), l.Receive(1000, note)); err != nil {
			t.Fatal(err)
		}
		return from
	}
	if got := hear(); len(got) > 0 {
		t.Errorf("without a number it is heard: %v", got)
	}
	number, err := n.GiveNumber("give a number", other)
	if err != nil || number < 0 {
		t.Fatal(number, err)
	}
	if again, err := n.GiveNumber("give a number", other); again != number || err != nil {
		t.Errorf("%d is %d by now, %v", number, again, err)
	}
	got := hear()
	for _, have := range got {
		if have != number {
			t.Errorf("it has number %d, and is told of by %d", number, have)
		}
	}
	if len(got) == 0 {
		t.Error("it is not heard")
	}
	if err := errors.Join(flicker(n), l.Receive(1000, func(m Notice) {
		if m.Number != -1 {
			t.Errorf("its own changes are told by number %d", m.Number)
		}
	})); err != nil {
		t.Error(err)
	}
}
