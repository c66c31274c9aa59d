// ear.js: what Redis says of requests, on one connection for all who listen.
import { keysOf } from './document.js';

const PREFIX = keysOf('').updates;

export class Ear {
  #client;
  #open;
  #listeners = new Map(); // hash: functions

  /** `open` makes the connection, at the first listener. */
  constructor(open) {
    this.#open = open;
  }

  /** fn(text) at each message about the request, and fn(null) when some may have been missed; resolves to what ends that. */
  async listen(hash, fn) {
    const client = this.#connection(), channel = PREFIX + hash;
    const first = !this.#listeners.has(hash);
    const list = this.#listeners.get(hash) ?? new Set();
    this.#listeners.set(hash, list.add(fn));
    const stop = () => {
      if (!list.delete(fn) || list.size > 0) return;
      this.#listeners.delete(hash);
      client.unsubscribe(channel).catch(() => {});
    };
    try {
      if (first) list.subscribed = client.subscribe(channel);
      await list.subscribed;
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  close() {
    this.#client?.disconnect();
    this.#client = undefined;
  }

  // Whatever was said before it listens again was not heard.
  #hearAgain(client) {
    const channels = [...this.#listeners.keys()].map((hash) => PREFIX + hash);
    if (channels.length === 0) return;
    client.subscribe(...channels).then(() => this.#listeners.forEach((list) => list.forEach((fn) => fn(null))), () => {});
  }

  #connection() {
    if (this.#client) return this.#client;
    const client = this.#open();
    this.#client = client;
    client.on('error', () => {}); // ioredis connects and subscribes again by itself
    client.on('message', (channel, text) => this.#listeners.get(channel.slice(PREFIX.length))?.forEach((fn) => fn(text)));
    client.on('ready', () => this.#hearAgain(client));
    return client;
  }
}
