// Numbers and times as people read them.

const cache = new Map();
function once(key, make) {
  if (!cache.has(key)) cache.set(key, make());
  return cache.get(key);
}
const numberFormat = (options) => once(JSON.stringify(options), () => new Intl.NumberFormat("en", options));
const dateFormat = (zone, options) => once(zone + JSON.stringify(options), () => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }));

// digits gives as many decimals as a number of this size needs.
function digits(v, most) {
  const size = Math.abs(v);
  if (Number.isInteger(v)) return 0;
  if (size >= 100) return Math.min(1, most);
  return Math.min(most, Math.max(0, 2 - Math.floor(Math.log10(size))));
}

export function duration(seconds) {
  const s = Math.abs(seconds), sign = seconds < 0 ? "−" : "";
  if (s < 1) return sign + numberFormat({ maximumFractionDigits: 0 }).format(s * 1000) + " ms";
  if (s < 60) return sign + numberFormat({ maximumFractionDigits: s < 10 ? 1 : 0 }).format(s) + " s";
  if (s < 3600) return sign + Math.floor(s / 60) + " m " + String(Math.floor(s % 60)).padStart(2, "0") + " s";
  if (s < 172800) return sign + Math.floor(s / 3600) + " h " + String(Math.floor(s % 3600 / 60)).padStart(2, "0") + " m";
  if (s < 63072000) return sign + Math.floor(s / 86400) + " days";
  return sign + numberFormat({ maximumFractionDigits: 1 }).format(s / 31557600) + " years";
}

// value writes a formula's value by its metadata; short is for an axis.
export function value(v, meta, short = false) {
  if (v == null) return "–";
  const large = Math.abs(v) >= (short ? 1e4 : 1e7);
  const compact = large ? { notation: "compact", maximumFractionDigits: short ? 1 : 2 } : null;
  switch (meta.format) {
    case "percent": {
      const p = digits(v * 100, 2);
      return numberFormat({ style: "percent", minimumFractionDigits: short ? 0 : p, maximumFractionDigits: p }).format(v);
    }
    case "currency": {
      const whole = short && Number.isInteger(v) || Math.abs(v) >= 1e4;
      return numberFormat({ style: "currency", currency: meta.currency, ...(compact ?? (whole ? { maximumFractionDigits: 0 } : {})) }).format(v);
    }
    case "duration":
      return duration(v);
  }
  const d = digits(v, 3);
  return numberFormat(compact ?? { minimumFractionDigits: short ? 0 : d, maximumFractionDigits: d }).format(v);
}

// difference writes b relative to a; null where it cannot be told.
export function difference(a, b) {
  if (a == null || b == null || a === 0) return null;
  const r = (b - a) / Math.abs(a);
  return { ratio: r, text: numberFormat({ style: "percent", signDisplay: "exceptZero", maximumFractionDigits: Math.abs(r) < 0.1 ? 2 : Math.abs(r) < 1 ? 1 : 0 }).format(r) };
}

export const integer = (v) => (v == null ? "–" : numberFormat({ maximumFractionDigits: 0 }).format(v));

const year = (ms, zone) => dateFormat(zone, { year: "numeric" }).format(ms);
const sameDay = (ms, zone) => date(ms, zone) === date(Date.now(), zone);

export const time = (ms, zone) => dateFormat(zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
export const second = (ms, zone) => dateFormat(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" }).format(ms);
export const date = (ms, zone) => dateFormat(zone, { day: "numeric", month: "short", ...(year(ms, zone) === year(Date.now(), zone) ? {} : { year: "numeric" }) }).format(ms);

// moment is a time with its date unless that is today's.
export const moment = (ms, zone) => (sameDay(ms, zone) ? time(ms, zone) : date(ms, zone) + ", " + time(ms, zone));

// zoneName is the zone's name as of a time, such as CST.
const zoneFormat = (zone) => once("zone " + zone, () => new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "short" }));
export const zoneName = (ms, zone) => zoneFormat(zone).formatToParts(ms).find((p) => p.type === "timeZoneName").value;
