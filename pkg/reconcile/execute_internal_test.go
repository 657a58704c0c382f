package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// thing is an object of a kind that only these tests have. A cord is in two sections.
type thing struct{ kind, ns, name, other string }

func (o thing) Key() plan.Key   { return plan.Key{NS: o.ns, Kind: o.kind, Name: o.name} }
func (thing) Needs() []plan.Key { return nil }
func (thing) Describe() string  { return "" }

// event is the begin or the end of one call.
type event struct {
	what     string // put, del or finish
	end      bool
	steps    []string
	sections []string
}

// bench is a run on kinds that do nothing but note what is asked of them.
type bench struct {
	*run
	mu     sync.Mutex
	events []event
	told   []string
	hook   func(event) error // called in the midst of each call
}

// newBench has the kinds rooms, which are sections, cords, which have a finish, and things, of which several are put
// at once.
func newBench(workers int) *bench {
	b := new(bench)
	b.run = &run{ctx: context.Background(), env: new(object.Env), Host: &Host{Options: Options{
		Workers: workers, Working: func(Working) {},
		Progress: func(o plan.Outcome) {
			b.told = append(b.told, strings.TrimSpace(fmt.Sprintf("%s %s %v", o.Result, text(o.Step), cmp.Or(o.Err, errNone))))
		},
	}}}
	row := func(name string, s object.Schedule) object.Kind {
		return object.Kind{Name: name, Schedule: s,
			Put: func(_ *object.Env, changes []plan.Change) error {
				var list []plan.Object
				for _, c := range changes {
					list = append(list, c.New)
				}
				return b.call("put", list)
			},
			Del: func(_ *object.Env, list []plan.Object) error { return b.call("del", list) },
		}
	}
	b.env.Table = []object.Kind{
		row("room", object.Schedule{Sections: true, Waits: true, Last: true}),
		row("cord", object.Schedule{Waits: true, Finish: func(_ *object.Env, ns string) (plan.Key, error) {
			return thing{"cord", ns, "c", ""}.Key(), b.do(event{what: "finish", sections: []string{ns}})
		}}),
		row("lamp", object.Schedule{}),
		row("book", object.Schedule{Batch: true}),
	}
	return b
}

var errNone = errors.New("")

func (b *bench) call(what string, list []plan.Object) error {
	e := event{what: what}
	for _, o := range list {
		e.steps = append(e.steps, o.Key().Kind+" "+o.Key().Place())
		e.sections = append(e.sections, sectionOf(o.Key()))
	}
	return b.do(e)
}

func (b *bench) do(e event) error {
	b.note(e)
	var err error
	if b.hook != nil {
		err = b.hook(e)
	}
	e.end = true
	b.note(e)
	return err
}

