package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/sdnotify"
)

// systemd is told how a service is (sd_notify(3)), by one goroutine: it may be slow to listen, and nothing else is to
// wait for it.
type systemd struct {
	notifier *sdnotify.Notifier // nil where there is none
	states   chan string
	warn     func(string)
}

func newSystemd(warn func(string)) (*systemd, error) {
	const waiting = 16
	s := &systemd{states: make(chan string, waiting), warn: warn}
	notifier, err := sdnotify.New()
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tell systemd: %w", err)
	}
	s.notifier = notifier
	go s.run()
	return s, nil
}

func (s *systemd) run() {
	for state := range s.states {
		if err := s.notifier.Notify(state); err != nil {
			s.warn(fmt.Sprintf("tell systemd: %v", err))
		}
	}
}

// tell tells a state, unless too many wait to be told.
func (s *systemd) tell(state string) {
	if s.notifier == nil {
		return
	}
	select {
	case s.states <- state:
	default:
	}
}

// watchdog tells that the loop is alive, as often as systemd wants to know (sd_watchdog_enabled(3)).
func (s *systemd) watchdog(ctx context.Context, alive <-chan struct{}) {
	between := 10 * time.Second
	if every, err := time.ParseDuration(os.Getenv("WATCHDOG_USEC") + "us"); err == nil && every > 0 {
		between = every / 3
	}
	for ctx.Err() == nil {
		select {
		case <-alive:
			s.tell("WATCHDOG=1")
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(between):
		case <-ctx.Done():
		}
	}
}
