// Something that is done again and again while somebody looks.

/** Does some work at once, and so many milliseconds after it was done, but not in a hidden tab. */
export class Poller {
  #waits = false;

  constructor(everyMs, work) {
    this.everyMs = everyMs;
    this.work = work;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#waits) this.start();
    });
  }

  /** `work` must not fail. */
  async start() {
    this.#waits = false;
    await this.work();
    if (document.hidden) this.#waits = true;
    else setTimeout(() => this.start(), this.everyMs);
  }
}
