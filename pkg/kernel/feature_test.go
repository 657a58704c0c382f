package kernel

import (
	"maps"
	"testing"
)

// However deep the stack is when the features are asked for, the answer is the same: the kernel must not be told to
// write to a place on it, which may move on the way there.
func TestFeaturesAtAnyDepth(t *testing.T) {
	found, err := FeaturesHere("lo", "gone")
	want := found["lo"]
	if err != nil || len(want) == 0 || len(found["gone"]) > 0 {
		t.Fatalf("lo has %d features, one that is not there has %d, %v", len(want), len(found["gone"]), err)
	}
	const deepest = 1500
	for depth := range deepest {
		var got map[string]Features
		done := make(chan error)
		go func() { // whose stack is as small as can be
			done <- atDepth(depth, func() (err error) { got, err = FeaturesHere("lo"); return err })
		}()
		if err := <-done; err != nil || !maps.Equal(got["lo"], want) {
			t.Errorf("%d calls deep: %v, %v, want %v", depth, got["lo"], err, want)
		}
	}
}

//go:noinline
func atDepth(depth int, f func() error) error {
	if depth == 0 {
		return f()
	}
	return atDepth(depth-1, f)
}
