package watch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// ledger takes events, and keeps when each section was told of last.
type ledger struct {
	mu   sync.Mutex
	last map[string]time.Time
	alls int
}

func (l *ledger) take(events <-chan Event) {
	for e := range events {
		l.mu.Lock()
		if e.All {
			l.alls++
		}
		if e.All || !e.At.Before(l.last[e.Section]) {
			l.last[e.Section] = e.At
		}
		if e.All {
			for section := range l.last {
				l.last[section] = e.At
			}
		}
		l.mu.Unlock()
	}
}

// since says whether a section has been told of since then.
func (l *ledger) since(section string, begin time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[section].After(begin)
}

// somebody makes namespaces, deletes them and changes links in them at random.
type somebody struct {
	rand  *rand.Rand
	names []string
	there map[string]bool
	mtu   int
}

// act does one thing to a namespace. It returns nothing, or a command that failed.
func (s *somebody) act(name string) error {
	switch {
	case !s.there[name]:
		s.there[name] = true
		return host.Run("ip", "netns", "add", name)
	case s.rand.IntN(3) == 0:
		s.there[name] = false
		return host.Run("ip", "netns", "delete", name)
	case s.rand.IntN(4) == 0:
		return host.Run("ip", "netns", "exec", name, "sysctl", "-qw",
			fmt.Sprintf("net.ipv4.ip_default_ttl=%d", 64+s.rand.IntN(100)))
	case s.rand.IntN(8) == 0:
		return input(addresses(100), "ip", "-n", name, "-batch", "-")
	default:
		s.mtu++
		return host.Run("ip", "-n", name, "link", "set", "lo", "mtu", strconv.Itoa(1280+s.mtu))
	}
}

// Whatever somebody does, and however fast, an event of the section comes later than that: also when the kernel gives
// the number of a namespace to the next one, and when there is too little room for what it tells.
func TestNothingUnheard(t *testing.T) {
	for _, room := range []int{0, 4 << 10} {
		t.Run(fmt.Sprint(room), func(t *testing.T) { nothingUnheard(t, room) })
	}
}

func nothingUnheard(t *testing.T, room int) {
	w := start(t, Options{RcvBuf: room})
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TEST_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("TEST_SEED=%d", seed)
	s := &somebody{rand: rand.New(rand.NewPCG(seed, 0)), there: make(map[string]bool)}
	l := &ledger{last: make(map[string]time.Time)}
	for i := range 6 {
		s.names = append(s.names, fmt.Sprintf("c%d", i))
		l.last[s.names[i]] = time.Time{}
	}
	t.Cleanup(func() {
		for name := range s.there {
			_ = host.Run("ip", "netns", "delete", name)
		}
	})
	if err := w.Follow(s.names, nil); err != nil {
		t.Fatal(err)
	}
	go l.take(w.Events())
	for range 60 {
		due := make(map[string]time.Time)
		made := make(map[string]time.Time) // what was due before the namespace was made
		for range 1 + s.rand.IntN(8) {
			name := s.names[s.rand.IntN(len(s.names))]
			there := s.there[name]
			if !there {
				made[name] = due[name]
			}
			due[name] = time.Now()
			if err := s.act(name); err != nil {
				t.Fatal(err)
			}
			if before, ok := made[name]; ok && there && !s.there[name] { // it may have come and gone unseen
				due[name] = before
			}
		}
		for name, begin := range due {
			if begin.IsZero() {
				continue
			}
			until(t, "an event of "+name, func() bool { return l.since(name, begin) })
		}
	}
	t.Logf("%d overruns", w.Overruns())
}

// With the usual room, ten thousand changes make no overrun though nobody takes the events, which are few.
func TestStorm(t *testing.T) {
	w := start(t, Options{})
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	namespaces(t, names...)
	if err := w.Follow(names, nil); err != nil {
		t.Fatal(err)
	}
	batch := addresses(500)
	for _, name := range names {
		script(t, "ip -n "+name+" link set lo up")
		if err := input(batch, "ip", "-n", name, "-batch", "-"); err != nil {
			t.Fatal(err)
		}
	}
	typed := time.Now()
	script(t, `ip link set lo mtu 1401
		ip link set lo mtu 1402`) // one of the two is a change
	until(t, "all is heard", func() bool {
		w.queue.mu.Lock()
		defer w.queue.mu.Unlock()
		return slices.ContainsFunc(w.queue.waiting, func(e Event) bool { return e.Section == "" && e.At.After(typed) })
	})
	count := 0
	for e := next(t, w); e.Section != "" || e.At.Before(typed); e = next(t, w) {
		count++
	}
	if count > len(names)*(most+2) || w.Overruns() > 0 {
		t.Errorf("%d events, and %d overruns", count, w.Overruns())
	}
}
