package topology

import (
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/file"
)

func TestJSON(t *testing.T) {
	_, problems := Load(Input{Name: "a<b>.yaml", Data: []byte("name: lab\nbridge: {}\n")})
	var b strings.Builder
	if err := problems.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	want := `{"format":"plumb/problems/v1","problems":[{"severity":"error","file":"a<b>.yaml","line":2,"column":1,` +
		`"message":"unknown key \"bridge\" in the topology","hint":"did you mean \"bridges\"?"}]}` + "\n"
	if b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
	b.Reset()
	want = `{"format":"plumb/problems/v1","problems":[]}` + "\n"
	if err := file.Problems(nil).WriteJSON(&b); err != nil || b.String() != want {
		t.Error(b.String(), err)
	}
}

func TestColor(t *testing.T) {
	_, problems := Load(Input{Name: "t.yaml", Data: []byte("name: lab\nroutes:\n" +
		"- {to: default, via: 10.0.0.1}\n- {to: 10.0.0.0/8, type: blackhol}\n")})
	var b strings.Builder
	_ = problems.WriteText(&b, true)
	want := "\x1b[1mt.yaml:3:22: warning: the gateway 10.0.0.1 is on no connected subnet on the host\x1b[0m\n" +
		"    3 | - {to: default, via: 10.0.0.1}\n" +
		"      |                      \x1b[33m^^^^^^^^\x1b[0m\n" +
		"\x1b[1mt.yaml:4:26: type must be blackhole, unreachable or prohibit, not \"blackhol\"\x1b[0m\n" +
		"    4 | - {to: 10.0.0.0/8, type: blackhol}\n" +
		"      |                          \x1b[31m^^^^^^^^\x1b[0m did you mean \"blackhole\"?\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}

// TestTerminal holds that nothing of a file or of its name reaches the terminal as a command.
func TestTerminal(t *testing.T) {
	_, problems := Load(Input{Name: "\x1b[2J.yaml", Data: []byte("name: \"a\\e[31m\\u202e\"\n" +
		"bridges: {\"\\e]0;\": {}, \u202ex: {}}\n")})
	var b strings.Builder
	_ = problems.WriteText(&b, false)
	if strings.ContainsAny(b.String(), "\x1b\u202e") || len(problems) != 2 {
		t.Errorf("%d problems: %q", len(problems), b.String())
	}
}

// TestOnlyTheHostKnows leaves to the live host whether gateways and sources of its routes are where they need be.
func TestOnlyTheHostKnows(t *testing.T) {
	_, problems := Load(Input{Name: "t.yaml", Data: []byte(`
name: lab
routes:
  - {to: 10.9.0.0/16, via: 192.0.2.1}
  - {to: 10.10.0.0/16, via: 192.0.2.1, dev: eth0}
  - {to: 10.12.0.0/16, dev: eth0, src: 192.0.2.7}
`)})
	if len(problems) != 3 || len(problems.WithoutLive()) != 0 {
		t.Error(problems)
	}
}
