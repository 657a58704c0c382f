package file

import (
	"fmt"
	"strconv"
	"time"
)

// Duration is a length of time, with its unit in the file: 15s, 100ms, 1m30s. It is never negative.
type Duration time.Duration

// Parse implements [Parser].
func (d *Duration) Parse(what, text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return Flaw{what + " " + Quote(text) + " has no unit", "as " + text + "s or " + text + "ms"}
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return Flaw{what + " " + Quote(text) + " is no length of time", "as 15s, 100ms or 1m30s"}
	}
	*d = Duration(v)
	return nil
}

// String writes seconds or milliseconds, where it is a whole number of them: 90s, 1500ms.
func (d Duration) String() string {
	v := time.Duration(d)
	switch {
	case v%time.Second == 0:
		return fmt.Sprintf("%ds", v/time.Second)
	case v%time.Millisecond == 0:
		return fmt.Sprintf("%dms", v/time.Millisecond)
	}
	return v.String()
}

// Text implements [Described].
func (*Duration) Text() Text {
	return Text{
		Words: "length of time, as 15s", Types: []string{"string"},
		Pattern: `^([0-9]+(\.[0-9]*)?(h|m|s|ms|us|µs|ns))+$`,
	}
}
