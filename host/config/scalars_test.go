package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "30m": 30 * time.Minute, "30d": 720 * time.Hour, "1h30m": 90 * time.Minute,
		"500ms": 500 * time.Millisecond, "1d2h3m4s5ms": 26*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Millisecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "m", "1.5h", "-1m", "1 m", "1w", "106752d", "99999999999999999999s", "106751d24h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1<<43).Draw(t, "ms")) * time.Millisecond
		if got, err := ParseDuration(FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%s: %v, %v", FormatDuration(d), got, err)
		}
	})
}

// decodeAs reads one value as the file would.
func decodeAs[T any](text string, env map[string]string) (T, *Config, Faults) {
	var v T
	lookup := func(name string) (string, bool) { s, ok := env[name]; return s, ok }
	d := &decoder{parser: &parser{}, main: &file{name: "x", dir: "testdata"}, env: lookup, at: positions{}, cfg: &Config{}}
	if n := d.parse(&file{name: "x", dir: "testdata", text: []byte(text)}); n != nil {
		any(&v).(decodable).decode(d, n, keyPath{"k"})
	}
	return v, d.cfg, d.faults
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"16MiB": 16 << 20, "64KiB": 64 << 10, "1GiB": 1 << 30, "2TiB": 2 << 40, "12": 12, "0": 0, "16 MiB": 16 << 20} {
		got, _, faults := decodeAs[Size](text, nil)
		if len(faults) > 0 || got != want {
			t.Errorf("%q: %d, %v", text, got, faults)
		}
		again, _, _ := decodeAs[Size](got.String(), nil)
		if again != got {
			t.Errorf("%q became %s", text, got)
		}
	}
	for _, text := range []string{"16MB", "-1", "1.5GiB", "x", "9999999TiB", "9999999999999999999", "[1]", "MiB"} {
		if got, _, faults := decodeAs[Size](text, nil); len(faults) != 1 {
			t.Errorf("%q: %d, %v", text, got, faults)
		}
	}
}

func TestTime(t *testing.T) {
	for text, want := range map[string]int64{
		"1970-01-01T00:00:00Z": 0, "2026-01-01T00:00:00.0019Z": 1767225600001,
		"2026-01-01T01:00:00+01:00": 1767225600000, "9999-12-31T23:59:59.999Z": endOfTime - 1,
	} {
		got, _, faults := decodeAs[Time](text, nil)
		if len(faults) > 0 || got != (Time{want, true}) {
			t.Errorf("%q: %+v, %v", text, got, faults)
		}
		if again, _, _ := decodeAs[Time](got.String(), nil); again != got {
			t.Errorf("%q became %s", text, got)
		}
	}
	for _, text := range []string{"2026-01-01", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1767225600", "9999-12-31T23:59:59-01:00"} {
		if got, _, faults := decodeAs[Time](text, nil); len(faults) != 1 {
			t.Errorf("%q: %+v, %v", text, got, faults)
		}
	}
}

func TestFree(t *testing.T) {
	for text, want := range map[string]string{
		`{b: [1e400, .5, 0o17, -.inf], a: {}}`:           "",
		`[.5, 0o17, 1_000]`:                              `[0.5,15,1000]`,
		`{b: [1, 1.50, 0x1F, 12345678901234567890123]}`:  `{"b":[1,1.50,31,12345678901234567890123]}`,
		`{b: yes, a: true, c: ~, d: "1", e: 2026-01-01}`: `{"b":"yes","a":true,"c":null,"d":"1","e":"2026-01-01"}`,
		`{b: "${X}", "${X}": $${X}}`:                     `{"b":"it's","${X}":"${X}"}`,
		`"\"\\ü\u2028\x7f"`:                              `"\"\\ü\u2028\u007f"`,
		`.inf`:                                           "",
		`01`:                                             `1`,
	} {
		got, _, faults := decodeAs[Free](text, map[string]string{"X": "it's"})
		if want == "" {
			if len(faults) != 1 {
				t.Errorf("%s: %s, %v", text, got, faults)
			}
			continue
		}
		if len(faults) > 0 || string(got) != want {
			t.Errorf("%s: %s, %v", text, got, faults)
		}
	}
}
