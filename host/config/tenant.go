package config

// Tenant owns beacons and runs experiments.
type Tenant struct {
	Extract     string          `key:"extract" absent:"only visits are counted" doc:"The plugin that turns beacons into measurements." example:"shop-points"`
	Filters     []string        `key:"filters" doc:"Plugins that drop beacons of this tenant, after dispatch's own." example:"[shop-internal]"`
	PluginKeys  []string        `key:"plugin_keys" absent:"no signature is wanted" doc:"One of these keys must have signed each module of the tenant: extractor and filters." example:"[shop]"`
	AllTraffic  bool            `key:"all_traffic" default:"false" doc:"Count all sessions too, as the experiment _all." example:"true"`
	Pairs       []Pair          `key:"pairs" doc:"Pairs of points whose product is summed, for the statistics of ratios." example:"[[revenue, order]]"`
	SeriesLimit int64           `key:"series_limit" default:"200000" min:"1" doc:"How many series the tenant may have. It is not enforced yet; it changes no figure." example:"50000"`
	Unit        string          `key:"unit" notyet:"clusters of sessions are not counted" doc:"What the tenant's experiments are about, if not the session."`
	Dimensions  Map[Dimension]  `key:"dimensions" doc:"What figures are split by, by name: read from a session's first beacon."`
	Layers      Map[Layer]      `key:"layers" doc:"Layers by name: experiments of one layer share no unit."`
	Experiments Map[Experiment] `key:"experiments" doc:"The experiments by id."`
}

// Dimension splits figures by what a session's first beacon holds at a path.
type Dimension struct {
	Path    string   `key:"path" required:"true" doc:"Where the beacon holds it." example:"platform"`
	Values  []string `key:"values" absent:"any, up to the limit" doc:"The values that are told apart; any other is _other." example:"[web, ios, android]"`
	Default string   `key:"default" absent:"the empty string" doc:"What holds where the beacon has none." example:"web"`
	Limit   int      `key:"limit" default:"100" min:"1" max:"100000" doc:"Without values: how many are told apart, a partition; any beyond is _other." example:"500"`
}

// Layer keeps experiments apart.
type Layer struct {
	Salt string `key:"salt" absent:"the layer's name" doc:"Hashed before the unit." example:"c-2026"`
}

// Experiment compares variants.
type Experiment struct {
	Assign    string  `key:"assign" absent:"beacons carry the assignments" enum:"hash" doc:"hash: Pharos assigns." example:"hash"`
	Salt      string  `key:"salt" absent:"the experiment's id" doc:"With assign: hash, hashed before the unit." example:"aa-2026"`
	Unit      string  `key:"unit" absent:"the session id" doc:"With assign: hash, the path of what is hashed." example:"visitor"`
	Layer     string  `key:"layer" doc:"With assign: hash, one of the tenant's layers." example:"checkout"`
	Buckets   *Range  `key:"buckets" absent:"all of the layer" doc:"The part of the layer's 10,000 buckets, from and up to (not included)." example:"[0, 3000]"`
	Variants  Shares  `key:"variants" required:"true" doc:"The variants and their whole-number weights; their order counts." example:"{control: 1, blue: 1}"`
	Qualify   string  `key:"qualify" absent:"assignment qualifies" doc:"The point whose first measurement qualifies a session." example:"item_page"`
	Crossover string  `key:"crossover" default:"keep" enum:"keep|exclude" doc:"What becomes of a session that shows a second variant: it stays in its first, or is taken out." example:"exclude"`
	Start     Time    `key:"start" absent:"no bound" doc:"Assignments begin, in event time." example:"2026-01-01T00:00:00Z"`
	End       Time    `key:"end" absent:"no bound" doc:"Assignments end, not included." example:"2026-02-01T00:00:00Z"`
	Phases    []Phase `key:"phases" doc:"Changed shares while the experiment runs, ascending in time."`
}

// Phase changes shares from a time on; what it does not give stays.
type Phase struct {
	From     Time   `key:"from" required:"true" doc:"Event time from which it holds." example:"2026-01-08T00:00:00Z"`
	Variants Shares `key:"variants" absent:"as before" doc:"The same variants with other weights." example:"{control: 1, blue: 3}"`
	Buckets  *Range `key:"buckets" absent:"as before" doc:"Another part of the layer." example:"[0, 6000]"`
}
