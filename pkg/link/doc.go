// Package link makes links of every type: the kind "link". What a type is, is said once, in its own file: a [Spec], a
// struct whose tags say how a field is written in the file, compared, and sent to the kernel; and a [Type], its row in
// the table [Types].
//
// To add a type of link, write its file, with a Spec and a row, and add the row to the table in types.go. A row needs
// Name, Doc, Part and New, as ifb.go has them. The file form, the schema, the comparison, the message, and the reading
// follow from the Spec. What goes beyond that is in groups, of which most rows need few:
//
//   - [Stack]: the links that it is made on, and the section that its packets travel in. onParent and overUnderlay fill
//     in most of it (macvlan.go, vxlan.go);
//   - [Frames]: what passes over it, and where to;
//   - [Traits]: what every link has (MTU, MAC, arp), where the kernel makes or keeps it otherwise for this type;
//   - [Master]: what it is to its ports (vrf.go);
//   - [Making] and [Changing]: what one message does not do (tun.go, bridge.go);
//   - [Unlisted]: what no listing of links tells (wireguard.go).
//
// Traits are what is forgotten first, for all links are compared by them. It shows when the case runs, as "unplanned:
// update link" or as a change that the kernel refuses. Where no field says what the type does, add one to its group.
//
// Write a case testdata/cases/TYPE/NAME.txtar; package battery tells its form at Parse. Let it change the MTU, the MAC
// and the type's own options, and set arp by hand. Run it as root, so that a case that is skipped fails:
//
//	TEST_REQUIRE_KINDS=1 go test -count=1 -v ./pkg/battery -run TestCases/TYPE
//
// and on Debian's kernels, which writes testdata/kernels.md:
//
//	make test-kernels PKGS=./pkg/battery TESTS=TestCases/TYPE
//
// Name the type in README.md: "Other links", and what plumb does not do. If its data holds the index of a link, name
// it in linkData of package battery/snapshot too.
package link
