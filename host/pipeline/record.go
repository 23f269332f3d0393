package pipeline

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// recordFormat is the version of the records of the generations topic.
const recordFormat = 1

// generationRecord is a record of the generations topic: what all hosts of a group
// run. Of two records with one parent the first holds. The config has no secrets,
// and names modules, data files and lists by their digests, so that any host of the group
// can build from it what every other host has.
type generationRecord struct {
	Format  int               `json:"format"`
	ID      string            `json:"id"` // random: whose record holds, where two are like each other
	Number  uint64            `json:"number"`
	Parent  uint64            `json:"parent"` // 0 of the first
	Host    string            `json:"host"`   // that published it
	Time    int64             `json:"time"`   // when, epoch ms
	Config  json.RawMessage   `json:"config"`
	Figures string            `json:"figures"` // digest of what decides the figures
	Rest    string            `json:"rest"`    // digest of the rest of the config
	Plugins map[string]string `json:"plugins"` // digest of each plugin: its module and its data files, or its rules and their lists
	Routes  []route           `json:"routes"`
	// Origins say where modules were fetched from, for people; of files nothing.
	Origins map[string]string `json:"origins,omitempty"`
	// Rollouts say of each plugin which of its versions decides; none in a record of
	// a build that knew none.
	Rollouts map[string]rollout.State `json:"rollouts,omitempty"`
	Bucket   string                   `json:"bucket,omitempty"` // id of the bucket of snapshots (snapshot.Store.ID), as of the first
}

// maxRecordBytes bounds a record: a config file's size and a bit.
const maxRecordBytes = config.MaxFileBytes + 1<<20

// newRecord is the record of a packed config that follows another generation.
func newRecord(cfg *config.Config, parent uint64, routes []route, host string, now time.Time) (*generationRecord, error) {
	digests := cfg.Digests()
	r := &generationRecord{
		Format: recordFormat, ID: rand.Text(), Number: parent + 1, Parent: parent, Host: host, Time: now.UnixMilli(),
		Config: cfg.Shared(), Figures: digests.Figures, Rest: digests.Rest, Plugins: map[string]string{}, Routes: routes,
	}
	if len(r.Config) > config.MaxFileBytes {
		return nil, fmt.Errorf("the config has %d bytes when its files are put together, and a generation has at most %d", len(r.Config), config.MaxFileBytes)
	}
	for name, p := range cfg.Plugins.All() {
		what, err := json.Marshal(pluginSpec(cfg, name, p))
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		sum := sha256.Sum256(what)
		r.Plugins[name] = "sha256:" + hex.EncodeToString(sum[:])
	}
	return r, nil
}

// encode writes the record so that the config in it stays as it is, byte by byte.
func (r *generationRecord) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("generation %d: %w", r.Number, err)
	}
	if b.Len() > maxRecordBytes {
		return nil, fmt.Errorf("the config, together with the versions before of its plugins, has %d bytes, and a generation has at most %d: give fewer plugins with rules a new version at a time", b.Len(), maxRecordBytes)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// parseRecord reads a record. One of another format is an error that names it.
func parseRecord(value []byte) (*generationRecord, error) {
	if len(value) > maxRecordBytes {
		return nil, fmt.Errorf("it has %d bytes, a generation at most %d", len(value), maxRecordBytes)
	}
	var r generationRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("it is no generation: %w", err)
	}
	if r.Number == 0 || len(r.Config) == 0 {
		return nil, fmt.Errorf("it is no generation: it has no number or no config")
	}
	if r.Format != recordFormat {
		return nil, &formatError{r.Format, r.Number, r.Parent}
	}
	for _, route := range r.Routes {
		for t := &route.routeTopic; t != nil; t = t.Replaces {
			if t.Topic == "" || t.Partitions < 1 {
				return nil, fmt.Errorf("it is no generation: its route %q has no topic or no partitions", route.Name)
			}
		}
	}
	return &r, nil
}

// formatError tells of a record that another build of Pharos has written.
type formatError struct {
	format         int
	number, parent uint64
}

func (e *formatError) Error() string {
	return fmt.Sprintf("a generation of format %d, and this build of Pharos knows format %d only: run the build that wrote it, or begin anew with another group and topics (or, with the embedded broker, another data directory)", e.format, recordFormat)
}

// parse reads the record's config; modules, data files and lists lie below dir.
func (r *generationRecord) parse(dir string) (*config.Config, error) {
	cfg, err := config.Parse(fmt.Sprintf("generation %d", r.Number), dir, r.Config)
	if err != nil {
		return nil, fmt.Errorf("generation %d: %w", r.Number, err)
	}
	return cfg, nil
}
