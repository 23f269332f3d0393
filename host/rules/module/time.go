package module

import (
	"fmt"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

const (
	dayMS = 24 * 60 * 60 * 1000
	// cycle is 400 years, after which the calendar repeats itself, its weekdays too.
	cycleDays = 146097
	cycleMS   = cycleDays * dayMS
)

// timePart is a part of the beacon's time in a zone.
func (s *scope) timePart(n *expr.Node) number {
	f := s.f
	t := s.fieldNumber(n)
	x := t
	x.local, x.zero = f.Local(F64), false
	f.Get(t.local)
	f.Op(I64TruncSatF64S)
	f.Call(s.localTime(n.Zone))
	f.Call(s.part(n.Part))
	f.Op(F64ConvertI32U)
	f.Set(x.local)
	f.Free(t.local)
	return x
}

// localTime gives the ms that a zone's clock shows, since a cycle before 1970 so
// that they are not negative: (ms) -> i64.
func (g *generator) localTime(zone *expr.Zone) *Func {
	return g.routine("zone "+zone.Name, []Type{I64}, []Type{I64}, func(f *Func) {
		ms := f.Param(0)
		f.Get(ms)
		f.I64(cycleMS)
		f.Op(I64Add)
		if len(zone.Starts) == 1 {
			f.I64(1000 * int64(zone.Offsets[0]))
			f.Op(I64Add)
			return
		}
		// The last start that is not after the time; the first, if all are.
		starts, offsets := make([]uint64, len(zone.Starts)), make([]uint64, len(zone.Starts))
		for i := range starts {
			starts[i], offsets[i] = uint64(zone.Starts[i]), uint64(1000*int64(zone.Offsets[i]))
		}
		count := f.Local(I32)
		at, offsetsAt := g.data.words(starts[1:]), g.data.words(offsets)
		f.I32(int32(len(starts) - 1))
		f.Set(count)
		bisect(f, count, func(mid Local) {
			f.Get(mid)
			f.I32(3)
			f.Op(I32Shl)
			f.Memory(I64Load, at)
			f.Get(ms)
			f.Op(I64GtS)
		})
		f.I32(3)
		f.Op(I32Shl)
		f.Memory(I64Load, offsetsAt)
		f.Op(I64Add)
	})
}

// part is a part of what localTime gives: (ms) -> i32.
func (r *runtime) part(part expr.TimePart) *Func {
	civil := r.civil()
	return r.routine(fmt.Sprintf("part %d", part), []Type{I64}, i1, func(f *Func) {
		ms := f.Param(0)
		within := func(unit, many int64) {
			f.Get(ms)
			f.I64(unit)
			f.Op(I64DivU)
			f.I64(many)
			f.Op(I64RemU, I32WrapI64)
		}
		date := func(result int) {
			results := []Local{f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32)}
			f.Get(ms)
			f.I64(dayMS)
			f.Op(I64DivU, I32WrapI64)
			f.Call(civil)
			for i := 3; i >= 0; i-- {
				f.Set(results[i])
			}
			f.Get(results[result])
		}
		switch part {
		case expr.Milliseconds:
			within(1, 1000)
		case expr.Seconds:
			within(1000, 60)
		case expr.Minutes:
			within(60*1000, 60)
		case expr.Hours:
			within(60*60*1000, 24)
		case expr.DayOfWeek: // 1970 began on a Thursday
			f.Get(ms)
			f.I64(4 * dayMS)
			f.Op(I64Add)
			f.I64(dayMS)
			f.Op(I64DivU)
			f.I64(7)
			f.Op(I64RemU, I32WrapI64)
		case expr.DayOfMonth:
			date(2)
			f.I32(1)
			f.Op(I32Sub)
		case expr.Date:
			date(2)
		case expr.DayOfYear:
			date(3)
		case expr.Month:
			date(1)
		default:
			date(0)
		}
	})
}

// civil gives the year, the month from 0, the day of the month from 1 and the
// day of the year from 0 of a day: (days since a cycle before 1970) -> 4 i32.
// Years are taken to begin in March, so that a leap day is their last.
func (r *runtime) civil() *Func {
	return r.routine("civil", i1, p4, func(f *Func) {
		era, day, year, month, leap := f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32)
		divide := func(l Local, by int32) {
			f.Get(l)
			f.I32(by)
			f.Op(I32DivU)
		}
		const fromMarch0 = 719468 // days from March of year 0 to 1970
		f.Get(f.Param(0))
		f.I32(fromMarch0)
		f.Op(I32Add)
		f.Set(day)
		divide(day, cycleDays)
		f.Set(era)
		f.Get(day)
		f.I32(cycleDays)
		f.Op(I32RemU)
		f.Set(day)
		f.Get(day)
		divide(day, 1460)
		f.Op(I32Sub)
		divide(day, 36524)
		f.Op(I32Add)
		divide(day, 146096)
		f.Op(I32Sub)
		f.I32(365)
		f.Op(I32DivU)
		f.Set(year)
		f.Get(day)
		f.Get(year)
		f.I32(365)
		f.Op(I32Mul)
		divide(year, 4)
		f.Op(I32Add)
		divide(year, 100)
		f.Op(I32Sub, I32Sub)
		f.Set(day) // of the year from March
		f.Get(year)
		f.Get(era)
		f.I32(400)
		f.Op(I32Mul, I32Add)
		f.I32(400)
		f.Op(I32Sub)
		f.Set(year)
		f.Get(day)
		f.I32(5)
		f.Op(I32Mul)
		f.I32(2)
		f.Op(I32Add)
		f.I32(153)
		f.Op(I32DivU)
		f.Set(month) // from March
		// January and February are of the next year.
		f.Get(year)
		f.Get(month)
		f.I32(10)
		f.Op(I32GeU, I32Add)
		f.Tee(year)
		f.I32(4)
		f.Op(I32RemU, I32Eqz)
		f.Get(year)
		f.I32(100)
		f.Op(I32RemU)
		f.I32(0)
		f.Op(I32Ne, I32And)
		f.Get(year)
		f.I32(400)
		f.Op(I32RemU, I32Eqz, I32Or)
		f.Set(leap)

		f.Get(year)
		f.Get(month)
		f.I32(2)
		f.Op(I32Add)
		f.I32(12)
		f.Op(I32RemU)
		f.Get(day)
		f.Get(month)
		f.I32(153)
		f.Op(I32Mul)
		f.I32(2)
		f.Op(I32Add)
		f.I32(5)
		f.Op(I32DivU, I32Sub)
		f.I32(1)
		f.Op(I32Add)
		f.Get(day)
		f.I32(306)
		f.Op(I32Sub)
		f.Get(day)
		f.I32(59)
		f.Op(I32Add)
		f.Get(leap)
		f.Op(I32Add)
		f.Get(month)
		f.I32(10)
		f.Op(I32GeU, Select)
	})
}
