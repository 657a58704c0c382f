package kinds

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindOffload is a feature of a link, most of which have the device do what else the kernel does (ethtool(8): -K).
const KindOffload = "offload"

// Offload is whether a feature of a link is asked for. What it was before is in the host record: of a link that plumb
// makes, what that was made with.
type Offload struct {
	NS, Dev, Feature string
	Value            string `plan:"value"` // on or off
}

// on and off are the values of a feature.
const on, off = "on", "off"

func onOff(is bool) string {
	if is {
		return on
	}
	return off
}

func offloadKey(ns, dev, feature string) plan.Key {
	return plan.Key{NS: ns, Kind: KindOffload, Name: dev + " " + feature}
}

// offloadOf is the reverse of [offloadKey].
func offloadOf(k plan.Key) Offload {
	dev, feature, _ := strings.Cut(k.Name, " ")
	return Offload{NS: k.NS, Dev: dev, Feature: feature}
}

// Key implements [plan.Object].
func (o Offload) Key() plan.Key { return offloadKey(o.NS, o.Dev, o.Feature) }

// Needs implements [plan.Object].
func (o Offload) Needs() []plan.Key { return []plan.Key{object.LinkNeed(o.NS, o.Dev)} }

// Describe implements [plan.Object].
func (o Offload) Describe() string { return o.Value }

// Restores implements [plan.Restoring].
func (Offload) Restores() bool { return true }

// On implements [plan.Dependent].
func (o Offload) On() []plan.Key { return o.Needs() }

// After implements [plan.Dependent]: it goes with its link.
func (o Offload) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	return o, now != nil || old.Key() != object.LinkKey(o.NS, o.Dev) && old.Key() != object.NamespaceKey(o.NS)
}

// Yields implements [plan.Yielding]: by the name that its link has before the plan.
func (o Offload) Yields() bool { return true }

// FeatureName is the kernel's name of a feature, as "rx-gro".
type FeatureName string

// shortNames are those of ethtool(8) for the kernel's.
var shortNames = map[string]string{
	"rx": "rx-checksum", "tx": "tx-checksum-ip-generic", "sg": "tx-scatter-gather", "tso": "tx-tcp-segmentation",
	"gso": "tx-generic-segmentation", "gro": "rx-gro", "lro": "rx-lro", "rxvlan": "rx-vlan-hw-parse",
	"txvlan": "tx-vlan-hw-insert", "ntuple": "rx-ntuple-filter", "rxhash": "rx-hashing",
	"generic-receive-offload": "rx-gro", "generic-segmentation-offload": "tx-generic-segmentation",
	"large-receive-offload": "rx-lro", "rx-checksumming": "rx-checksum", "scatter-gather": "tx-scatter-gather",
	"tx-checksumming": "tx-checksum-ip-generic", "tcp-segmentation-offload": "tx-tcp-segmentation",
}

// Parse implements [file.Parser].
func (f *FeatureName) Parse(_, s string) error {
	if name, ok := shortNames[s]; ok {
		return file.Flaw{Message: file.Quote(s) + " is ethtool's name, not the kernel's", Hint: file.DidYouMean(name)}
	}
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if s == "" || len(s) >= featureLength || strings.ContainsFunc(s, odd) {
		return file.Flaw{Message: file.Quote(s) + " is no feature of a link", Hint: "ethtool -k lists them: as rx-gro"}
	}
	*f = FeatureName(s)
	return nil
}

// featureLength is ETH_GSTRING_LEN of linux/ethtool.h.
const featureLength = 32

// Text implements [file.Described].
func (*FeatureName) Text() file.Text {
	return file.Text{Words: "the kernel's name of a feature", Pattern: "^[a-z0-9-]{1,31}$"}
}

// Offloads is how the features of a link stand in it.
type Offloads = file.Map[FeatureName, bool]

func offloadForm() object.Form {
	return object.Form{
		On: object.OnLink,
		Part: file.Part{
			Key: "offload", Item: "feature", Doc: "features of the device that are to be on or off, by the kernel's names",
			New: func() any { return new(Offloads) },
		},
		Check: func(at *object.At) any {
			at.Expect(len(*at.Form.(*Offloads)))
			return nil
		},
		Expand: func(at *object.At, x *object.Expansion) {
			for i, spot := range at.Spots.Items() {
				entry := (*at.Form.(*Offloads))[i]
				x.Add(Offload{at.Name, at.Link.Name, string(entry.Key), onOff(entry.Value)}, spot.Key())
			}
		},
	}
}

