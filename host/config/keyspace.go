package config

import "time"

// Store keeps final minutes.
type Store struct {
	Type      string        `key:"type" required:"true" enum:"embedded|m3|kairosdb|elasticsearch|prometheus|victoria|influx" doc:"What it is (docs/stores.md). elasticsearch is OpenSearch too; prometheus is whatever takes its remote write and answers its remote read." example:"m3"`
	Dir       Path          `key:"dir" absent:"the directory tsdb below data" doc:"Of type embedded: its directory." example:"data/tsdb"`
	URL       string        `key:"url" absent:"of type embedded" doc:"Of the other types: its address." example:"http://localhost:7201"`
	User      string        `key:"user" absent:"no log-in" doc:"User of a log-in with a password." example:"pharos"`
	Password  Secret        `key:"password" doc:"The user's password." example:"${M3_PASSWORD}"`
	Token     Secret        `key:"token" absent:"no log-in" doc:"Bearer token, instead of a user." example:"${M3_TOKEN}"`
	TLS       *ClientTLS    `key:"tls" absent:"the system's roots" doc:"TLS to an https:// address."`
	Database  string        `key:"database" absent:"pharos" doc:"Of type influx: the database." example:"metrics"`
	Index     string        `key:"index" absent:"pharos" doc:"Of type elasticsearch: the beginning of the names of its indices, of one a day." example:"figures"`
	Retention time.Duration `key:"retention" default:"30d" min:"1h" doc:"How long minutes are kept. Of m3, prometheus and victoria it says what the store has been told: what is older by the clock is not sent, since they would lose or refuse it." example:"90d"`
}

// Keyspace is what clients see of one tenant.
type Keyspace struct {
	Tenant      string       `key:"tenant" required:"true" doc:"Whose figures." example:"shop"`
	Store       string       `key:"store" absent:"the store, if there is one only" doc:"The store that is read; clients never know which." example:"local"`
	ShadowStore string       `key:"shadow_store" notyet:"a keyspace reads one store" doc:"A store that is read beside it and compared."`
	Timezone    string       `key:"timezone" default:"UTC" doc:"IANA name of the zone in which days begin." example:"America/Chicago"`
	Metrics     Map[Metric]  `key:"metrics" doc:"Names for figures."`
	Formulas    Map[Formula] `key:"formulas" doc:"Expressions over metrics and other formulas, shown in this order."`
}

// Metric selects figures.
type Metric struct {
	Point      string      `key:"point" required:"true" doc:"A measurement point, or visit, crossover, or a pair a*b." example:"order"`
	Stat       string      `key:"stat" required:"true" enum:"hits|sum|sessions|sumsq" doc:"Which of its figures." example:"sessions"`
	Dimensions Map[string] `key:"dimensions" doc:"Only figures whose dimensions have these values." example:"ios"`
	Attributes Map[string] `key:"attributes" doc:"What is booked with attributes, where these have these values." example:"hero"`
}

// Formula computes a chart.
type Formula struct {
	Expr        Expr         `key:"expr" required:"true" doc:"The expression; metrics are summed first, then it is computed." example:"orders / visitors"`
	Title       string       `key:"title" absent:"the formula's name" doc:"The chart's title." example:"Conversion"`
	Description string       `key:"description" doc:"What it means." example:"Orders per session"`
	Format      string       `key:"format" default:"number" enum:"number|percent|currency|duration" doc:"How values are shown; a duration is in seconds." example:"percent"`
	Currency    string       `key:"currency" doc:"ISO 4217 code, with format: currency." example:"USD"`
	Better      string       `key:"better" absent:"neither" enum:"up|down" doc:"Which way is good." example:"up"`
	Params      Map[float64] `key:"params" doc:"Parameters that a request may set, with their defaults." example:"1.5"`
	Guardrail   Free         `key:"guardrail" notyet:"nothing watches formulas" doc:"When to raise an alarm or halt."`
}
