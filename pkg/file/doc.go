// Package file is how structs stand in YAML files. A struct is tagged once, and from the tags follow its reading with
// the place of every value ([Report.Decode]), its writing ([Encode]), its JSON Schema ([Schema]) and the words of the
// reference ([Words]):
//
//	ID uint32 `file:"id,required,most=16777215" doc:"number of the network (VNI)"`
//
// The options of the tag file, after the key:
//
//	required          the key must be there: reported, unless a key that is not known may stand for it
//	required=always   reported in any case
//	required=checked  required by the schema, and reported by a check of the caller's
//	least=N, most=N   the bounds of a number
//	enum=a|b|c        the words that a string may be
//	item=a route      what messages call an item of a list; of a Map, what stands before its key: item=bridge
//	short             this value alone may stand for the whole struct: "x" for {key: x}
//	inline            instead of a key: the keys of this struct, [Parts] or [OneOf] stand beside the others
//
// A field _ with a key as "x-*" lets any key with that beginning stand for nothing. The tag missing is the hint for a
// required key that is not there; doc says what the value is, with its unit. The tag also lists, for hints, what people
// call the key elsewhere, as "gw|gateway"; behind a "=" stands what to write instead, where that is more than the key.
//
// What a file leaves out keeps the value that the struct had before; structs in lists and Maps get theirs from
// [Defaulter]. A type with a text form of its own is a [Parser], and a list that is no slice a [Sequence]. Problems are
// collected in a [Report], and [Spots] tells later checks what could not be read, so that one mistake is reported once.
//
// The package knows nothing of what the files are about.
package file
