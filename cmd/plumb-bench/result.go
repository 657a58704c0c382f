package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// result is what a contender's steps took in one round.
type result struct {
	Shape      string   `json:"shape"`
	Namespaces int      `json:"namespaces"`
	Contender  string   `json:"contender"`
	Round      int      `json:"round"`
	Samples    []sample `json:"samples"`
}

func (r result) total() (t time.Duration) {
	for _, s := range r.Samples {
		t += time.Duration(s.Milliseconds * float64(time.Millisecond))
	}
	return t
}

// String is a line about the run.
func (r result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s round %d  %-8s", r.Shape, r.Round, r.Contender)
	for _, s := range r.Samples {
		fmt.Fprintf(&b, "  %s %.1f ms", s.Op, s.Milliseconds)
	}
	if slices.ContainsFunc(r.Samples, func(s sample) bool { return s.Busy }) {
		b.WriteString("  (the machine had other work)")
	}
	return b.String()
}

// results are those of a bench.
type results []result

// key names what is measured again and again.
type key struct{ shape, contender, op string }

// byRound gives the samples of a key by their rounds.
func (rs results) byRound(k key) map[int]sample {
	samples := map[int]sample{}
	for _, r := range rs {
		for _, s := range r.Samples {
			if (key{r.Shape, r.Contender, s.Op}) == k {
				samples[r.Round] = s
			}
		}
	}
	return samples
}

// milliseconds is the median of the rounds, and their number. Without any it is 0.
func (rs results) milliseconds(k key) (ms float64, rounds int) {
	var all []float64
	for _, s := range rs.byRound(k) {
		all = append(all, s.Milliseconds)
	}
	return median(all), len(all)
}

// peakKiB is the largest of the rounds.
func (rs results) peakKiB(k key) (kib int64) {
	for _, s := range rs.byRound(k) {
		kib = max(kib, s.PeakKiB)
	}
	return kib
}

// ratio is the median of the ratios of the rounds that have both: those that ran one after the other, in the same
// weather. Without any it is 0.
func (rs results) ratio(a, b key) float64 {
	var ratios []float64
	of := rs.byRound(b)
	for round, s := range rs.byRound(a) {
		if other, ok := of[round]; ok {
			ratios = append(ratios, s.Milliseconds/other.Milliseconds)
		}
	}
	return median(ratios)
}

// median is 0 without numbers.
func median(numbers []float64) float64 {
	n := slices.Sorted(slices.Values(numbers))
	half := len(n) / 2
	switch {
	case len(n) == 0:
		return 0
	case len(n)%2 == 1:
		return n[half]
	}
	return (n[half-1] + n[half]) / 2
}
