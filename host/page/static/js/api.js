// The HTTP API. Addresses are relative, so the page works below any prefix.

// Problem is an error as people should see it: what is wrong, what to do.
export class Problem extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Problem("The host does not answer.", "Is it still running? The page goes on trying.");
  }
  let body;
  try {
    body = await response.json();
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Problem(`The host answered ${response.status} without JSON.`, "Is a proxy in between?");
  }
  if (!response.ok) throw new Problem(body.error ?? `The host answered ${response.status}.`, body.hint ?? "");
  return body;
}

export const keyspaces = (signal) => call("api/v1/keyspaces", { signal });
export const status = (signal) => call("api/v1/status", { signal });
export const query = (keyspace, request, signal) =>
  call(`api/v1/${encodeURIComponent(keyspace)}/query`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request), signal });
