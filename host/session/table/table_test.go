package table

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func shardOf(key string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % uint32(n))
}

// model is a table and what it should hold.
type model struct {
	*Table
	want   map[string]string
	shards int
}

func newModel(shards int) *model { return &model{New(shards), map[string]string{}, shards} }

func (m *model) put(t rapid.TB, key, value string) {
	_, has := m.want[key]
	if fresh := m.Put(shardOf(key, m.shards), []byte(key), []byte(value)); fresh == has {
		t.Fatalf("put %q: fresh %v", key, fresh)
	}
	m.want[key] = value
}

func (m *model) remove(key string) {
	m.Delete(shardOf(key, m.shards), []byte(key))
	delete(m.want, key)
}

// sweep changes some values and takes out others, as change says.
func (m *model) sweep(t rapid.TB, shard int, change func(key string) (string, bool)) {
	seen := map[string]bool{}
	m.Sweep(shard, func(key, value []byte) ([]byte, bool) {
		k := string(key)
		if want, has := m.want[k]; !has || want != string(value) || seen[k] || shardOf(k, m.shards) != shard {
			t.Fatalf("sweep shows %q: %q", key, value)
		}
		seen[k] = true
		next, ok := change(k)
		switch {
		case !ok:
			return nil, false
		case next == "":
			delete(m.want, k)
			return nil, true
		}
		m.want[k] = next
		return []byte(next), true
	})
}

func (m *model) check(t rapid.TB) {
	if m.Len() != len(m.want) {
		t.Fatalf("%d entries, want %d", m.Len(), len(m.want))
	}
	for k, want := range m.want {
		if got, ok := m.Get(shardOf(k, m.shards), []byte(k)); !ok || string(got) != want {
			t.Fatalf("get %q: %d bytes %v, want %d", k, len(got), ok, len(want))
		}
	}
	pages := 0
	for i := range m.Table.shards {
		s := &m.Table.shards[i]
		size := 0
		for _, h := range s.heads {
			n := m.pages.size(h)
			if size += n; h != 0 {
				pages += 1 + behind(n)
				if n := behind(n); n > headNumbers {
					pages += ceil(n-headNumbers, listNumbers)
				}
			}
		}
		if size != s.size {
			t.Fatalf("shard %d: %d bytes, said to be %d", i, size, s.size)
		}
	}
	if pages != m.pages.used {
		t.Fatalf("%d pages are used, %d handed out", pages, m.pages.used)
	}
}

// all reads what is frozen to its end.
func all(t rapid.TB, f *Frozen, size int) map[string]string {
	got := map[string]string{}
	for {
		text, err := f.Next(nil, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 {
			return got
		}
		for len(text) > 0 {
			k, v, rest, ok := CutEntry(text)
			if _, has := got[string(k)]; !ok || has {
				t.Fatalf("entry %q: whole %v, twice %v", k, ok, has)
			}
			got[string(k)] = string(v)
			text = rest
		}
	}
}

// Whatever is put, taken out and swept, the table holds what a map holds, and
// what is frozen stays so, read little by little while the table goes on.
func TestPropertyTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.IntRange(1, 4).Draw(t, "shards"))
		defer m.Close()
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("key", rapid.IntRange(0, 200).Draw(t, "key")) })
		value := rapid.Custom(func(t *rapid.T) string {
			n := rapid.SampledFrom([]int{1, 10, 240, 250, 260, 1000, 5000, 11_000, 40_000}).Draw(t, "size")
			return string(bytes.Repeat([]byte{byte(rapid.IntRange('a', 'z').Draw(t, "fill"))}, n+rapid.IntRange(0, 5).Draw(t, "more")))
		})
		var frozen *Frozen
		var want, got map[string]string
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					m.put(t, key.Draw(t, "at"), value.Draw(t, "value"))
				}
			},
			"remove": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					m.remove(key.Draw(t, "at"))
				}
			},
			"sweep": func(t *rapid.T) {
				m.sweep(t, rapid.IntRange(0, m.shards-1).Draw(t, "shard"), func(string) (string, bool) {
					if v := rapid.IntRange(0, 3).Draw(t, "what"); v < 2 {
						return "", v == 0
					}
					return value.Draw(t, "value"), true
				})
			},
			"freeze": func(t *rapid.T) {
				if frozen == nil {
					frozen, want, got = m.Freeze(), maps.Clone(m.want), map[string]string{}
				}
			},
			"read": func(t *rapid.T) {
				if frozen == nil {
					return
				}
				text, err := frozen.Next(nil, rapid.IntRange(1, 20_000).Draw(t, "bytes"))
				if err != nil {
					t.Fatal(err)
				}
				ended := len(text) == 0
				for len(text) > 0 {
					k, v, rest, _ := CutEntry(text)
					got[string(k)] = string(v)
					text = rest
				}
				if !ended {
					return
				}
				if !maps.Equal(got, want) || frozen.Len() != len(want) {
					t.Fatalf("frozen: %d entries, want %d", len(got), len(want))
				}
				if frozen.Kept() != 0 {
					t.Fatalf("%d bytes are kept", frozen.Kept())
				}
				frozen.Close()
				frozen = nil
			},
			"": func(t *rapid.T) { m.check(t) },
		})
		if frozen != nil {
			maps.Copy(got, all(t, frozen, 1000))
			if !maps.Equal(got, want) {
				t.Fatalf("frozen: %d entries, want %d", len(got), len(want))
			}
		}
	})
}

