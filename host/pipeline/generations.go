package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// generationRecord is a record of the generations topic: what all hosts of a group
// run. Of two records with one parent the first holds.
type generationRecord struct {
	Number  uint64            `json:"number"`
	Parent  uint64            `json:"parent"`  // 0 of the first
	Config  json.RawMessage   `json:"config"`  // without secrets
	Figures string            `json:"figures"` // digest of what decides the figures
	Rest    string            `json:"rest"`    // digest of the rest of the config
	Plugins map[string]string `json:"plugins"` // digest of each plugin's module or rules, and its data files
}

// record says the generation as the topic holds it.
func (g *Generation) record() (generationRecord, error) {
	digests := g.Config.Digests()
	r := generationRecord{Number: 1, Config: g.Config.JSON(), Figures: digests.Figures, Rest: digests.Rest, Plugins: map[string]string{}}
	for name, p := range g.Config.Plugins.All() {
		digest, err := dataDigest(g.plugins[name].Digest(), p)
		if err != nil {
			return r, fmt.Errorf("plugin %s: %w", name, err)
		}
		r.Plugins[name] = digest
	}
	return r, nil
}

// dataDigest is the digest of a plugin with its data files.
func dataDigest(module string, p *config.Plugin) (string, error) {
	if len(p.Data) == 0 {
		return module, nil
	}
	h := sha256.New()
	fmt.Fprintln(h, module)
	for name, path := range p.Data.All() {
		content, err := os.ReadFile(path.String())
		if err != nil {
			return "", fmt.Errorf("data %s: %w", name, err)
		}
		fmt.Fprintf(h, "%q %x\n", name, sha256.Sum256(content))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// agree finds the generation in force and makes sure that g is it; the first host
// of a group publishes its own. It gives what differs without changing figures.
func (g *Generation) agree(ctx context.Context, k kafka.Config, topic string) (differs string, err error) {
	cl, err := kafka.NewClient(k)
	if err != nil {
		return "", err
	}
	defer cl.Close()
	mine, err := g.record()
	if err != nil {
		return "", err
	}
	for range 2 {
		all, err := readGenerations(ctx, k, cl, topic)
		if err != nil {
			return "", err
		}
		if current := inForce(all); current != nil {
			return g.compare(&mine, current)
		}
		value, err := json.Marshal(mine)
		if err != nil {
			return "", fmt.Errorf("generation: %w", err)
		}
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
			return "", fmt.Errorf("publish the generation to %s: %w", topic, err)
		}
	}
	return "", fmt.Errorf("the generation that was published to %s is not there", topic)
}

// inForce follows the records from the first: of two with one parent the first holds.
func inForce(all []generationRecord) (current *generationRecord) {
	for i := range all {
		parent := uint64(0)
		if current != nil {
			parent = current.Number
		}
		if all[i].Parent == parent && all[i].Number == parent+1 {
			current = &all[i]
		}
	}
	return current
}

// compare tells whether what this host would run is what the group runs.
func (g *Generation) compare(mine, current *generationRecord) (differs string, err error) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(mine.Plugins)) {
		if was, ok := current.Plugins[name]; ok && was != mine.Plugins[name] {
			parts = append(parts, fmt.Sprintf("plugin %s is another (%.19s, was %.19s)", name, mine.Plugins[name], was))
		}
	}
	if mine.Figures != current.Figures {
		parts = append(parts, "sources, plugins, dispatch, session or tenants of the config have changed")
	}
	if len(parts) > 0 {
		return "", fmt.Errorf("this group runs generation %d, and what this host has would give other figures: %s. "+
			"Changing a generation while it runs is not there yet: put it back, or begin anew with another group and topics (or, with the embedded broker, another data directory)",
			current.Number, strings.Join(parts, "; "))
	}
	if mine.Rest != current.Rest {
		return fmt.Sprintf("the config differs from generation %d in what does not change figures", current.Number), nil
	}
	return "", nil
}

// readGenerations reads the whole topic, which is small. A record that is no
// generation is passed over: anybody may have put it there.
func readGenerations(ctx context.Context, k kafka.Config, cl *kgo.Client, topic string) (all []generationRecord, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	bounds, err := kafka.OffsetBounds(ctx, cl, topic)
	if err != nil {
		return nil, err
	}
	tp := kafka.TopicPartition{Topic: topic}
	b := bounds[tp]
	if b.Start > 0 {
		return nil, fmt.Errorf("the first %d records of %s are gone, and with them what this group runs: begin anew with another group and topics, and keep the topic for ever (retention.ms=-1)", b.Start, topic)
	}
	if b.End <= b.Start {
		return nil, nil
	}
	reader, err := kafka.NewReader(k, map[kafka.TopicPartition]int64{tp: b.Start}, kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for next := b.Start; next < b.End; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if r.Attrs.IsControl() {
				return
			}
			var record generationRecord
			if err := json.Unmarshal(r.Value, &record); err != nil {
				k.Logger.Warn("passed over a record that is no generation", "topic", topic, "offset", r.Offset, "error", err)
				return
			}
			all = append(all, record)
		})
	}
	return all, nil
}
