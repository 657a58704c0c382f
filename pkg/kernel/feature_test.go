package kernel

import (
	"maps"
	"testing"
)

// However deep the stack is when the features are asked for, the answer is the same: the kernel must not be told to
// write to a place on it, which may move on the way there.
func TestFeaturesAtAnyDepth(t *testing.T) {
	want, err := FeaturesHere("lo")
	if err != nil || len(want) == 0 {
		t.Fatalf("lo has %d features, %v", len(want), err)
	}
	const deepest = 1500
	for depth := range deepest {
		var got map[string]Feature
		done := make(chan error)
		go func() { // whose stack is as small as can be
			done <- atDepth(depth, func() (err error) { got, err = FeaturesHere("lo"); return err })
		}()
		if err := <-done; err != nil || !maps.Equal(got, want) {
			t.Errorf("%d calls deep: %v, %v, want %v", depth, got, err, want)
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
