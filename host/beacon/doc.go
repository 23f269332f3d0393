// Package beacon turns the raw bytes of a beacon into the fields that plugins,
// dispatch and session ask for, in one scan and without garbage.
//
// A Projection is compiled once from a source and the fields wanted of it; a
// Batch decodes any number of beacons through projections into rows and lays
// selected rows out as the columns that a plugin sees.
//
// # What decides where formats leave room
//
// All formats: a beacon is first measured (too large), then checked for UTF-8,
// then read. The first fault in the order of the bytes is the cause.
//
// Paths: a dot always separates, so a key that holds a dot is reached by no
// path. A key is compared after its escapes are resolved, byte by byte. A part
// that is a whole number without sign and leading zeros is also an array index.
//
// JSON: the grammar of RFC 8259, white space around the document allowed, no
// byte order mark. Of a repeated key the last holds, wholly: what an earlier
// one held below it is gone. The escape of half a surrogate pair is U+FFFD.
// Array and object values are their bytes as written. Nesting counts from 1,
// the beacon itself; the 129th open bracket is too deep.
//
// Query: a leading "?" is part of the first key. Nothing between two "&" is no
// key. Of a repeated key the first holds. A value is entered by path if the
// whole of it is a JSON array or object by the rules above; if it is not, the
// paths into it have no value and the beacon is fine. A value itself is always
// Untyped. Text must be UTF-8 after the escapes are resolved too.
//
// CLF: words are separated by single spaces:
//
//	remote ident user [time] "request" status bytes
//	remote ident user [time] "request" status bytes "referer" "agent"
//
// A word is one or more characters that are not space, \t, \n, \f or \r. The
// time holds no "]". In quotes a backslash takes the next character (not \n)
// along, and both stay as written. Anything else, and anything behind, is not
// CLF. "-" is absent, "" is the empty text. A request of three words has none
// of them empty. No value is entered by path.
//
// Time: RFC 3339 in its grammar ("t" and "z" too, no leap second), CLF as
// 02/Jan/2006:15:04:05 -0700, epoch ms as a JSON number, cut and not rounded,
// whatever its exponent. Offsets go to 23:59. A negative number is no time,
// -0 is 0.
package beacon