func (b *bench) note(e event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// calls lists what was begun, in order.
func (b *bench) calls() string {
	var list []string
	for _, e := range b.events {
		switch {
		case e.end:
		case e.what == "finish":
			list = append(list, "finish "+e.sections[0])
		default:
			list = append(list, e.what+" "+strings.Join(e.steps, " + "))
		}
	}
	return strings.Join(list, "\n")
}

func text(s plan.Step) string {
	return fmt.Sprintf("%s %s %s", s.Action, s.Key().Kind, s.Key().Place())
}

// steps reads one a line: the phase, an action, a kind, the places of its objects, and after a bar the numbers of
// those that it comes after.
func steps(lines string) (list []plan.Step) {
	for line := range strings.Lines(lines) {
		words, after, _ := strings.Cut(strings.TrimSpace(line), "|")
		f := strings.Fields(words)
		if len(f) < 4 {
			continue
		}
		s := plan.Step{Action: plan.Action(f[1])}
		if _, err := fmt.Sscan(f[0], &s.Phase); err != nil {
			panic(err)
		}
		for _, place := range f[3:] {
			ns, name, in := strings.Cut(place, "/")
			if !in {
				ns, name = "", place
			}
			o := thing{kind: f[2], ns: ns, name: name}
			switch s.Action {
			case plan.Create:
				s.Changes = append(s.Changes, plan.Change{New: o})
			case plan.Delete:
				s.Changes = append(s.Changes, plan.Change{Old: o})
			default:
				s.Changes = append(s.Changes, plan.Change{Old: o, New: o})
			}
		}
		for _, word := range strings.Fields(after) {
			var n int
			if _, err := fmt.Sscan(word, &n); err != nil {
				panic(err)
			}
			s.After = append(s.After, n)
		}
		list = append(list, s)
	}
	return list
}

// house has all that a plan may have.
const house = `
	1 delete lamp a/old
	2 create room a
	2 create room b           |
	2 create cord a/c b/c     | 1 2
	2 create cord a/d         | 1
	2 create lamp a/l         | 1 3 4
	2 create book a/x         | 5
	2 create book b/x         | 3
	2 create book a/y         | 5
	3 delete book a/z
	3 delete lamp a/m
	3 delete lamp b/m
	3 delete cord a/e b/e     | 9 10 11
	3 delete cord a/f c/f
	4 replace lamp b/n
	5 delete room c
	5 delete room d
`

// With one worker the steps are taken in the order of the plan: what a call can take at once together, and what
// finishes the cords of a section before anything of a later kind is made there.
func TestExecuteInOrder(t *testing.T) {
	b := newBench(1)
	if err := b.execute(steps(house), false, false); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"del lamp a/old", "put room a", "put room b", "put cord a/c + cord b/c", "put cord a/d", "finish a", "put lamp a/l",
		"put book a/x + book a/y", "finish b", "put book b/x", "del book a/z", "del lamp a/m", "del lamp b/m",
		"del cord a/e + cord a/f", "del lamp b/n", "put lamp b/n", "del room c", "del room d",
	}, "\n")
	if got := b.calls(); got != want {
		t.Errorf("the calls are\n%s\nwant\n%s", got, want)
	}
	b.tells(t, steps(house))
}

// tells says that all steps were done, and told in the order of the plan.
func (b *bench) tells(t *testing.T, list []plan.Step) {
	t.Helper()
	var want []string
	for _, s := range list {
		want = append(want, "done "+text(s))
	}
	if !slices.Equal(b.told, want) {
		t.Errorf("told was\n%s\nwant\n%s", strings.Join(b.told, "\n"), strings.Join(want, "\n"))
	}
	if len(b.report.Outcomes) != len(list) {
		t.Errorf("%d outcomes of %d steps are reported", len(b.report.Outcomes), len(list))
	}
}

// What fails keeps the rest from being begun, and that is skipped.
func TestExecuteFails(t *testing.T) {
	for failing, want := range map[string]string{
		"put cord a/d":   "done done done done failed skipped",
		"finish b":       "done done done failed done done done skipped done skipped",
		"put book a/x":   "done done done done done done failed skipped failed skipped",
		"del lamp b/m":   "done done done done done done done done done done done failed skipped",
		"del room d":     "done done done done done done done done done done done done done done done done failed",
		"del lamp a/old": "failed skipped",
	} {
		b := newBench(1)
		b.hook = func(e event) error {
			if e.what+" "+e.sections[0] == failing || len(e.steps) > 0 && e.what+" "+e.steps[0] == failing {
				return errors.New("busy")
			}
			return nil
		}
		err := b.execute(steps(house), false, false)
		if err == nil || !strings.HasSuffix(err.Error(), ": busy") || strings.Count(err.Error(), "busy") != 1 {
			t.Errorf("%s: the error is %v", failing, err)
		}
		var got []string
		for _, o := range b.report.Outcomes {
			got = append(got, string(o.Result))
		}
		for len(got) > 1 && got[len(got)-1] == "skipped" && got[len(got)-2] == "skipped" {
			got = got[:len(got)-1]
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: the results are %v, want %s", failing, got, want)
		}
	}
}

