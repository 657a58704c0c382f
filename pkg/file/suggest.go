package file

import "fmt"

// MaxCandidates bounds the search for a near word, which is done for every mistake of a file: among more words none is
// looked for.
const MaxCandidates = 1000

// Suggest is the hint that names the word nearest to a mistaken one, if one is near.
func Suggest(word string, known []string) string {
	if best := Nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// Nearest finds the known word with the fewest typing mistakes between, empty for none; of equals the first.
func Nearest(word string, known []string) string {
	if len(known) > MaxCandidates || len(word) > 64 {
		return ""
	}
	best, least := "", 4
	for _, k := range known {
		limit := max(1, max(len(word), len(k))/3)
		if d := distance(word, k); d <= limit && d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, change or swap with their neighbour (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now := make([]int, len(b)+1)
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
