package kernel

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestReserve(t *testing.T) {
	const room = 600
	reserve(room)
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "FDSize:")
	var size int
	if _, err := fmt.Sscan(rest, &size); err != nil || size < room {
		t.Errorf("room for %d descriptors, want %d: %v", size, room, err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		if e.Name() == fmt.Sprint(room-1) {
			t.Error("a descriptor was left open")
		}
	}
}
