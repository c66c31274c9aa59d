// serve.js: a local API: Peygir calls, a handler answers.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { isHash } from './document.js';
import { BotError, OtpNeeded, PeygirError } from './errors.js';
import { createUpdater } from './updater.js';

const BODY_MAX = 64 << 10, DRAIN_MS = 25_000, LAST_MS = 2000;
const PATH = /^\/api\/services\/([a-z0-9-]+)(?:\/(cancel|resend-otp))?$/;
const LOCALE = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*/;
const OVER = ['FINAL', 'STALE', 'GONE'];

// --- answers ---

class Refusal extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }
}

const failure = (code, message, retryable) => ({ status: 'error', code, message, retryable });

function answerOf(value) {
  if (value instanceof OtpNeeded) return { status: 'success', code: 'SMS_SENT', otp: value.otp };
  if (value !== undefined && (typeof value !== 'object' || Array.isArray(value))) throw new TypeError('a handler returns an object, the result');
  return { status: 'success', data: value ?? {} };
}

// What a handler threw; a text that was not meant for the visitor stays here.
function answerOfError(error) {
  if (error instanceof BotError) return failure(error.code, error.said ?? 'errors.failed', error.retryable);
  return failure('bot_error', 'errors.failed', true);
}

function send(res, status, value, headers = {}) {
  if (res.headersSent || res.destroyed) return;
  const text = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

// --- calls ---

async function readBody(req) {
  const chunks = [];
  let bytes = 0;
  const tooLarge = () => new Refusal(413, 'too_large', `A body has at most ${BODY_MAX} bytes.`, { connection: 'close' });
  if (Number(req.headers['content-length']) > BODY_MAX) throw tooLarge();
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > BODY_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new Refusal(400, 'bad_json', 'The body is not JSON.');
  }
}

function readCall(req, body, slug) {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Refusal(400, 'bad_call', 'The body is not an object.');
  const { requestHash: hash, otp, otpData, ...data } = body, run = req.headers['peygir-run'];
  if (!isHash(hash)) throw new Refusal(400, 'bad_call', 'requestHash is not the hash of a request.');
  if (run !== undefined && !/^[1-9]\d{0,14}$/.test(run)) throw new Refusal(400, 'bad_call', 'Peygir-Run is not a number.');
  return { slug, hash, data, otp, otpData, run: run ? Number(run) : null, job: req.headers['peygir-job'] ?? null, locale: LOCALE.exec(req.headers['accept-language'] ?? '')?.[0] ?? null };
}

const cancelled = (hash) => new PeygirError('CANCELLED', `request ${hash} was cancelled`, { status: 'cancelled' });

// Fires with the first of both.
function either(one, other) {
  if (!other) return one;
  const controller = new AbortController();
  for (const signal of [one, other]) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}

// Everything that a handler gets. Whoever is told that the request goes on without it need not go on either.
function makeCall(facts, updater, controller) {
  const own = updater.withRun(facts.run), { hash } = facts, { signal } = controller;
  const watched = async (promise) => {
    try {
      return await promise;
    } catch (error) {
      if (OVER.includes(error.code)) controller.abort(error);
      throw error;
    }
  };
  return {
    ...facts,
    signal,
    updater: own,
    progress: (progress, step, message) => watched(own.updateProgress(hash, progress, step, message)),
    requireOtp: (otp) => watched(own.markAsOtpRequired(hash, otp)),
    waitForOtp: async (options) => {
      const letter = await watched(own.waitForOtp(hash, { ...options, signal: either(signal, options?.signal) }));
      if (!letter?.cancelled) return letter;
      controller.abort(cancelled(hash));
      throw signal.reason;
    },
  };
}

// --- the server ---

const kinds = { undefined: 'call', cancel: 'cancel', 'resend-otp': 'resendOtp' };
const handlersOf = (service) => (typeof service === 'function' ? { call: service } : service);

class Api {
  #running = new Map(); // controller: { hash, ended }
  #services;
  #updater;
  #log;

  constructor({ services, updater, log }) {
    this.#services = new Map(Object.entries(services).map(([slug, service]) => [slug, handlersOf(service)]));
    this.#updater = updater;
    this.#log = log;
  }

