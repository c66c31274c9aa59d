// events.mjs: one stream of Server-Sent Events, read as a browser reads it, but seen byte by byte.
import http from 'node:http';
import { waitFor } from './wait.mjs';

export const eventsPath = (hash) => `/api/local-requests/${hash}/events`;

// open(visitor, hash, { lastId, headers, path, method, socket, pause }): the stream as soon as its head is there. Answers that are none keep
// their body. socket: of peygir-push itself, without nginx; pause: nothing is read until stream.response.resume().
export function open(visitor, hash, { lastId, headers = {}, path = eventsPath(hash), method = 'GET', socket, pause } = {}) {
  const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const all = { ...visitor.headers, ...(cookie && { cookie }), ...(lastId !== undefined && { 'last-event-id': String(lastId) }), ...headers };
  return new Promise((resolve, reject) => {
    const where = socket ? { socketPath: socket, path } : { host: '127.0.0.1', port: new URL(visitor.base).port, path };
    const request = http.request({ ...where, method, headers: all, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      resolve(new Stream(request, response));
      if (pause) response.pause();
    });
    request.end();
  });
}

class Stream {
  constructor(request, response) {
    Object.assign(this, { request, response, status: response.statusCode, headers: response.headers, text: '', rest: '', events: [], pings: 0, ended: false });
    response.setEncoding('utf8');
    response.on('data', (chunk) => this.take(chunk));
    response.on('error', () => {});
    this.end = new Promise((resolve) => {
      response.on('close', () => {
        this.ended = true;
        resolve(this);
      });
    });
  }

  take(chunk) {
    this.text += chunk;
    const blocks = (this.rest + chunk).split('\n\n');
    this.rest = blocks.pop();
    for (const block of blocks) {
      const [, id, event, data] = block.match(/^id: (.*)\nevent: (.*)\ndata: (.*)$/) ?? [];
      if (data) this.events.push({ id: Number(id), event, data: JSON.parse(data) });
      if (block === ': ping') this.pings++;
    }
  }

  get ids() {
    return this.events.map(({ id }) => id);
  }

  get last() {
    return this.events.at(-1)?.data;
  }

  // The first event that `condition` likes, as soon as it has come.
  until(condition, what = String(condition)) {
    const find = () => this.events.find(({ data, id }) => condition(data, id));
    return waitFor(find, { timeout: 20_000, what: `an event: ${what}`, now: () => ({ ids: this.ids, ended: this.ended }) });
  }

  close() {
    this.request.destroy();
  }
}