// features are those of the links of a section that are asked about, by the link's name in the kernel.
type features map[string]kernel.Features

// fetchOffloads reads the features of the links of which the topology wants or claims one.
func fetchOffloads(e *object.Env, s *object.Section, enter func(func() error) error) error {
	known := object.In[features](s)
	if *known == nil {
		*known = make(features)
	}
	var missing []string
	for _, k := range offloadKeys(e, s) {
		if l := liveNamed(s, offloadOf(k).Dev); l != nil && (*known)[l.Name] == nil && !slices.Contains(missing, l.Name) {
			missing = append(missing, l.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return enter(func() error {
		found, err := kernel.FeaturesHere(missing...)
		maps.Copy(*known, found)
		return err
	})
}

// liveNamed finds a live link by its key's name, be it ours or not.
func liveNamed(s *object.Section, dev string) *object.LiveLink {
	if l := s.Link(dev); l != nil {
		return l
	}
	return s.At(s.Known(dev))
}

// offloadKeys lists the features that the topology wants in a section, and those that it has claimed there.
func offloadKeys(e *object.Env, s *object.Section) []plan.Key {
	keys := slices.DeleteFunc(e.Record.Claimed(s.NS.Name), func(k plan.Key) bool { return k.Kind != KindOffload })
	for _, o := range e.WantedHere(s.NS.Name, KindOffload) {
		keys = append(keys, o.Key())
	}
	slices.SortFunc(keys, plan.Key.Compare)
	return slices.Compact(keys)
}

// liveOffload is a feature as it is; ok is false where there is no such link, or it has no such feature. Of a link that
// gets another name it is as it will be given back by the old one before that.
func liveOffload(e *object.Env, s *object.Section, k plan.Key) (o Offload, ok bool) {
	o = offloadOf(k)
	l := liveNamed(s, o.Dev)
	if l == nil {
		return o, false
	}
	f, ok := (*object.In[features](s))[l.Name][o.Feature]
	o.Value = onOff(f.Requested)
	if old := offloadKey(o.NS, l.Name, o.Feature); old != k {
		if e.Wanted(old) {
			return o, ok && !e.Undoing // a rollback wants it by that name
		}
		claim, _ := e.Record.Claim(old)
		o.Value = cmp.Or(claim.Original, o.Value)
	}
	return o, ok
}

func readOffloads(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		for _, k := range offloadKeys(e, s) {
			if o, ok := liveOffload(e, s, k); ok && !yield(object.Live{Object: o}) {
				return
			}
		}
	}
}

// claimedOffloads is the [object.Owner] of features: the host record tells who wants what.
func claimedOffloads(e *object.Env, s *object.Section, live iter.Seq[object.Live]) (have []plan.Have, err error) {
	for l := range live {
		o, ok := l.Object.(Offload)
		if !ok {
			return nil, object.WrongType(KindOffload, l.Object)
		}
		k := o.Key()
		claim, _ := e.Record.Claim(k)
		h := plan.Have{Object: o, Class: plan.Loose}
		if want, wanted := e.Want(k).(Offload); wanted {
			for _, other := range slices.Sorted(maps.Keys(claim.Wants)) {
				if other != e.Topology && claim.Wants[other] != want.Value {
					h.Class, h.Final = plan.Foreign, true
					h.Why = fmt.Sprintf("topology %s wants %s: the two cannot be on one host", other, claim.Wants[other])
				}
			}
		} else if len(claim.Wants) > 1 || claim.Original == "" || claim.Original == o.Value {
			continue
		} else {
			h.Class, h.Why = plan.Ours, "restored to "+claim.Original
		}
		have = append(have, h)
	}
	return have, nil
}

// wishOffload is what the record must know of a feature.
func wishOffload(e *object.Env, o plan.Object) []object.Wish {
	want, ok := o.(Offload)
	if !ok {
		return nil
	}
	return []object.Wish{{
		Key: want.Key(), Value: want.Value, Original: func() (object.Claim, error) { return originalOffload(e, want) },
	}}
}

// originalOffload is what the record must remember of a feature. Of a link that is still to be made it is noted when
// that is there: see [learnOriginal].
func originalOffload(e *object.Env, want Offload) (object.Claim, error) {
	c := object.Claim{Wants: make(map[string]string)}
	s, err := e.Section(want.NS)
	if err != nil {
		return c, nil // it is made with the plan
	}
	live, ok := liveOffload(e, s, want.Key())
	if l := liveNamed(s, want.Dev); ok && l != nil {
		c.Original = live.Value
		if l.Class != plan.Ours {
			c.Index = l.Index
		}
	}
	return c, nil
}

func putOffloads(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		o, ok := c.New.(Offload)
		if !ok {
			return object.WrongType(KindOffload, c.New)
		}
		s, err := e.Section(o.NS)
		if err != nil {
			return err
		}
		same, err := o.learnOriginal(e, s, c.Old)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		if err := s.NS.SetFeature(o.ifname(s), o.Feature, o.Value == on); err != nil {
			return err
		}
	}
	return nil
}

// learnOriginal notes what a new link was made with, before that is changed: then nothing is known of it, or only of
// the link that was there before. Same says that it is as wanted.
func (o Offload) learnOriginal(e *object.Env, s *object.Section, old plan.Object) (same bool, err error) {
	if was, ok := old.(Offload); ok {
		if claim, claimed := e.Record.Claim(o.Key()); !claimed || claim.Original != "" {
			return false, nil
		}
		e.Record.Note(o.Key(), was.Value)
		return false, e.Record.Save(e.Seam)
	}
	var found map[string]kernel.Features
	err = s.NS.Inside(func() error {
		found, err = kernel.FeaturesHere(o.Dev)
		return err
	})
	f, ok := found[o.Dev][o.Feature]
	switch {
	case err != nil:
		return false, err
	case !ok || f.Fixed && onOff(f.Requested) != o.Value:
		return false, impossible(o, ok)
	}
	e.Record.Note(o.Key(), onOff(f.Requested))
	return onOff(f.Requested) == o.Value, e.Record.Save(e.Seam)
}

// impossible is why a feature cannot be as it is wanted.
func impossible(o Offload, known bool) error {
	dev := object.LinkKey(o.NS, o.Dev).Place()
	if !known {
		return fmt.Errorf("link %s has no feature %s: ethtool -k lists those that it has", dev, o.Feature)
	}
	return fmt.Errorf("feature %s of link %s is fixed, and cannot be %s: leave it out", o.Feature, dev, o.Value)
}

// ifname is what the kernel calls the link.
func (o Offload) ifname(s *object.Section) string {
	if l := s.Link(o.Dev); l != nil {
		return l.Name
	}
	return o.Dev
}

// delOffloads restores features to what they were before any topology wanted them.
func delOffloads(e *object.Env, objects []plan.Object) error {
	for _, gone := range objects {
		o := offloadOf(gone.Key())
		s, err := e.Section(o.NS)
		if err != nil {
			continue // the namespace is gone, and its links
		}
		claim, _ := e.Record.Claim(o.Key())
		err = s.NS.SetFeature(o.ifname(s), o.Feature, claim.Original == on)
		if err := object.IgnoreGone(err); err != nil {
			return err
		}
	}
	return nil
}

// settleOffload says whether a feature can be as it is wanted, so far as that is known before the link is there.
func settleOffload(e *object.Env, wanted plan.Object) (plan.Object, error) {
	o, ok := wanted.(Offload)
	if !ok {
		return nil, object.WrongType(KindOffload, wanted)
	}
	all := o.all(e)
	if f, known := all[o.Feature]; all != nil && (!known || f.Fixed && onOff(f.Requested) != o.Value) {
		return o, impossible(o, known)
	}
	return o, nil
}

// all are the features of the link, or those that the kernel makes one like it with; nil where nobody knows.
func (o Offload) all(e *object.Env) kernel.Features {
	l, declared := e.Want(object.LinkKey(o.NS, o.Dev)).(link.Link)
	if s := e.Sections[o.NS]; s != nil {
		if live := liveNamed(s, o.Dev); live != nil && (!declared || l.Given || live.Type == l.Type) {
			return (*object.In[features](s))[live.Name]
		}
	}
	if !declared {
		return nil
	}
	made := object.In[features](e)
	if all, ok := (*made)[l.Type]; ok {
		return all
	}
	all, known, err := link.NewFeatures(l)
	if !known || err != nil {
		return nil // it shows when the link is made
	}
	if *made == nil {
		*made = make(features)
	}
	(*made)[l.Type] = all
	return all
}