  async take(req, res) {
    try {
      const [, slug, word] = PATH.exec(req.url.split('?')[0]) ?? [];
      const service = this.#services.get(slug), handler = service?.[kinds[word]];
      if (!service || (!handler && word !== 'cancel')) throw new Refusal(404, 'unknown_service', 'There is no such service here.');
      if (req.method !== 'POST') throw new Refusal(405, 'method', 'A service is called with POST.', { allow: 'POST' });
      const facts = readCall(req, await readBody(req), slug);
      if (word === 'cancel') this.#stop((call) => call.hash === facts.hash, cancelled(facts.hash));
      await this.#carry(facts, handler ?? (() => {}), res, word === undefined);
    } catch (error) {
      const { status = 500, code = 'bot_error', headers } = error instanceof Refusal ? error : {};
      if (!(error instanceof Refusal) && !req.destroyed) this.#log(error);
      send(res, status, failure(code, status === 500 ? 'errors.failed' : error.message, status === 500), headers);
    }
  }

  // `watches`: a cancellation of the request ends this call.
  async #carry(facts, handler, res, watches) {
    const controller = new AbortController(), over = () => {
      if (!res.writableFinished) controller.abort(new PeygirError('CLOSED', 'Peygir has closed the connection'));
    };
    res.once('close', over);
    const work = this.#work(facts, handler, controller, watches);
    this.#running.set(controller, { hash: watches ? facts.hash : null, ended: work });
    send(res, 200, await work);
    this.#running.delete(controller);
  }

  async #work(facts, handler, controller, watches) {
    const stop = watches ? this.#watch(facts.hash, controller) : () => {};
    try {
      return answerOf(await handler(makeCall(facts, this.#updater, controller)));
    } catch (error) {
      if (!(error instanceof BotError) && !controller.signal.aborted) this.#log(error);
      return answerOfError(error);
    } finally {
      stop();
    }
  }

  // Nobody waits for it: without Redis a handler works as well, and the end of the connection tells of a cancellation too.
  #watch(hash, controller) {
    let over = false, watch;
    this.#updater.watchCancel(hash).then((begun) => {
      watch = begun;
      if (over) watch.stop();
      const cancel = () => controller.abort(watch.signal.reason);
      if (watch.signal.aborted) cancel();
      else watch.signal.addEventListener('abort', cancel);
    }, () => {});
    return () => {
      over = true;
      watch?.stop();
    };
  }

  #stop(which, reason) {
    for (const [controller, call] of this.#running) if (which(call)) controller.abort(reason);
  }

  // Handlers get so long to end by themselves, then their signals fire.
  async drain(ms) {
    const ended = () => Promise.allSettled([...this.#running.values()].map((call) => call.ended));
    await within(ended(), ms);
    this.#stop(() => true, new PeygirError('STOPPING', 'the bot stops'));
    await within(ended(), LAST_MS);
  }
}

function within(promise, ms) {
  let timer;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  return Promise.race([promise, over]).finally(() => clearTimeout(timer));
}

// A socket that a killed bot left behind is in nobody's use.
async function removeLeftover(socket) {
  if (!fs.statSync(socket, { throwIfNoEntry: false })?.isSocket()) return;
  const probe = net.connect(socket);
  const used = await once(probe, 'connect').then(() => true, () => false);
  probe.destroy();
  if (!used) fs.unlinkSync(socket);
}

function defaultPort({ PORT, LOCAL_API_URL }) {
  return Number(PORT || (LOCAL_API_URL && new URL(LOCAL_API_URL).port) || 9999);
}

/**
 * Serve `services`, { slug: handler } or { slug: { call, cancel, resendOtp } }, at `host` and `port` or on the Unix socket `socket`.
 * Resolves, when it listens, to { url, close() }. SIGTERM and SIGINT stop it and end the process, unless `signals` is false.
 */
export async function serve({ services, host = '127.0.0.1', port = defaultPort(process.env), socket, redis, drain = DRAIN_MS, signals = true, log } = {}) {
  const updater = createUpdater({ redis });
  const api = new Api({ services, updater, log: log ?? ((error) => console.error('peygir-bot:', error)) });
  const server = http.createServer((req, res) => api.take(req, res));
  if (socket) await removeLeftover(socket);
  server.listen(socket ? { path: socket } : { host, port });
  await once(server, 'listening');

  let closing;
  const close = () => (closing ??= stop());
  const leave = () => close().then(() => process.exit());
  async function stop() {
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    await api.drain(drain);
    setImmediate(() => server.closeIdleConnections());
    await within(closed, LAST_MS);
    server.closeAllConnections();
    await closed;
    await updater.close();
    for (const signal of ['SIGTERM', 'SIGINT']) process.off(signal, leave);
  }
  if (signals) for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, leave);
  return { url: socket ? `unix:${socket}` : `http://${host}:${server.address().port}`, close };
}
