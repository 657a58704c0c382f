package plan

import (
	"fmt"
	"slices"
	"strings"
)

// takesDown counts by kind what falls with a step: "takes down 1 address, 2 routes".
func (p *planner) takesDown(s Step, fell []Key) string {
	count := make(map[string]int)
	for _, k := range fell {
		if !slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Key() == k }) {
			count[k.Kind]++
		}
	}
	var words []string
	for _, kind := range p.Kinds {
		if count[kind] > 0 {
			words = append(words, Count(count[kind], kind))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "takes down " + strings.Join(words, ", ")
}

// Count writes a number with its noun in the right form: "1 address", "2 addresses".
func Count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "ss"):
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func joinReasons(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(r string) bool { return r == "" }), "; ")
}
