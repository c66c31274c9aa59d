// bot.mjs: a bot whose every answer a test decides. `bot.on(slug, handler)`; a handler gets the call and answers with
// call.reply(value), call.send(status, headers, bytes), or in any worse way through call.res and call.socket.
import http from 'node:http';
import { once } from 'node:events';

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

class Call {
  constructor(req, res, body) {
    this.req = req;
    this.res = res;
    this.socket = req.socket;
    this.path = req.url;
    this.headers = req.headers;
    this.text = body;
    this.data = parsed(body || '{}');
    this.at = performance.now();
    this.closed = new Promise((resolve) => res.once('close', () => resolve(performance.now())));
  }

  get hash() {
    return this.data?.requestHash;
  }

  reply(value, status = 200) {
    this.send(status, { 'content-type': 'application/json' }, JSON.stringify(value));
  }

  send(status, headers, bytes) {
    this.res.writeHead(status, headers);
    this.res.end(bytes);
  }

  success(data) {
    this.reply({ status: 'success', data });
  }

  error(code, { message = `it said ${code}`, retryable = false } = {}) {
    this.reply({ status: 'error', code, message, retryable });
  }

  smsSent(otp = {}) {
    this.reply({ status: 'success', code: 'SMS_SENT', otp });
  }
}

export class Bot {
  constructor() {
    this.calls = [];
    this.handlers = new Map();
    this.open = 0;
    this.mostOpen = 0;
    this.server = http.createServer((req, res) => this.take(req, res));
    this.server.keepAliveTimeout = 30_000;
  }

  async listen(port = 0) {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  // handler(call) for everything below this path; the newest wins. A string is a service's slug.
  on(what, handler) {
    this.handlers.set(what.startsWith('/') ? what : `/api/services/${what}`, handler);
  }

  async take(req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const call = new Call(req, res, Buffer.concat(chunks).toString('utf8'));
    this.calls.push(call);
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    call.closed.then(() => this.open--);
    const handler = this.handlers.get(call.path);
    if (handler) handler(call);
    else call.send(404, {}, '');
  }

  of(hash) {
    return this.calls.filter((call) => call.hash === hash);
  }

  async close() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
