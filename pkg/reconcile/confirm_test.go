package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

const oneBridge = "name: one\nbridges: {br0: {}}\n"

// Confirmed at the moment when it is to be rolled back: who confirms is told what happens, whichever it is.
func TestConfirmedAtTheLastMoment(t *testing.T) {
	l := newLab(t)
	topo := l.load(oneBridge)
	kept := 0
	h := l.open()
	for range 24 {
		ctx, cancel := context.WithCancel(context.Background())
		said := make(chan error, 1)
		_, err := l.applyIn(ctx, topo, func(o *reconcile.Options) {
			o.ConfirmWithin = time.Minute
			o.Waiting = func(time.Duration) {
				go func() { said <- h.Confirm(topo.Name) }()
				time.Sleep(20 * time.Millisecond)
				cancel()
			}
		})
		told := <-said
		switch {
		case told == nil && err == nil:
			kept++
		case errors.Is(told, reconcile.ErrNothingToConfirm) && errors.Is(err, reconcile.ErrRolledBack):
		default:
			t.Fatalf("confirm: %v; apply: %v", told, err)
		}
		l.destroy(topo.Name)
	}
	if kept == 0 || kept == 24 {
		t.Errorf("of 24 applies %d were kept: they are not confirmed at the same moment", kept)
	}
}

// Of two who confirm at once, none is told that it is rolled back.
func TestConfirmedTwice(t *testing.T) {
	l := newLab(t)
	topo := l.load(oneBridge)
	h, said := l.open(), make(chan error, 2)
	l.apply(topo, func(o *reconcile.Options) {
		o.ConfirmWithin = time.Minute
		o.Waiting = func(time.Duration) {
			for range 2 {
				go func() { said <- h.Confirm(topo.Name) }()
			}
		}
	})
	told := []error{<-said, <-said}
	if told[0] != nil && told[1] != nil {
		t.Errorf("both are refused: %v", told)
	}
	if text := fmt.Sprint(told); strings.Contains(text, "rolled back") {
		t.Errorf("they are told %s", text)
	}
}
