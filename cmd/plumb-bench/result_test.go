package main

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		numbers []float64
		want    float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 9}, 3},
	} {
		if got := median(tt.numbers); got != tt.want {
			t.Errorf("the median of %v is %v, not %v", tt.numbers, got, tt.want)
		}
	}
}

// someResults has a round in which all are slow, and a script that was run once.
func someResults() results {
	run := func(contender string, round int, samples ...sample) result {
		return result{"hosts-3", 3, contender, round, samples}
	}
	op := func(name string, ms float64) sample {
		return sample{Op: name, Milliseconds: ms, PeakKiB: int64(1024 * ms)}
	}
	return results{
		run("floor", 1, op("up", 10), op("read", 2), op("down", 5)),
		run("plumb", 1, op("up", 15), op("noop", 4), op("diff", 3), op("change", 5), op("down", 6)),
		run("script", 1, op("up", 300), op("down", 1500)),
		run("floor", 2, op("up", 100), op("read", 20), op("down", 50)),
		run("plumb", 2, op("up", 200), op("noop", 40), op("diff", 30), op("change", 50), op("down", 60)),
		run("floor", 3, op("up", 10), op("read", 2), op("down", 5)),
		run("plumb", 3, op("up", 14), op("noop", 4), op("diff", 3), op("change", 5), op("down", 6)),
	}
}

func TestRatioIsThatOfRounds(t *testing.T) {
	rs := someResults()
	plumb, floor := key{"hosts-3", "plumb", "up"}, key{"hosts-3", "floor", "up"}
	if got := rs.ratio(plumb, floor); got != 1.5 {
		t.Errorf("plumb : floor is %v", got)
	}
	if got := rs.ratio(key{"hosts-3", "script", "up"}, plumb); got != 20 {
		t.Errorf("script : plumb is %v: the only round that has both has 20", got)
	}
	if got := rs.ratio(key{"hosts-3", "mininet", "up"}, plumb); got != 0 {
		t.Errorf("mininet : plumb is %v without mininet", got)
	}
	if ms, rounds := rs.milliseconds(plumb); ms != 15 || rounds != 3 {
		t.Errorf("plumb takes %v in %d rounds", ms, rounds)
	}
}

func TestTable(t *testing.T) {
	m := machine{"Some CPU", 2, "6.18.0", "go1.26.0"}
	golden(t, "table.md", newReport(m, someResults()).table())
}

func TestNumber(t *testing.T) {
	var got []string
	for _, n := range []float64{0, 0.123, 1.234, 9.876, 12.34, 99.94, 123.4, 1234.5} {
		got = append(got, number(n))
	}
	if want := "- 0.12 1.23 9.88 12.3 99.9 123 1234"; strings.Join(got, " ") != want {
		t.Errorf("numbers %v, not %v", got, want)
	}
}