// Past failures all is taken, and each error is told once, in the order of the plan.
func TestExecutePastFailures(t *testing.T) {
	b := newBench(4)
	b.hook = func(e event) error {
		switch {
		case e.what == "finish", e.what == "put" && strings.HasPrefix(e.steps[0], "lamp"),
			e.what == "del" && e.sections[0] == "c":
			return fmt.Errorf("no %s", e.what)
		}
		return nil
	}
	err := b.execute(steps(house), false, true)
	want := "cord a c: no finish\nlamp a l: no put\ncord b c: no finish\nlamp b n: no put\nroom c: no del"
	if err == nil || err.Error() != want {
		t.Errorf("the errors are\n%v\nwant\n%s", err, want)
	}
	if n := len(strings.Split(b.calls(), "\n")); n != 19 || len(b.report.Outcomes) != 17 {
		t.Errorf("%d calls were made, and %d outcomes reported:\n%s", n, len(b.report.Outcomes), b.calls())
	}
}

// Errors come in the order of the plan, and not as the calls end: here the first ends last.
func TestExecuteErrorsInOrder(t *testing.T) {
	b := newBench(2)
	second := make(chan struct{})
	b.hook = func(e event) error {
		if e.sections[0] == "d" {
			close(second)
		} else {
			<-second
			time.Sleep(10 * time.Millisecond)
		}
		return errors.New("busy")
	}
	err := b.execute(steps("5 delete room c\n5 delete room d"), false, true)
	if want := "room c: busy\nroom d: busy"; err == nil || err.Error() != want {
		t.Errorf("the errors are\n%v\nwant\n%s", err, want)
	}
}

// Of deletions in several sections those before one that fails are done, and those after it are skipped.
func TestExecuteDeletionFails(t *testing.T) {
	b := newBench(1)
	b.hook = func(e event) error {
		if e.sections[0] == "c" {
			return errors.New("busy")
		}
		return nil
	}
	err := b.execute(steps("3 delete cord a/1\n3 delete cord c/2\n3 delete cord e/3"), false, false)
	want := []plan.Result{plan.Done, plan.Failed, plan.Skipped}
	for i, o := range b.report.Outcomes {
		if o.Result != want[i] {
			t.Errorf("deletion %d is %s, want %s (%v)", i, o.Result, want[i], err)
		}
	}
}

// A refusal fails, and what needs what was refused is not made.
func TestExecuteRefusal(t *testing.T) {
	list := steps("0 refuse room a\n1 create lamp b/l")
	list[0].Reason = "is not ours"
	b := newBench(2)
	if err := b.execute(list, false, false); err == nil || err.Error() != "room a: is not ours" || b.events != nil {
		t.Errorf("%v, and the calls are %s", err, b.calls())
	}
}

// An interruption lets what has begun come to its end, begins nothing more, and is one error.
func TestExecuteInterrupted(t *testing.T) {
	for _, workers := range []int{1, 4} {
		b := newBench(workers)
		ctx, cancel := context.WithCancel(context.Background())
		b.ctx = ctx
		b.hook = func(e event) error {
			if e.what == "put" {
				cancel()
			}
			return nil
		}
		err := b.execute(steps(house), false, false)
		if !errors.Is(err, errInterrupted) || err.Error() != errInterrupted.Error() {
			t.Errorf("%d workers: %v", workers, err)
		}
		last := b.report.Outcomes[len(b.report.Outcomes)-1]
		if len(b.report.Outcomes) != 17 || last.Result != plan.Skipped || b.report.Outcomes[0].Result != plan.Done {
			t.Errorf("%d workers: reported is %v", workers, b.report.Outcomes)
		}
		cancel()
	}
}

// Deletions that wait in the kernel wait together, even past failures: here each waits for all.
func TestExecuteWaits(t *testing.T) {
	var lines string
	const rooms = 20
	for i := range rooms {
		lines += fmt.Sprintf("5 delete room r%d\n", i)
	}
	for _, pastFailures := range []bool{false, true} {
		b := newBench(2)
		var all sync.WaitGroup
		all.Add(rooms)
		b.hook = func(event) error {
			all.Done()
			there := make(chan struct{})
			go func() { all.Wait(); close(there) }()
			select {
			case <-there:
				return nil
			case <-time.After(time.Minute):
				return errors.New("alone")
			}
		}
		if err := b.execute(steps(lines), false, pastFailures); err != nil {
			t.Error(err)
		}
	}
}

