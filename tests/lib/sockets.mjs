// sockets.mjs: a WebSocket as a program or a page has it: what it said and heard, in order.
import WebSocket from 'ws';
import { waitFor } from './wait.mjs';

const WITHIN_MS = 20_000;

// connect(visitor, { headers, origin, path, socket }): open, or an error that has the answer's `status`, `headers` and `body`. socket: of peygir-push
// itself, without nginx.
export function connect(visitor, { headers = {}, origin, path = '/ws', socket } = {}) {
  const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const all = { ...visitor.headers, ...(cookie && { cookie }), ...headers };
  const url = socket ? `ws+unix:${socket}:${path}` : new URL(path, visitor.base.replace(/^http/, 'ws')).href;
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { headers: all, origin, perMessageDeflate: false, autoPong: true });
    const line = new Line(ws);
    ws.on('error', reject);
    ws.on('open', () => resolve(line));
    ws.on('unexpected-response', (request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => reject(Object.assign(new Error(`refused: ${response.statusCode}`), { status: response.statusCode, headers: response.headers, body })));
    });
  });
}

class Line {
  constructor(ws) {
    Object.assign(this, { ws, heard: [], pings: 0, closed: null });
    ws.on('message', (text) => this.heard.push(JSON.parse(text)));
    ws.on('ping', () => this.pings++);
    ws.on('close', (code, reason) => (this.closed = { code, reason: String(reason) }));
  }

  say(message) {
    this.ws.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  // The first thing heard that `condition` likes, as soon as it has come.
  until(condition, what = String(condition)) {
    return waitFor(() => this.heard.find(condition), { timeout: WITHIN_MS, what, now: () => ({ heard: this.heard.slice(-5), closed: this.closed }) });
  }

  // Subscribed, as confirmed.
  async subscribe(...topics) {
    this.say({ subscribe: topics });
    for (const topic of topics) await this.until(({ subscribed }) => subscribed === topic, `${topic} to be confirmed`);
    return this;
  }

  async refusal(topic) {
    this.say({ subscribe: [topic] });
    return this.until(({ refused }) => refused === topic, `${topic} to be refused`);
  }

  // Everything that was said is done: what came before this answer is all that there is.
  async settled(word = `settled-${this.heard.length}-${Math.random()}`) {
    this.say({ ping: word });
    await this.until(({ pong }) => pong === word);
    return this.heard;
  }

  of(topic) {
    return this.heard.filter((message) => message.topic === topic);
  }

  end() {
    return waitFor(() => this.closed, { timeout: WITHIN_MS, what: 'the connection to be closed' });
  }

  close() {
    this.ws.terminate();
  }
}
