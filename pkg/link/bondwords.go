package link

import (
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// The words for a bond's options, in the order of their numbers in the kernel.
const (
	bondModeWords      = "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb"
	arpValidationWords = "none active backup all filter filter_active filter_backup"
	reselectionWords   = "always better failure"
	failOverMACWords   = "none active follow"
	hashPolicyWords    = "layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac"
	aggregationWords   = "stable bandwidth count"
)

// parseWord sets a value to a text that is one of some words.
func parseWord[T ~string](v *T, words, what, text string) error {
	list := strings.Fields(words)
	if !slices.Contains(list, text) {
		return file.NotOneOf(what, text, list)
	}
	*v = T(text)
	return nil
}

// BondMode is how a bond shares packets out among its ports.
type BondMode string

// Parse implements [file.Parser].
func (v *BondMode) Parse(what, text string) error { return parseWord(v, bondModeWords, what, text) }

// Text implements [file.Described].
func (*BondMode) Text() file.Text { return file.Text{Enum: strings.Fields(bondModeWords)} }

// ARPValidation says of which ports a bond checks answers.
type ARPValidation string

// Parse implements [file.Parser].
func (v *ARPValidation) Parse(what, text string) error {
	return parseWord(v, arpValidationWords, what, text)
}

// Text implements [file.Described].
func (*ARPValidation) Text() file.Text { return file.Text{Enum: strings.Fields(arpValidationWords)} }

// Reselection is when a primary port is used again.
type Reselection string

// Parse implements [file.Parser].
func (v *Reselection) Parse(what, text string) error {
	return parseWord(v, reselectionWords, what, text)
}

// Text implements [file.Described].
func (*Reselection) Text() file.Text { return file.Text{Enum: strings.Fields(reselectionWords)} }

// FailOverMAC says which MAC addresses the ports of a bond have.
type FailOverMAC string

// Parse implements [file.Parser].
func (v *FailOverMAC) Parse(what, text string) error {
	return parseWord(v, failOverMACWords, what, text)
}

// Text implements [file.Described].
func (*FailOverMAC) Text() file.Text { return file.Text{Enum: strings.Fields(failOverMACWords)} }

// HashPolicy is what of a packet decides on its port.
type HashPolicy string

// Parse implements [file.Parser].
func (v *HashPolicy) Parse(what, text string) error { return parseWord(v, hashPolicyWords, what, text) }

// Text implements [file.Described].
func (*HashPolicy) Text() file.Text { return file.Text{Enum: strings.Fields(hashPolicyWords)} }

// Aggregation says which ports of a bond are used together.
type Aggregation string

// Parse implements [file.Parser].
func (v *Aggregation) Parse(what, text string) error {
	return parseWord(v, aggregationWords, what, text)
}

// Text implements [file.Described].
func (*Aggregation) Text() file.Text { return file.Text{Enum: strings.Fields(aggregationWords)} }
