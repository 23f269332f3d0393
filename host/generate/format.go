package generate

import (
	"fmt"
	"net/url"
	"strconv"
)

var types = [...]string{view: "view", cart: "cart", purchase: "purchase"}

// beacon writes the next beacon of a session in the generator's format.
func (g *Generator) beacon(v *visit) []byte {
	g.n++
	switch g.o.Format {
	case "clf":
		return g.clf(v)
	case "query":
		return g.query(v)
	}
	b := make([]byte, 0, 640)
	b = append(b, `{"id":"g-`...)
	b = strconv.AppendInt(b, int64(g.n), 10)
	b = append(b, `","ts":`...)
	b = strconv.AppendInt(b, v.next.UnixMilli(), 10)
	b = append(b, `,"tenant":"`+g.o.Tenant+`","sid":"`+v.sid+`","type":"`+types[v.stage]+`","visitor":"`+v.visitor...)
	b = append(b, `","platform":"`+agents[v.agent].platform+`","headers":{"ua":"`+agents[v.agent].agent+`"},"exp":`...)
	b = g.assignments(b, v)
	b = append(b, `,"product":{"id":"`...)
	b = strconv.AppendInt(b, int64(v.product), 10)
	b = append(b, `","brand":"`+brands[v.product%len(brands)]+`","price":`...)
	b = strconv.AppendFloat(b, v.price, 'f', -1, 64)
	return append(b, `}}`...)
}

func (g *Generator) assignments(b []byte, v *visit) []byte {
	b = append(b, '[')
	for i, e := range experiments {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":"`+e.id+`","variant":"`+e.variants[v.variants[i]]+`"}`...)
	}
	return append(b, ']')
}

func (g *Generator) query(v *visit) []byte {
	q := url.Values{
		"id": {"g-" + strconv.Itoa(g.n)}, "ts": {strconv.FormatInt(v.next.UnixMilli(), 10)}, "tenant": {g.o.Tenant},
		"sid": {v.sid}, "type": {types[v.stage]}, "visitor": {v.visitor}, "platform": {agents[v.agent].platform},
		"ua": {agents[v.agent].agent}, "exp": {string(g.assignments(nil, v))},
		"product": {fmt.Sprintf(`{"id":"%d","price":%v}`, v.product, v.price)},
	}
	return []byte(q.Encode())
}

// clf writes the beacon as a line of a web server's log.
func (g *Generator) clf(v *visit) []byte {
	path := [...]string{view: "/product/", cart: "/cart/", purchase: "/order/"}[v.stage]
	n, _ := strconv.Atoi(v.visitor)
	return fmt.Appendf(nil, `10.%d.%d.%d - - [%s] "GET %s%d HTTP/1.1" 200 %d "-" "%s"`, n>>16&255, n>>8&255, n&255,
		v.next.UTC().Format("02/Jan/2006:15:04:05 -0700"), path, v.product, 500+v.product, agents[v.agent].agent)
}
