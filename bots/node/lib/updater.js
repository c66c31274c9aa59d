// updater.js: what a bot says about a request, and what it hears.
import { change } from './change.js';
import { decideJudged, decideRequire } from './code.js';
import { connect } from './connect.js';
import { isHash, keysOf } from './document.js';
import { Ear } from './ear.js';
import { PeygirError, refuse } from './errors.js';
import { TEXT_MAX, clip, encode, intOf, stringOf } from './json.js';
import { waitForLetter } from './mailbox.js';

const HANDLE_MAX = 1000, EXPIRY_MAX_S = 86_400, LENGTH_MAX = 32, RESULT_MAX = 1 << 20;
const CODE = /^[A-Za-z0-9_-]{1,64}$/;

// --- what is said, checked ---

const absent = (value) => value === undefined || value === null;

function whole(name, value, least, most) {
  if (absent(value)) return 0;
  if (!Number.isInteger(value) || value < least || value > most) refuse('INVALID', `${name} is a whole number from ${least} to ${most}`);
  return value;
}

function text(name, value) {
  if (absent(value)) return null;
  if (typeof value !== 'string') refuse('INVALID', `${name} is a text`);
  return value;
}

function object(name, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse('INVALID', `${name} is an object`);
  const json = encode(value);
  if (json?.[0] !== '{') refuse('INVALID', `${name} is an object`);
  if (json.length > RESULT_MAX) refuse('INVALID', `${name} is larger than 1 MiB`);
  return json;
}

function percent(progress) {
  if (absent(progress)) return null;
  if (typeof progress !== 'number' || !(progress >= 0 && progress <= 100)) refuse('INVALID', 'progress is a number from 0 to 100');
  return Math.trunc(progress);
}

// --- what is decided ---

// Would nothing change? Then nothing is written.
function isPresent({ doc, status }, { progress, step, message }) {
  return (status === 'processing' || status === 'otp_required') && (progress === null || progress === intOf(doc.progress, -1)) &&
    (step === null || step === stringOf(doc.step)) && (message === null || message === stringOf(doc.current_message));
}

const decideProgress = (said) => (rq, c) => {
  if (isPresent(rq, said)) return false;
  const { progress, step, message } = said, present = intOf(rq.doc.progress, 0);
  if (rq.status === 'pending' || rq.status === 'otp_verifying') c.to = 'processing';
  if (progress !== null) c.json('progress', String(rq.status === 'processing' ? Math.max(progress, present) : progress));
  if (step !== null) c.text('step', step);
  if (message !== null) c.text('current_message', message);
  if (rq.status === 'pending') c.guard.started = rq.now;
  return true;
};

function decideComplete(json) {
  const decide = (rq, c) => {
    if (rq.terms.strict) refuse('STRICT', `the service of request ${rq.hash} takes its result as the answer of the call alone, so that it never lies open in Redis`);
    c.to = 'completed';
    c.complete(json);
    c.text('error_data', null);
    c.json('progress', '100');
    c.text('current_message', 'messages.completed');
    if (rq.terms.lastStep) c.text('step', rq.terms.lastStep);
    return true;
  };
  return Object.assign(decide, { ends: 'completed' });
}

function decideFail(error) {
  const decide = (rq, c) => {
    c.fail(error);
    return true;
  };
  return Object.assign(decide, { ends: 'failed' });
}

function readAsk({ hash, expiry, length, message }) {
  const handle = absent(hash) ? undefined : encode(hash);
  if (handle?.length > HANDLE_MAX) refuse('INVALID', `hash has more than ${HANDLE_MAX} bytes`);
  return { handle, expiry: whole('expiry', expiry, 1, EXPIRY_MAX_S), length: whole('length', length, 1, LENGTH_MAX), message: text('message', message) };
}

function decideOtp(data = {}) {
  const ask = readAsk(data);
  if (absent(data.reason)) return decideRequire(ask);
  if (data.reason !== 'wrong' && data.reason !== 'expired') refuse('INVALID', 'reason is "wrong" or "expired"');
  return decideJudged(data.reason, ask.message);
}

function readError(message, { code, retryable = false } = {}) {
  const name = code ?? 'bot_error';
  if (!CODE.test(name)) refuse('INVALID', 'code has 1 to 64 letters, digits, _ and -');
  return { code: name, message: text('message', message) ?? 'errors.failed', retryable: retryable === true };
}

// --- an updater ---

// One connection for commands and one to listen, opened when they are needed.
class Line {
  #from;
  #link;
  ear = new Ear(() => this.redis.duplicate());

  constructor(from) {
    this.#from = from;
  }

  get redis() {
    if (this.closed) refuse('CLOSED', 'this updater was closed');
    this.#link ??= connect(this.#from);
    return this.#link.client;
  }

  close() {
    this.closed = true;
    this.ear.close();
    if (this.#link?.owned) this.#link.client.disconnect();
  }
}

const cancelledIn = (message) => /"status":\s*"cancelled"/.test(message);

/** An AbortSignal that fires when the request is cancelled; stop() ends the listening. */
async function watchCancel({ redis, ear }, hash) {
  if (!isHash(hash)) refuse('INVALID', 'the first argument is the hash of a request');
  const controller = new AbortController();
  const fire = () => controller.abort(new PeygirError('CANCELLED', `request ${hash} was cancelled`, { status: 'cancelled' }));
  const look = async () => (await redis.hget(keysOf(hash).guard, 'status')) === 'cancelled' && fire();
  const stop = await ear.listen(hash, (message) => {
    if (message === null) look().catch(() => {}); // Redis is away again: the next connection looks
    else if (cancelledIn(message)) fire();
  });
  try {
    await look();
  } catch (error) {
    stop();
    throw error;
  }
  return { signal: controller.signal, stop };
}

function makeUpdater(line, run) {
  const tell = async (hash, decide) => change(line.redis, hash, run, decide());
  return {
    run,
    updateProgress: (hash, progress, step, message) =>
      tell(hash, () => {
        const [id, words] = [text('step', step), text('message', message)];
        return decideProgress({ progress: percent(progress), step: id && clip(id, TEXT_MAX), message: words && clip(words, TEXT_MAX) });
      }),
    markAsOtpRequired: (hash, otpData) => tell(hash, () => decideOtp(otpData)),
    markAsCompleted: (hash, result = {}) => tell(hash, () => decideComplete(object('result', result))),
    markAsFailed: (hash, message, data) => tell(hash, () => decideFail(readError(message, data))),
    waitForOtp: async (hash, options) => {
      if (!isHash(hash)) refuse('INVALID', 'the first argument is the hash of a request');
      return waitForLetter(line.redis, line.ear, hash, run, options);
    },
    watchCancel: async (hash) => watchCancel(line, hash),
    withRun: (other) => makeUpdater(line, readRun(other)),
    close: async () => line.close(),
  };
}

function readRun(run) {
  if (absent(run)) return null;
  const number = Number(run);
  if (!Number.isSafeInteger(number) || number < 1) refuse('INVALID', 'run is the number that the call named');
  return number;
}

/**
 * An updater. `redis` is a client of ioredis, its options or an address; without it REDIS_URL. `run` is the run that the call named:
 * once another one goes on with the request, everything is refused.
 */
export function createUpdater({ redis, run } = {}) {
  return makeUpdater(new Line(redis), readRun(run));
}