// A table that grew is as large as what it holds once that has gone, and its
// pages serve again.
func TestShrink(t *testing.T) {
	m := newModel(3)
	defer m.Close()
	for i := range 20_000 {
		m.put(t, fmt.Sprint(i), string(make([]byte, 100+i%100)))
	}
	full := m.Memory()
	for i := range 19_990 {
		m.remove(fmt.Sprint(i))
	}
	m.check(t)
	if n := m.Memory(); n > 10*3*pageSize {
		t.Errorf("%d bytes are taken for 10 entries", n)
	}
	for i := range 20_000 {
		if _, has := m.want[fmt.Sprint(i)]; !has {
			m.put(t, fmt.Sprint(i), string(make([]byte, 100+i%100)))
		}
	}
	m.check(t)
	if n := int(m.pages.next) * pageSize; n > full*11/10 {
		t.Errorf("%d bytes were asked for, %d were enough before", n, full)
	}
}

// What is lost to pages and buckets is a few bytes an entry.
func TestOverhead(t *testing.T) {
	m := New(256)
	defer m.Close()
	r := rand.New(rand.NewPCG(1, 2))
	const entries, key = 100_000, 18
	size := 0
	for step := range 3 { // all grow, in a random order
		for _, i := range r.Perm(entries) {
			k := fmt.Appendf(nil, "%0*d", key, i)
			v := make([]byte, 80+50*step+r.IntN(50))
			if m.Put(i%256, k, v); step == 2 {
				size += key + len(v)
			}
		}
	}
	if got := float64(m.Memory())/float64(size) - 1; got > 0.11 {
		t.Errorf("%.1f %% more memory than keys and values", 100*got)
	}
}

// Others may read what is frozen while the table goes on.
func TestFrozenMeanwhile(t *testing.T) {
	m := newModel(8)
	defer m.Close()
	for i := range 5000 {
		m.put(t, fmt.Sprint(i), fmt.Sprintf("%0*d", i%300, i))
	}
	for range 3 {
		f, want := m.Freeze(), maps.Clone(m.want)
		var got map[string]string
		var wait sync.WaitGroup
		wait.Go(func() { got = all(t, f, 500) })
		r := rand.New(rand.NewPCG(3, 4))
		for range 20_000 {
			i := r.IntN(10_000)
			if k := fmt.Sprint(i); r.IntN(2) == 0 {
				m.put(t, k, fmt.Sprintf("%0*d", r.IntN(400), i))
			} else {
				m.remove(k)
			}
		}
		wait.Wait()
		f.Close()
		if !maps.Equal(got, want) {
			t.Fatalf("%d entries, want %d", len(got), len(want))
		}
		m.check(t)
	}
	f := m.Freeze()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Next(nil, 1); err != ErrClosed {
		t.Error(err)
	}
	f.Close()
}

func FuzzCutEntry(f *testing.F) {
	f.Add(appendEntry(appendEntry(nil, []byte("a"), []byte("b")), nil, nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		k, v, rest, ok := CutEntry(text)
		if ok && len(k)+len(v)+len(rest) > len(text)-2 {
			t.Errorf("%d and %d bytes of %d, %d left", len(k), len(v), len(text), len(rest))
		}
	})
}

func BenchmarkGetPut(b *testing.B) {
	for _, n := range []int{5_000, 2_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := New(256)
			defer m.Close()
			key := func(i int) []byte {
				u := uint64(i) * 0x9e3779b97f4a7c15
				return fmt.Appendf(nil, "%016x", u)
			}
			keys := make([][]byte, n)
			for i := range keys {
				keys[i] = key(i)
				m.Put(int(keys[i][0])%256, keys[i], make([]byte, 200))
			}
			r := rand.New(rand.NewPCG(1, 2))
			var value []byte
			b.ReportMetric(float64(m.Memory())/float64(n), "B/entry")
			b.ResetTimer()
			for range b.N {
				k := keys[r.IntN(n)]
				v, _ := m.Get(int(k[0])%256, k)
				value = append(value[:0], v...)
				if len(value) < 215 {
					value = append(value, make([]byte, 12)...)
				} else {
					value = value[:200]
				}
				m.Put(int(k[0])%256, k, value)
			}
		})
	}
}
