package file

import "testing"

func TestMilliseconds(t *testing.T) {
	for text, want := range map[string]Milliseconds{"0": 0, "100": 100, "100ms": 100, "1s": 1000, "1.5s": 1500} {
		var m Milliseconds
		if err := m.Parse("miimon", text); err != nil || m != want {
			t.Errorf("%s is %s, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "100us", "1 s", "30d", "2147483648", "1e3"} {
		if err := new(Milliseconds).Parse("miimon", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
