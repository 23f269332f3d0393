package rollout

import "strconv"

// Share is a part of a whole, in millionths: 1_000_000 is all.
type Share int64

const whole = 1_000_000

// reached tells whether part is at least the share of all.
func (s Share) reached(part, all int64) bool { return part*whole >= int64(s)*all }

// exceeded tells whether part is more than the share of all.
func (s Share) exceeded(part, all int64) bool { return part*whole > int64(s)*all }

// String is the share in percent.
func (s Share) String() string { return strconv.FormatFloat(float64(s)/(whole/100), 'f', -1, 64) + "%" }

// shareOf is how much of all a part is.
func shareOf(part, all int64) Share {
	if all == 0 {
		return 0
	}
	return Share(part * whole / all)
}
