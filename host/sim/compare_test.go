package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// take notes what the definition says.
func (o *oracle) take(r *definition.Result) {
	o.want = map[string]string{}
	for k, f := range r.Figures {
		o.want[keyText(k)] = fmt.Sprintf("hits %d sum %v sessions %d sumsq %v", f.Hits, f.Sum, f.Sessions, f.SumSq)
	}
	add := func(tenant string, outcome metric.Outcome, reason string, n int64) {
		o.counts.Add(metric.Count{Tenant: tenant, Outcome: outcome, Reason: reason, N: n})
	}
	for name, t := range r.Tenants {
		add(name, metric.Counted, "", t.Counted)
		add(name, metric.Duplicate, "", t.Duplicate)
		add(name, metric.BadValue, "", t.BadValue)
	}
}

func keyText(k definition.Key) string {
	text := fmt.Sprintf("%s %s %s %s %s", k.Tenant, k.Experiment, k.Variant, k.Status, k.Point)
	for _, l := range strings.FieldsFunc(k.Attributes, isNewline) {
		text += " [" + l + "]"
	}
	for _, l := range strings.FieldsFunc(k.Dims, isNewline) {
		text += " {" + l + "}"
	}
	return fmt.Sprintf("%s minute %d", text, k.Minute)
}

func isNewline(r rune) bool { return r == '\n' }

// compare looks at the metrics topic, the dead letters and the store.
func (o *oracle) compare() {
	totals, counts, _ := o.metrics()
	got := map[string]string{}
	totals.Each(func(s *metric.Series, minute int64, f metric.Figure) {
		got[fmt.Sprintf("%s minute %d", seriesText(s), minute)] = fmt.Sprintf("hits %d sum %v sessions %d sumsq %v", f.Hits, f.Sum, f.Sessions, f.SumSq)
	})
	o.same("figures", got, o.want)
	o.same("counts", countText(counts), countText(&o.counts))
	o.same("dead letters", texts(o.got), texts(o.letters))
	if err := counts.Summary(nil).Conserved(); err != nil {
		o.s.fault("%v", err)
	}
	o.stored()
}

// metrics sums the metrics topic up, and says of each of its partitions before
// which minute all are final.
func (o *oracle) metrics() (totals *metric.Totals, counts *metric.Counts, finals map[int32]int64) {
	totals, counts, finals = &metric.Totals{}, &metric.Counts{}, map[int32]int64{}
	for _, tp := range o.s.cluster.partitions(metricsTopic) {
		h := o.s.horizon(o.s.world.newest().number)
		for _, record := range o.s.cluster.log(tp).committed() {
			f, err := metric.ParseFrame(record.Value)
			if err != nil {
				o.s.fault("%v@%d: %v", tp, record.Offset, err)
				continue
			}
			for _, d := range f.Deltas {
				totals.Add(d)
			}
			for _, c := range f.Counts {
				counts.Add(c)
			}
			for _, p := range f.Progress {
				h.Observe(f.Generation, p)
			}
		}
		finals[tp.Partition], _ = h.FinalBefore()
	}
	return totals, counts, finals
}

func (o *oracle) addLetter(record *kgo.Record) {
	d, err := kafka.ParseDeadLetter(record)
	if err != nil {
		o.s.fault("dead letter: %v", err)
		return
	}
	o.lettered[position{kafka.TopicPartition{Topic: d.Topic, Partition: d.Partition}, d.Offset}] = true
	o.got[fmt.Sprintf("%s of %q: %s/%d@%d", d.Cause, d.Tenant, d.Topic, d.Partition, d.Offset)]++
}

// stored compares the store with the topic's totals up to the last minute that
// is final; nothing else may be there.
func (o *oracle) stored() {
	totals, _, finals := o.metrics()
	want := map[string]string{}
	totals.Each(func(s *metric.Series, minute int64, f metric.Figure) {
		if minute < finals[metric.PartitionOf(s, o.s.world.metricsPartitions)] {
			sample := f.Sample(s, minute)
			want[fmt.Sprintf("%s minute %d", seriesText(s), minute)] = sampleText(sample)
		}
	})
	got := map[string]string{}
	for at, sample := range o.s.store.samples {
		got[fmt.Sprintf("%s minute %d", at.series, at.minute)] = sampleText(sample)
	}
	o.same("store", got, want)
	for p, final := range finals {
		if due := o.s.due(); final < due {
			o.s.fault("metrics/%d: final before minute %d, and not %d", p, final, due)
		}
	}
}

// due is the minute before which all are to be final at the end.
func (s *simulation) due() int64 {
	return metric.MinuteOf(s.world.lastSent.Load() - s.world.lateness.Milliseconds())
}

func sampleText(s metric.Sample) string {
	return fmt.Sprintf("hits %v sum %v sessions %v sumsq %v", s.Hits, s.Sum, s.Sessions, s.SumSq)
}

func countText(c *metric.Counts) map[string]string {
	all := map[string]string{}
	for _, n := range c.All() {
		switch n.Outcome {
		case metric.UnknownVariant, metric.OtherDimension:
			continue // the definition does not count them
		}
		all[fmt.Sprintf("%s %v %s", n.Tenant, n.Outcome, n.Reason)] = fmt.Sprint(n.N)
	}
	return all
}

func texts(m map[string]int) map[string]string {
	all := map[string]string{}
	for k, n := range m {
		all[k] = fmt.Sprint(n)
	}
	return all
}

// same compares two maps of texts.
func (o *oracle) same(what string, got, want map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if want[k] != got[k] {
			o.s.fault("%s: %s: got %s, want %s", what, k, got[k], cmp.Or(want[k], "nothing"))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[k]; !ok {
			o.s.fault("%s: %s: got nothing, want %s", what, k, want[k])
		}
	}
}
