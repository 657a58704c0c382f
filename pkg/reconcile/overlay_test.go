package reconcile_test

import (
	"regexp"
	"testing"
)

// pingLine is a ping that an example's comment tells people to try.
var pingLine = regexp.MustCompile(`(?m)^#   ip netns exec (\S+) ping (\S+)$`)

// What the comment of the example of tunnels says can be pinged, can.
func TestOverlayPings(t *testing.T) {
	l := newLab(t)
	yaml := l.example("overlay.yaml")
	l.apply(l.load(yaml))
	l.settle()
	pings := pingLine.FindAllStringSubmatch(yaml, -1)
	if len(pings) == 0 {
		t.Error("the comment tells of no ping")
	}
	for _, p := range pings {
		l.ping(p[1], p[2])
	}
}
