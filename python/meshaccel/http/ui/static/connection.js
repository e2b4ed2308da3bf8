// Keeps the page at the registry's present: a listing, then the stream of changes after it.

import * as api from "./api.js";

const SILENCE_MS = 90_000; // the stream says every 30 s that nothing happened
const LONGEST_WAIT_MS = 4000;
const GATHER_MS = 200;
const RETRY_MS = 5000;
const LASTING_MS = 1000; // a stream that ends before is as good as none

/**
 * The stream says who changed; who serves whom is the listing's to say, and it is read again after
 * changes, the less often the longer that takes.
 */
export class Connection {
  #told;
  #position = null;
  #failures = 0;
  #silence;
  #loading = null;
  #soon = null;
  #loadMs = 0;

  /** `told` has the methods `state(name)`, `agents(list)`, `changes(answer)` and `anew(position)`. */
  constructor(told) {
    this.#told = told;
  }

  async connect() {
    try {
      const { epoch, revision } = await api.digest();
      const held = this.#position;
      if (held?.epoch !== epoch || held.revision > revision) {
        this.#position = { epoch, revision };
        this.#told.anew(this.#position, held);
      }
      await this.#load();
      this.#listen();
    } catch (error) {
      this.#again(error);
    }
  }

  #listen() {
    let opened = null;
    const stream = new EventSource(api.changesUrl(this.#position));
    const end = (error) => {
      clearTimeout(this.#silence);
      stream.close();
      // Refused at once, it may be that the way from our position is forgotten.
      if (opened === null) this.#position = null;
      else if (performance.now() - opened >= LASTING_MS) this.#failures = 0;
      this.#again(error);
    };
    const alive = () => {
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => end(new Error("the stream is silent")), SILENCE_MS);
    };
    stream.addEventListener("open", () => {
      opened = performance.now();
      this.#told.state("connected");
      alive();
    });
    stream.addEventListener("changes", (event) => {
      alive();
      const answer = JSON.parse(event.data);
      this.#position = { epoch: answer.epoch, revision: answer.to };
      if (!answer.items?.length) return;
      this.#told.changes(answer);
      this.reload();
    });
    stream.addEventListener("gone", () => {
      this.#position = null;
      end(new Error("the registry's history began anew"));
    });
    stream.addEventListener("error", () => end(new Error("the stream ended")));
  }

  #again(error) {
    // A stream ends now and then: only if the next one does not begin is there something to say.
    const patience = this.#failures === 0 ? 0 : 250 * 2 ** this.#failures;
    if (this.#failures > 0) this.#told.state("reconnecting", error);
    this.#failures += 1;
    const wait = Math.min(patience, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    setTimeout(() => this.connect(), wait);
  }

  /** Read the listing again, soon. */
  reload(wait = Math.max(GATHER_MS, 4 * this.#loadMs)) {
    if (this.#soon) return;
    this.#soon = setTimeout(() => {
      this.#soon = null;
      this.#load().catch(() => this.reload(RETRY_MS));
    }, wait);
  }

  /** Read the listing; whoever asks meanwhile waits for one that begins after this one. */
  async #load() {
    while (this.#loading) await this.#loading.catch(() => {});
    const begun = performance.now();
    this.#loading = api.agents();
    try {
      this.#told.agents(await this.#loading);
    } finally {
      this.#loading = null;
      this.#loadMs = performance.now() - begun;
    }
  }
}
