// Package influx keeps figures in InfluxDB by its version 1 API, which later
// versions answer too: one point a figure, in the measurement "pharos", with the
// stats as fields and the series' labels as tags.
package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

// DefaultDatabase is the database where none is named.
const DefaultDatabase = "pharos"

const (
	measurement = "pharos"
	// chunk is how many points a piece of an answer has.
	chunk = 10_000
)

// Options describe a store.
type Options struct {
	web.Options
	Database  string        // "" is DefaultDatabase
	Retention time.Duration // of the database that Init makes
}

// Store is a database. Write and Read may be called at the same time.
type Store struct {
	client    *web.Client
	database  string
	retention time.Duration
}

// Open checks the options. It does not connect yet.
func Open(o Options) (*Store, error) {
	c, err := web.New(o.Options)
	if err != nil {
		return nil, err
	}
	if o.Database == "" {
		o.Database = DefaultDatabase
	}
	return &Store{c, o.Database, o.Retention}, nil
}

// Close lets connections go.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}

// Traits of InfluxDB: the last value stays, at any age.
func (s *Store) Traits() sinks.Traits {
	return sinks.Traits{Batch: 5000, MultiRead: true}
}

// Init makes the database, with its retention; one that is there stays as it is.
func (s *Store) Init(ctx context.Context) (made []string, err error) {
	q := fmt.Sprintf(`CREATE DATABASE "%s"`, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.database))
	if s.retention > 0 {
		q += fmt.Sprintf(" WITH DURATION %ds NAME kept", int64(s.retention/time.Second))
	}
	body, err := s.client.Do(ctx, web.Request{
		Doing: "init", Method: http.MethodPost, Path: "/query", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		Body: []byte(url.Values{"q": {q}}.Encode()),
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if err := readChunks(body, nil, nil); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("the database %s, which keeps points for %s", s.database, s.retention)}, nil
}

// Write stores samples. Where the server refuses some it says so, and has taken the
// others.
func (s *Store) Write(ctx context.Context, samples []metric.Sample) error {
	var lines []byte
	for i := range samples {
		lines = appendLine(lines, &samples[i])
	}
	answer, err := s.client.Do(ctx, web.Request{
		Doing: "write", Method: http.MethodPost, Path: "/write", Body: web.Gzip(lines),
		Query:  url.Values{"db": {s.database}, "precision": {"ms"}},
		Header: map[string]string{"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"},
	})
	if err != nil {
		return err
	}
	return answer.Close()
}

// appendLine appends a sample in line protocol.
func appendLine(dst []byte, s *metric.Sample) []byte {
	dst = append(dst, measurement...)
	for _, l := range s.Series.StoreLabels() {
		dst = append(append(dst, ','), l.Name...)
		dst = append(append(dst, '='), tagValue.Replace(sinks.Quote(l.Value, quoted))...)
	}
	for i, stat := range metric.Stats {
		v, _ := s.Stat(stat)
		dst = append(dst, " ,"[min(i, 1)])
		dst = append(append(dst, stat...), '=')
		dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, sinks.Millis(s.Minute), 10)
	return append(dst, '\n')
}

// tagValue escapes what has a meaning in line protocol.
var tagValue = strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `)

// quoted are characters that line protocol cannot have in a tag: a backslash would
// escape what follows it.
func quoted(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }

// Read gives what the selector takes, series by series, in pieces.
func (s *Store) Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error {
	if sel.From >= sel.To {
		return nil
	}
	body, err := s.client.Do(ctx, web.Request{
		Doing: "read", Read: true, Method: http.MethodPost, Path: "/query",
		Query:  url.Values{"db": {s.database}, "epoch": {"ms"}, "chunked": {"true"}, "chunk_size": {strconv.Itoa(chunk)}},
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		Body:   []byte(url.Values{"q": {query(&sel)}}.Encode()),
	})
	if err != nil {
		return err
	}
	defer body.Close()
	return readChunks(body, sinks.Wanted(&sel), each)
}

// query is InfluxQL. Times are in ns, so minutes are cut to what has them.
func query(sel *metric.Selector) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s FROM %s WHERE time >= %d AND time < %d AND %s = %s", strings.Join(sinks.Wanted(sel), ","), measurement,
		nanos(sel.From), nanos(sel.To), metric.LabelTenant, text(sel.Tenant))
	if sel.Status != "" {
		fmt.Fprintf(&b, " AND %s = %s", metric.LabelStatus, text(sel.Status))
	}
	for _, of := range []struct {
		label  string
		values []string
	}{{metric.LabelExperiment, sel.Experiments}, {metric.LabelPoint, sel.Points}} {
		if len(of.values) == 0 {
			continue
		}
		any := make([]string, len(of.values))
		for i, v := range of.values {
			any[i] = of.label + " = " + text(v)
		}
		fmt.Fprintf(&b, " AND (%s)", strings.Join(any, " OR "))
	}
	b.WriteString(" GROUP BY *")
	return b.String()
}

func nanos(minute int64) int64 {
	const most = math.MaxInt64/60_000_000_000 - 1
	return min(max(minute, -most), most) * 60_000_000_000
}

// text is a string of InfluxQL, of a tag's value as it was written.
func text(v string) string {
	return "'" + literal.Replace(sinks.Quote(v, quoted)) + "'"
}

var literal = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// answer is one piece.
type answer struct {
	Results []struct {
		Series []struct {
			Tags    map[string]string
			Columns []string
			Values  [][]json.Number
		}
		Error string
	}
	Error string
}

func readChunks(body io.Reader, stats []string, each sinks.Each) error {
	d := json.NewDecoder(body)
	d.UseNumber()
	for {
		var a answer
		err := d.Decode(&a)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return sinks.Again("read", 0, "the answer breaks off: "+err.Error())
		}
		if a.Error != "" {
			return sinks.Never("read", 0, a.Error)
		}
		for _, result := range a.Results {
			if missing.MatchString(result.Error) {
				return sinks.Never("read", 0, result.Error+": `pharos store init` makes it")
			}
			if result.Error != "" {
				return sinks.Again("read", 0, result.Error)
			}
			for _, series := range result.Series {
				if err := readSeries(series.Tags, series.Values, stats, each); err != nil {
					return err
				}
			}
		}
	}
}

var missing = regexp.MustCompile(`^database not found`)

// readSeries takes rows of time and the stats.
func readSeries(tags map[string]string, rows [][]json.Number, stats []string, each sinks.Each) error {
	series := new(metric.Series)
	for name, value := range tags {
		if value == "" {
			continue // a tag of other series
		}
		if err := series.SetStoreLabel(name, sinks.Unquote(value)); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if len(row) != 1+len(stats) {
			return sinks.Never("read", 0, fmt.Sprintf("a row has %d values, and %d were asked for", len(row), 1+len(stats)))
		}
		ms, err := row[0].Int64()
		if err != nil {
			return sinks.Never("read", 0, fmt.Sprintf("a row has the time %.30q", row[0]))
		}
		for i, stat := range stats {
			if row[1+i] == "" {
				continue
			}
			v, err := row[1+i].Float64()
			if err != nil {
				return sinks.Never("read", 0, fmt.Sprintf("a row has the value %.30q", row[1+i]))
			}
			if err := each(series, stat, metric.MinuteOf(ms), v); err != nil {
				return err
			}
		}
	}
	return nil
}
