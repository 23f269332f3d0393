package session

// draws are the engine's own assignments of a key during a slot. They are
// remembered, but need not be: they hang on the key's name alone.
type draws struct {
	slot uint64 // its number; 0: none
	of   []assign
}

// drawn are the experiments that the key's session id is assigned to at t, by
// number, and their variants as far as they have been asked for.
func (k *key) drawn(w *view, t int64) []assign {
	if o := w.drawn.at(t); k.draws.slot != o.number {
		k.draws.slot, k.draws.of = o.number, o.candidates(k.draws.of[:0], k.unit())
	}
	return k.draws.of
}

// draw gives the variant of one of drawn at t.
func (k *key) draw(d *assign, x *trial, t int64) int32 {
	if d.variant == undrawn {
		variant, _ := x.Variant(k.unit(), t)
		d.variant = int32(variant)
	}
	return d.variant
}

// unit is the session id.
func (k *key) unit() []byte {
	if len(k.id) == 0 {
		k.id = unpackID(k.id, k.name)
	}
	return k.id
}

// long tells whether the key does not keep its session id; then its beacons
// keep what the engine assigns to it.
func (k *key) long() bool {
	return len(k.name) > 2 && k.name[0] == formRaw<<5|longLength && k.name[2] == digestByte
}

// unitOf is one of a beacon's units, see shape.
func unitOf(units []byte, i int) []byte {
	unit, rest := cutValue(units)
	for ; i > 0; i-- {
		unit, rest = cutValue(rest)
	}
	return unit
}
