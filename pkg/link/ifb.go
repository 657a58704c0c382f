package link

import "github.com/plumbnet/plumb/pkg/kernel"

// IFB is an intermediate functional block device: packets are redirected to it by tc, to be queued where the link that
// they came by cannot queue them. It has no options.
type IFB struct{}

var ifb = Type{
	Name: "ifb", Doc: "a link that tc redirects packets to, to queue those that come in",
	Part:   kernel.Part{Module: "ifb", Option: "IFB"},
	New:    func() Spec { return IFB{} },
	Traits: Traits{NoARP: true, NoMulticast: true, FixedMAC: true, TxQLen: 32},
}
