// Poller asks again and again while the page is seen, one request at a time.
export class Poller {
  #timer = 0;
  #request = null;
  #stopped = true;

  // work(signal) is one request with what follows of it; it may return a
  // number of ms to wait at least.
  constructor(work, every) {
    this.work = work;
    this.every = every;
    document.addEventListener("visibilitychange", () => {
      if (!this.#stopped && !document.hidden) this.restart();
    });
  }

  // restart gives up a request that is under way and asks at once.
  restart() {
    this.stop();
    this.#stopped = false;
    this.#turn();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
  }

  async #turn() {
    const request = (this.#request = new AbortController());
    const began = performance.now();
    let least = 0;
    try {
      least = (await this.work(request.signal)) ?? 0;
    } catch (e) {
      if (e.name !== "AbortError") throw e;
    }
    if (this.#request !== request) return;
    this.#request = null;
    if (document.hidden) return;
    // a slow answer is not asked for all the time
    const took = performance.now() - began;
    this.#timer = setTimeout(() => this.#turn(), Math.max(this.every, least, 4 * took));
  }
}