// Two workers take what they can at once: a room is made while the cord of another is.
func TestExecuteAtOnce(t *testing.T) {
	b := newBench(2)
	b.hook = func(e event) error {
		for end := time.Now().Add(time.Minute); e.what == "put" && e.steps[0] == "cord a/c"; time.Sleep(time.Millisecond) {
			if b.mu.Lock(); slices.ContainsFunc(b.events, func(e event) bool { return e.end && e.sections[0] == "c" }) {
				b.mu.Unlock()
				return nil
			}
			b.mu.Unlock()
			if time.Now().After(end) {
				return errors.New("nothing is made beside a cord")
			}
		}
		return nil
	}
	list := steps("2 create room a\n2 create room b\n2 create room c\n2 create cord a/c b/c | 0 1")
	if err := b.execute(list, false, false); err != nil {
		t.Error(err)
	}
}

// Several workers finish what they have begun before they begin something else.
func TestExecuteRanks(t *testing.T) {
	b := newBench(2)
	x := &executor{run: b.run, units: b.graph(steps("2 create room a\n2 create room b\n2 create cord a/c | 0"), false)}
	for workers, want := range map[int][]int{1: {0, 1, 2}, 2: {2, 0, 1}} {
		x.setRanks(workers)
		var all calls
		for _, u := range x.units {
			all = append(all, u.calls...)
		}
		all = all[:3] // without the finish
		slices.SortFunc(all, func(a, b *call) int { return cmp.Compare(a.rank, b.rank) })
		for i, c := range all {
			if c.steps[0] != want[i] {
				t.Errorf("%d workers: step %d comes as number %d", workers, c.steps[0], i)
			}
		}
	}
}

// What waits for two sections keeps nobody from the one that is free.
func TestQueue(t *testing.T) {
	uses := func(rank int64, sections ...string) *call {
		return &call{unit: new(unit), rank: rank, sections: sections}
	}
	q := newQueue()
	s, both, later, other := uses(1, "s"), uses(2, "s", "t"), uses(3, "s"), uses(0, "t")
	q.push(s)
	if got := q.take(); got != s {
		t.Errorf("taken is %v, want %v", got, s)
	}
	for _, c := range []*call{both, later, other} {
		q.push(c)
	}
	if got := q.take(); got != other {
		t.Errorf("taken is %v, want %v", got, other)
	}
	q.release(s)
	if got := q.take(); got != later {
		t.Errorf("taken is %v, want %v", got, later)
	}
	q.release(other)
	if got := q.take(); got != nil {
		t.Errorf("taken is %v though s is in use", got)
	}
	q.release(later)
	if got := q.take(); got != both {
		t.Errorf("taken is %v, want %v", got, both)
	}
}

// Random plans, of which several workers take what they may: each call comes after all that it must, and one at a time
// uses a section.
func TestExecuteRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		list := randomSteps(r)
		b := newBench(1 + r.IntN(4))
		if r.IntN(2) == 0 {
			b.rank = r.Int64
		}
		pastFailures := r.IntN(2) == 0
		if err := b.execute(list, false, pastFailures); err != nil {
			t.Fatal(err)
		}
		b.tells(t, list)
		b.check(t, list, pastFailures)
		if t.Failed() {
			t.Fatalf("seed %d, %d workers:\n%v", seed, b.Workers, list)
		}
	}
}

func randomSteps(r *rand.Rand) (list []plan.Step) {
	kinds, phase := []string{"room", "cord", "lamp", "book"}, 1
	for i := range 5 + r.IntN(40) {
		o := thing{kind: kinds[r.IntN(len(kinds))], ns: fmt.Sprint("s", r.IntN(4)), name: fmt.Sprint("n", i)}
		if o.kind == "room" {
			o.ns, o.name = "", o.ns
		}
		s := plan.Step{Action: plan.Create, Changes: []plan.Change{{New: o}}}
		if r.IntN(3) == 0 {
			s = plan.Step{Action: plan.Delete, Changes: []plan.Change{{Old: o}}}
		}
		if o.kind == "cord" && r.IntN(2) == 0 {
			far := thing{kind: "cord", ns: fmt.Sprint("s", r.IntN(4)), name: fmt.Sprint("f", i)}
			if s.Action == plan.Delete {
				s.Changes = append(s.Changes, plan.Change{Old: far})
			} else {
				s.Changes = append(s.Changes, plan.Change{New: far})
			}
		}
		if r.IntN(10) == 0 {
			phase++
		}
		s.Phase = phase
		for j := range list {
			if list[j].Phase == phase && (r.IntN(8) == 0 || otherKind(list[j], s)) {
				s.After = append(s.After, j)
			}
		}
		list = append(list, s)
	}
	return list
}

