package file

import "strconv"

// Milliseconds is a length of time that the kernel counts in milliseconds. In the file a bare number is one of them, as
// ip-link(8) has it; with a unit it is written as a [Duration].
type Milliseconds uint32

// Parse implements [Parser].
func (m *Milliseconds) Parse(what, text string) error {
	const most, millisecond = 1<<31 - 1, 1_000_000
	if n, err := ParseNumber(what, text, 0, most); err == nil {
		*m = Milliseconds(n)
		return nil
	}
	var d Duration
	if _, err := strconv.ParseFloat(text, 64); err == nil || d.Parse(what, text) != nil {
		return Flaw{what + " " + Quote(text) + " is no number of milliseconds", "as 100, 100ms or 1s"}
	}
	if d%millisecond != 0 || d/millisecond > most {
		return Flawf("%s must be a whole number of milliseconds up to %d, not %s", what, int64(most), Quote(text))
	}
	*m = Milliseconds(d / millisecond)
	return nil
}

// String writes the number with its unit.
func (m Milliseconds) String() string { return strconv.FormatUint(uint64(m), 10) + "ms" }

// Text implements [Described].
func (*Milliseconds) Text() Text {
	return Text{Words: "milliseconds, or a length of time, as 1s", Types: []string{"integer", "string"}}
}

// Delay is a length of time in whole milliseconds, which has its unit in the file.
type Delay uint32

// Parse implements [Parser].
func (d *Delay) Parse(what, text string) error {
	if err := new(Duration).Parse(what, text); err != nil {
		return err
	}
	var m Milliseconds
	err := m.Parse(what, text)
	if err == nil {
		*d = Delay(m)
	}
	return err
}

// String writes the number with its unit.
func (d Delay) String() string { return Milliseconds(d).String() }

// Text implements [Described].
func (*Delay) Text() Text { return new(Duration).Text() }
