package remote

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

const (
	// maxAnswer is how many bytes an answer may have that does not come in pieces.
	maxAnswer = 64 << 20
	// maxFrame is how many bytes a piece of an answer may have. A server makes them of 1
	// MiB, or of one series' part where that is larger.
	maxFrame = 64 << 20
	// slice is how many minutes are asked for at once, at first.
	slice = 24 * 60
)

// Read asks a path of a store for what the selector takes, in slices of time, each as
// long as its answer fits into a bound. Stat by stat and slice by slice, minutes of a
// series ascend.
func Read(ctx context.Context, c *web.Client, path string, sel metric.Selector, each sinks.Each) error {
	for _, stat := range sinks.Wanted(&sel) {
		length := int64(slice)
		for from := sel.From; from < sel.To; {
			to := min(sel.To, from+length)
			err := readSlice(ctx, c, path, query(&sel, stat, from, to), each)
			var large *web.TooLargeError
			switch {
			case errors.As(err, &large) && to-from > 1:
				length = max(1, (to-from)/4)
				continue
			case err != nil:
				return err
			}
			from = to
			length = min(2*length, slice)
		}
	}
	return nil
}

// query selects [from, to) of one stat.
func query(sel *metric.Selector, stat string, from, to int64) *prompb.Query {
	q := &prompb.Query{StartTimestampMs: sinks.Millis(from), EndTimestampMs: sinks.Millis(to) - 1}
	match := func(kind prompb.LabelMatcher_Type, name, value string) {
		q.Matchers = append(q.Matchers, &prompb.LabelMatcher{Type: kind, Name: name, Value: value})
	}
	match(prompb.LabelMatcher_EQ, nameLabel, metric.MetricPrefix+stat)
	match(prompb.LabelMatcher_EQ, metric.LabelTenant, sel.Tenant)
	if sel.Status != "" {
		match(prompb.LabelMatcher_EQ, metric.LabelStatus, sel.Status)
	}
	for _, of := range []struct {
		label  string
		values []string
	}{{metric.LabelExperiment, sel.Experiments}, {metric.LabelPoint, sel.Points}} {
		if len(of.values) > 0 {
			match(prompb.LabelMatcher_RE, of.label, AnyOf(of.values))
		}
	}
	return q
}

// AnyOf is a regular expression that matches these values and no others.
func AnyOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	return strings.Join(quoted, "|")
}

func readSlice(ctx context.Context, c *web.Client, path string, q *prompb.Query, each sinks.Each) error {
	message, err := (&prompb.ReadRequest{
		Queries:               []*prompb.Query{q},
		AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS, prompb.ReadRequest_SAMPLES},
	}).Marshal()
	if err != nil {
		return fmt.Errorf("remote read: %w", err)
	}
	body, typ, err := c.DoTyped(ctx, web.Request{
		Doing: "read", Read: true, Method: http.MethodPost, Path: path, Body: snappy.Encode(nil, message),
		Header: map[string]string{
			"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Read-Version": "0.1.0", "Accept-Encoding": "snappy",
		},
	})
	if err != nil {
		return err
	}
	defer body.Close()
	if strings.HasPrefix(typ, "application/x-streamed-protobuf") {
		return readFrames(bufio.NewReader(body), each)
	}
	return readWhole(body, each)
}

// readWhole takes an answer of all samples in one message.
func readWhole(body io.Reader, each sinks.Each) error {
	packed, err := web.ReadAll(body, "read", maxAnswer)
	if err != nil {
		return err
	}
	if n, err := snappy.DecodedLen(packed); err == nil && n > 2*maxAnswer {
		return &web.TooLargeError{Doing: "read", Limit: 2 * maxAnswer}
	}
	message, err := snappy.Decode(nil, packed)
	if err != nil {
		return sinks.Never("read", 0, "the answer is no snappy: "+err.Error())
	}
	var answer prompb.ReadResponse
	if err := answer.Unmarshal(message); err != nil {
		return sinks.Never("read", 0, "the answer is none of remote read: "+err.Error())
	}
	for _, result := range answer.Results {
		for _, series := range result.Timeseries {
			of, stat, err := seriesOf(series.Labels)
			if err != nil {
				return err
			}
			for _, sample := range series.Samples {
				if err := each(of, stat, metric.MinuteOf(sample.Timestamp), sample.Value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readFrames takes an answer in pieces: the length of a message, its checksum, the
// message with chunks of one series or more. A series may go on in the next message.
func readFrames(r *bufio.Reader, each sinks.Each) error {
	var message []byte
	for {
		size, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if size > maxFrame {
			return sinks.Never("read", 0, fmt.Sprintf("the answer has a piece of %d bytes, and %d are allowed", size, maxFrame))
		}
		var sum [4]byte
		if _, err := io.ReadFull(r, sum[:]); err != nil {
			return broken(err)
		}
		if cap(message) < int(size) {
			message = make([]byte, size)
		}
		message = message[:size]
		if _, err := io.ReadFull(r, message); err != nil {
			return broken(err)
		}
		if crc32.Checksum(message, castagnoli) != binary.BigEndian.Uint32(sum[:]) {
			return sinks.Again("read", 0, "a piece of the answer has another checksum")
		}
		if err := readFrame(message, each); err != nil {
			return err
		}
	}
}

func broken(err error) error { return sinks.Again("read", 0, "the answer breaks off: "+err.Error()) }

func readFrame(message []byte, each sinks.Each) error {
	var frame prompb.ChunkedReadResponse
	if err := frame.Unmarshal(message); err != nil {
		return sinks.Never("read", 0, "the answer is none of remote read: "+err.Error())
	}
	for _, series := range frame.ChunkedSeries {
		of, stat, err := seriesOf(series.Labels)
		if err != nil {
			return err
		}
		for _, c := range series.Chunks {
			if err := readChunk(of, stat, &c, each); err != nil {
				return err
			}
		}
	}
	return nil
}

func readChunk(of *metric.Series, stat string, c *prompb.Chunk, each sinks.Each) error {
	chunk, err := chunkenc.FromData(chunkenc.Encoding(c.Type), c.Data)
	if err != nil {
		return sinks.Never("read", 0, "the answer has an unknown chunk: "+err.Error())
	}
	it := chunk.Iterator(nil)
	for it.Next() != chunkenc.ValNone {
		ms, v := it.At()
		if err := each(of, stat, metric.MinuteOf(ms), v); err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		return sinks.Again("read", 0, "the answer has a broken chunk: "+err.Error())
	}
	return nil
}

func seriesOf(labels []prompb.Label) (*metric.Series, string, error) {
	series, stat := new(metric.Series), ""
	for _, l := range labels {
		if l.Name == nameLabel {
			stat = strings.TrimPrefix(l.Value, metric.MetricPrefix)
			continue
		}
		if err := series.SetStoreLabel(l.Name, l.Value); err != nil {
			return nil, "", err
		}
	}
	return series, stat, nil
}
