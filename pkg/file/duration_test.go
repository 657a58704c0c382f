package file

import "testing"

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{
		"15s": "15s", "1m30s": "90s", "100ms": "100ms", "1.5s": "1500ms", "0s": "0s", "10us": "10µs", "1h": "3600s",
		"15": "", "1.5": "", "-1s": "", "s": "", "": "", "15 s": "", "1d": "",
	} {
		var d Duration
		err := d.Parse("x", text)
		if (err == nil) != (want != "") || err == nil && d.String() != want {
			t.Errorf("%q: %s, %v; want %q", text, d, err, want)
		}
	}
}
