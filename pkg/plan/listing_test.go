package plan_test

import (
	"fmt"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan"
)

func TestListing(t *testing.T) {
	var words []string
	for i := range 13 {
		words = append(words, fmt.Sprint(i))
	}
	for n, want := range map[int]string{
		0: "", 1: "0", 3: "0, 1, 2", 10: "0, 1, 2, 3, 4, 5, 6, 7, 8, 9", 11: "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 more",
		13: "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more",
	} {
		if got := plan.Listing(words[:n]); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
