package elasticsearch

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// Write stores samples; they are found about a second later. The store may take a part
// of them: all are sent again then, which changes nothing.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	var body []byte
	for i := range samples {
		var err error
		if body, err = s.appendAction(body, &samples[i]); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	answer, err := s.client.Ask(ctx, web.Request{
		Doing: "write", Method: http.MethodPost, Path: "/_bulk", Body: web.Gzip(body),
		Header: map[string]string{"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
	}, maxAnswer)
	if err != nil {
		return err
	}
	return refused(answer)
}

// appendAction appends what the bulk interface wants of a sample: where it goes, and
// the document.
func (s *Store) appendAction(dst []byte, sample *metric.Sample) ([]byte, error) {
	ms := sinks.Millis(sample.Minute)
	dst = append(append(dst, `{"index":{"_index":"`...), s.index...)
	dst = time.UnixMilli(ms).UTC().AppendFormat(dst, "-2006.01.02")
	dst = append(append(dst, `","_id":"`...), id(sample)...)
	dst = append(dst, `"}}`+"\n"+`{"`+timeField+`":`...)
	dst = strconv.AppendInt(dst, ms, 10)
	for _, stat := range metric.Stats {
		v, _ := sample.Stat(stat)
		dst = append(append(append(dst, `,"`...), stat...), `":`...)
		dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	for _, l := range sample.Series.StoreLabels() {
		value, err := json.Marshal(stored(l.Value))
		if err != nil {
			return nil, err
		}
		dst = append(append(append(dst, `,"`...), l.Name...), `":`...)
		dst = append(dst, value...)
	}
	return append(dst, '}', '\n'), nil
}

// id is the same whenever a figure is written: at most 512 bytes are allowed, and a
// series may have more.
func id(s *metric.Sample) string {
	key := strconv.AppendInt(s.Series.AppendKey(nil), s.Minute, 10)
	sum := sha256.Sum256(key)
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// refused looks at each item of an answer: it is one of success whatever became of
// them.
func refused(answer []byte) error {
	var bulk struct {
		Errors bool
		Items  []map[string]struct {
			Status int
			Error  json.RawMessage
		}
	}
	if err := json.Unmarshal(answer, &bulk); err != nil {
		return sinks.Again("write", 0, fmt.Sprintf("the answer is not one of _bulk: %.200q", answer))
	}
	if !bulk.Errors {
		return nil
	}
	var worst *sinks.Error
	for _, item := range bulk.Items {
		for _, of := range item {
			if of.Status/100 == 2 {
				continue
			}
			text := string(of.Error[:min(len(of.Error), 1000)])
			if of.Status == http.StatusTooManyRequests || of.Status >= 500 {
				return sinks.Again("write", of.Status, text)
			}
			worst = sinks.Smaller("write", of.Status, text)
		}
	}
	if worst == nil {
		return sinks.Again("write", 0, "the answer tells of errors, and has none")
	}
	return worst
}
