// fcgi.mjs: a FastCGI client that can lie. It builds records byte by byte and sends them straight to web.sock.
import net from 'node:net';

export const TYPE = { BEGIN: 1, ABORT: 2, END: 3, PARAMS: 4, STDIN: 5, STDOUT: 6, STDERR: 7, DATA: 8, GET_VALUES: 9 };
export const RESPONDER = 1;
const KEEP = 1;

export function record(type, content = Buffer.alloc(0), { id = 1, version = 1, padding = 0, length = content.length } = {}) {
  const header = Buffer.from([version, type, id >> 8, id & 255, length >> 8, length & 255, padding, 0]);
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc(padding)]);
}

export const begin = ({ role = RESPONDER, keep = false, ...rest } = {}) =>
  record(TYPE.BEGIN, Buffer.from([role >> 8, role & 255, keep ? KEEP : 0, 0, 0, 0, 0, 0]), rest);

const lengthOf = (n) => (n < 128 ? Buffer.from([n]) : Buffer.from([(n >> 24) | 128, (n >> 16) & 255, (n >> 8) & 255, n & 255]));

// Name-value pairs as PARAMS carries them; lengths may be given instead of the true ones.
export function pair(name, value, nameLength = Buffer.byteLength(name), valueLength = Buffer.byteLength(value)) {
  return Buffer.concat([lengthOf(nameLength), lengthOf(valueLength), Buffer.from(name), Buffer.from(value)]);
}

// A stream in records of at most `chunk` bytes, with its end. `padding` follows records with a content only: libfcgi does
// not skip that of a beginning or an end, and nginx sends none there.
export function stream(type, content, { chunk = 65535, end = true, ...rest } = {}) {
  const bytes = Buffer.from(content);
  const parts = [];
  for (let at = 0; at < bytes.length; at += chunk) parts.push(record(type, bytes.subarray(at, at + chunk), rest));
  if (end) parts.push(record(type, Buffer.alloc(0), { ...rest, padding: 0 }));
  return Buffer.concat(parts);
}

export const params = (variables, options) =>
  stream(TYPE.PARAMS, Buffer.concat(Object.entries(variables).map(([name, value]) => pair(name, String(value)))), options);

export const stdin = (body = '', options) => stream(TYPE.STDIN, body, options);

export const variables = (method, uri, more = {}) => ({
  REQUEST_METHOD: method,
  REQUEST_URI: uri,
  SERVER_PROTOCOL: 'HTTP/1.1',
  REMOTE_ADDR: '127.0.0.1',
  CONTENT_LENGTH: '',
  ...more,
});

// A whole request.
export function request(method, uri, { body, keep, chunk, padding, ...more } = {}) {
  const length = body === undefined ? {} : { CONTENT_LENGTH: Buffer.byteLength(body) };
  return Buffer.concat([
    begin({ keep }),
    params(variables(method, uri, { ...length, ...more }), { chunk, padding }),
    stdin(body ?? '', { chunk, padding }),
  ]);
}

function readRecords(bytes) {
  const records = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const length = bytes.readUInt16BE(at + 4);
    const next = at + 8 + length + bytes[at + 6];
    if (next > bytes.length) break;
    records.push({ type: bytes[at + 1], content: bytes.subarray(at + 8, at + 8 + length) });
    at = next;
  }
  return { records, rest: bytes.subarray(at) };
}

// { status, headers, body } of what came on STDOUT.
export function parse(records) {
  const text = Buffer.concat(records.filter(({ type }) => type === TYPE.STDOUT).map(({ content }) => content));
  const split = text.indexOf('\r\n\r\n');
  if (split < 0) return { status: 0, headers: {}, body: text.toString('utf8') };
  const headers = {};
  for (const line of text.subarray(0, split).toString('utf8').split('\r\n')) {
    const [, name, value] = line.match(/^([^:]+): (.*)$/);
    const key = name.toLowerCase();
    headers[key] = key === 'set-cookie' ? [...(headers[key] ?? []), value] : value;
  }
  return { status: Number.parseInt(headers.status, 10), headers, body: text.subarray(split + 4).toString('utf8') };
}

// One connection. `answers` grows with every END_REQUEST; `closed` is a promise.
export class Connection {
  constructor(path) {
    this.socket = net.connect(path);
    this.bytes = Buffer.alloc(0);
    this.records = [];
    this.answers = [];
    this.waiting = [];
    this.ended = false;
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.closed.then(() => {
      this.ended = true;
      this.wake();
    });
  }

  take(chunk) {
    const { records, rest } = readRecords(Buffer.concat([this.bytes, chunk]));
    this.bytes = rest;
    for (const one of records) {
      this.records.push(one);
      if (one.type !== TYPE.END) continue;
      this.answers.push(parse(this.records));
      this.records = [];
    }
    this.wake();
  }

  wake() {
    this.waiting.splice(0).forEach((resolve) => resolve());
  }

  write(...parts) {
    this.socket.write(Buffer.concat(parts));
    return this;
  }

  // Byte by byte, each in a write of its own.
  async trickle(bytes) {
    this.socket.setNoDelay(true);
    for (const byte of bytes) {
      await new Promise((resolve) => this.socket.write(Buffer.from([byte]), resolve));
    }
  }

  // The next answer; null when the connection was closed without one, or nothing came within `timeout`.
  async answer(timeout = 15_000) {
    const timer = new Promise((resolve) => setTimeout(resolve, timeout, 'late').unref());
    for (;;) {
      if (this.answers.length) return this.answers.shift();
      if (this.ended) return null;
      const next = new Promise((resolve) => this.waiting.push(resolve));
      if ((await Promise.race([next, timer])) === 'late') return null;
    }
  }

  close() {
    this.socket.destroy();
  }
}

// Send these bytes on a connection of their own: the answer or null.
export async function exchange(path, ...parts) {
  const connection = new Connection(path).write(...parts);
  const answer = await connection.answer();
  connection.close();
  return answer;
}
