// What the page shows stands in its address, so it can be kept and sent.

export const ranges = [
  ["15m", "15m", "The last 15 minutes"],
  ["1h", "1h", "The last hour"],
  ["6h", "6h", "The last 6 hours"],
  ["24h", "24h", "The last 24 hours"],
  ["7d", "7d", "The last 7 days"],
  ["all", "All", "From the first figure on"],
];

const known = { tab: ["experiments", "operator"], range: [...ranges.map(([key]) => key), "custom"], status: ["assigned", "qualified"] };
const fallback = { tab: "experiments", keyspace: "", experiment: "", range: "1h", status: "assigned", from: "", to: "" };

export function read() {
  const p = new URLSearchParams(location.search);
  const view = { ...fallback };
  for (const name of Object.keys(view)) {
    const v = p.get(name);
    if (v != null && (!known[name] || known[name].includes(v))) view[name] = v;
  }
  const from = Number(view.from), to = Number(view.to);
  if (view.range === "custom" && !(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from < to)) view.range = fallback.range;
  if (view.range !== "custom") view.from = view.to = "";
  return view;
}

// write sets the address; push makes a step that the browser's Back undoes.
export function write(view, push) {
  const p = new URLSearchParams();
  for (const [name, v] of Object.entries(view)) if (v !== fallback[name]) p.set(name, v);
  const search = p.toString();
  const url = location.pathname + (search && "?" + search);
  if (url === location.pathname + location.search) return;
  history[push ? "pushState" : "replaceState"](null, "", url);
}
