package embedded

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Read calls each for every stored value that the selector takes: stat by stat,
// series by series, minutes ascending. The series is the callback's to keep. An
// error of each ends the reading and is returned as it is. Memory is bounded by
// the number of matching series, not by their samples.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	if sel.From >= sel.To {
		return nil
	}
	from, to := millis(sel.From), millis(sel.To)-1
	q, err := s.db.Querier(from, to)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.db.Dir(), err)
	}
	defer q.Close()
	for _, stat := range metric.Stats {
		if !sel.WantsStat(stat) {
			continue
		}
		if err := s.readStat(ctx, q, &sel, stat, each); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readStat(ctx context.Context, q storage.Querier, sel *metric.Selector, stat string, each func(*metric.Series, string, int64, float64) error) error {
	matchers, err := matchersOf(sel, stat)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.db.Dir(), err)
	}
	set := q.Select(ctx, false, &storage.SelectHints{Start: millis(sel.From), End: millis(sel.To) - 1}, matchers...)
	var it chunkenc.Iterator
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		found := set.At()
		series, err := seriesOf(found.Labels())
		if err != nil {
			return fmt.Errorf("store %s: %w", s.db.Dir(), err)
		}
		it = found.Iterator(it)
		for it.Next() != chunkenc.ValNone {
			ms, v := it.At()
			if err := each(series, stat, metric.MinuteOf(ms), v); err != nil {
				return err
			}
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("store %s: %w", s.db.Dir(), err)
		}
	}
	if err := set.Err(); err != nil {
		return fmt.Errorf("store %s: %w", s.db.Dir(), err)
	}
	return nil
}

func matchersOf(sel *metric.Selector, stat string) ([]*labels.Matcher, error) {
	out := []*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, labels.MetricName, metric.MetricPrefix+stat),
		labels.MustNewMatcher(labels.MatchEqual, metric.LabelTenant, sel.Tenant),
	}
	if sel.Status != "" {
		out = append(out, labels.MustNewMatcher(labels.MatchEqual, metric.LabelStatus, sel.Status))
	}
	for _, set := range []struct {
		label  string
		values []string
	}{{metric.LabelExperiment, sel.Experiments}, {metric.LabelPoint, sel.Points}} {
		if len(set.values) == 0 {
			continue
		}
		quoted := make([]string, len(set.values))
		for i, v := range set.values {
			quoted[i] = regexp.QuoteMeta(v)
		}
		m, err := labels.NewMatcher(labels.MatchRegexp, set.label, strings.Join(quoted, "|"))
		if err != nil {
			return nil, fmt.Errorf("selector of %s %q: %w", set.label, set.values, err)
		}
		out = append(out, m)
	}
	return out, nil
}

func seriesOf(ls labels.Labels) (*metric.Series, error) {
	series := new(metric.Series)
	err := ls.Validate(func(l labels.Label) error {
		if l.Name == labels.MetricName {
			return nil
		}
		return series.SetStoreLabel(strings.Clone(l.Name), strings.Clone(l.Value))
	})
	return series, err
}
