package ship

import (
	"github.com/twmb/franz-go/pkg/kgo"
)

// shed makes room where more figures are open than may be held, each partition
// having its share. What is let go is read again later: nothing is lost, but it
// takes longer.
func (s *session) shed() {
	parts := s.owned()
	for _, p := range parts {
		if p.shipper == nil {
			continue
		}
		share := max(1, s.cfg.MaxFigures/len(parts))
		if p.shipper.Len() <= share {
			p.crowded = p.crowded && (p.shipper.cut != allHeld || p.shipper.next < p.end)
			continue
		}
		p.shipper.Shed(share - share/8)
		if p.crowded || p.shipper.cut == allHeld {
			continue
		}
		p.crowded = true
		s.log.Warn("more figures are open than may be held: newer minutes are read again when older ones are written, which takes longer; see which source partition holds the watermark, or have fewer dimensions, values or experiments",
			"partition", p.partition, "held", p.shipper.Len(), "max", s.cfg.MaxFigures, "read_again_from", minuteText(p.shipper.cut))
	}
}

// readAgain goes back for minutes that were let go. No rebalance can happen.
func (s *session) readAgain() {
	for _, p := range s.owned() {
		if p.shipper == nil {
			continue
		}
		at, ok := p.shipper.Behind()
		if !ok {
			continue
		}
		s.log.Debug("reading again", "partition", p.partition, "offset", at.Offset, "written_through", minuteText(at.Horizon))
		s.m.again.WithLabelValues(s.store.Name).Inc()
		p.shipper, p.told = s.newShipper(at), 0
		s.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.cfg.Topic: {p.partition: {Epoch: -1, Offset: at.Offset}}})
	}
}

// held returns how many figures are held for the store, and whether there is room
// for all that are open.
func held(parts []*part) (figures int, all bool) {
	all = true
	for _, p := range parts {
		if p.shipper != nil {
			figures += p.shipper.Len()
			all = all && p.shipper.cut == allHeld
		}
	}
	return figures, all
}

// waits returns a generation that a partition's records name and nobody has made
// known; 0: none.
func waits(parts []*part) (generation uint64) {
	for _, p := range parts {
		if p.shipper != nil && p.shipper.horizon.Waits() {
			generation = max(generation, p.shipper.horizon.Named())
		}
	}
	return generation
}