// otherKind says whether two steps are of different kinds and in one section: a plan keeps their order.
func otherKind(a, b plan.Step) bool {
	return a.Key().Kind != b.Key().Kind && slices.ContainsFunc(a.Changes, func(c plan.Change) bool {
		return slices.ContainsFunc(b.Changes, func(d plan.Change) bool { return sectionOf(c.Key()) == sectionOf(d.Key()) })
	})
}

func sectionOf(k plan.Key) string {
	if k.Kind == "room" {
		return k.Name
	}
	return k.NS
}

// check looks at what was called when. Past failures deletions that wait need not wait for each other.
func (b *bench) check(t *testing.T, list []plan.Step, pastFailures bool) {
	t.Helper()
	begun, ended := make(map[string]int), make(map[string]int) // at which event
	inUse := make(map[string]bool)
	for i, e := range b.events {
		if e.what == "put" && e.steps[0][:4] == "book" && !slices.IsSortedFunc(e.steps, byNumber) {
			t.Errorf("together are put %v", e.steps)
		}
		for _, s := range slices.Compact(slices.Sorted(slices.Values(e.sections))) {
			if inUse[s] != e.end {
				t.Errorf("two calls use %s at once", s)
			}
			inUse[s] = !e.end
		}
		at := begun
		if e.end {
			at = ended
		}
		for _, s := range e.steps {
			if _, again := at[e.what+" "+s]; !again || !e.end {
				at[e.what+" "+s] = i
			}
		}
	}
	when := func(s plan.Step) (first, last int) { // the end is the last of its deletions
		first, last = len(b.events), -1
		for _, c := range s.Changes {
			name := "put " + c.Key().Kind + " " + c.Key().Place()
			if s.Action == plan.Delete {
				name = "del " + c.Key().Kind + " " + c.Key().Place()
			}
			if n, ok := begun[name]; ok {
				first, last = min(first, n), max(last, ended[name])
			}
		}
		return first, last
	}
	for i, s := range list {
		begin, end := when(s)
		if end < 0 {
			t.Errorf("step %d was not taken", i)
		}
		for j := range i {
			same := s.Action == list[j].Action && s.Key().Kind == list[j].Key().Kind
			together := same && s.Action == plan.Delete || pastFailures && (same && s.Key().Kind == "book" ||
				s.Action == plan.Delete && list[j].Action == plan.Delete &&
					b.env.Of(s.Key()).Waits && b.env.Of(list[j].Key()).Waits)
			if slices.Contains(s.After, j) && !together || list[j].Phase < s.Phase && !(pastFailures && together) {
				if _, before := when(list[j]); before > begin {
					t.Errorf("step %d begins before step %d has ended", i, j)
				}
			}
		}
	}
	b.checkFinished(t)
}

func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// checkFinished says that nothing of a later kind is made in a section whose cords are not finished, and none is left
// so.
func (b *bench) checkFinished(t *testing.T) {
	t.Helper()
	open := make(map[string]bool)
	for _, e := range b.events {
		for _, s := range e.sections {
			switch {
			case e.what == "finish":
				open[s] = false
			case e.what != "put":
			case strings.HasPrefix(e.steps[0], "cord"):
				open[s] = true
			case e.steps[0][:4] == "lamp" || e.steps[0][:4] == "book":
				if open[s] && !e.end {
					t.Errorf("%s is made in %s before its cords are finished", e.steps[0], s)
				}
			}
		}
	}
	for s, left := range open {
		if left {
			t.Errorf("the cords of %s are not finished", s)
		}
	}
}
