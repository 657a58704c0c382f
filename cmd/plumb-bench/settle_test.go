package main

import "testing"

func TestParseNetObjects(t *testing.T) {
	const text = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> ` +
		`<sharedfactor>
net_namespace_x      1      1   4288    7    8 : tunables    0    0    0 : slabdata      2      2      0
net_namespace       38     77   4288    7    8 : tunables    0    0    0 : slabdata     11     11      0
`
	if got, want := parseNetObjects(text, 2), (netObjects{38, 42}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	if got := parseNetObjects("", 2); got != (netObjects{}) {
		t.Errorf("%+v of nothing", got)
	}
}

func TestIdleShare(t *testing.T) {
	before := parseCPU("cpu  100 0 100 800 0 0 0 0 0 0\n")
	now := parseCPU("cpu  110 0 110 870 10 0 0 0 0 0\n")
	if got := now.idleSince(before); got != 0.8 {
		t.Errorf("idle share %v, not 0.8", got)
	}
	if got := before.idleSince(before); got != 0 {
		t.Errorf("idle share %v of no time", got)
	}
}
