package reconcile

import (
	"slices"
	"testing"
)

// Every name is read once, and of two beside each other the second when the first is known.
func TestEveryOther(t *testing.T) {
	for _, c := range []struct{ names, want []string }{
		{nil, nil},
		{[]string{"a"}, []string{"a"}},
		{[]string{"a", "b", "c", "d", "e"}, []string{"a", "c", "e", "b", "d"}},
	} {
		if got := everyOther(c.names); !slices.Equal(got, c.want) {
			t.Errorf("of %q the order is %q, want %q", c.names, got, c.want)
		}
	}
}
