// costs.test.mjs: how many round trips to Redis an answer waits for, as "What a request costs" in src/README.md says, limits included.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, GOOD, OCR, misdeed, otpPath, progressPath, resultPath, untilCode } from '../lib/demo.mjs';
import { start } from '../lib/peygir.mjs';

const POLLS = 10;
const TURNS = 4; // what happens once a second, as telling how often sessions were read, does not happen in each of so many

let peygir, visitor;
let working, waiting, done; // requests of the visitor
let count = 0;

const scan = () => ({ file_id: `scan-${++count}`, language: 'fa' });
const person = () => ({ ...GOOD, mobile: `0912${String(1234567 + ++count)}` });

before(async () => {
  // One thread, so that /metrics tells all that was done before it; limits that are counted and never reached.
  peygir = await start({ env: { WEB_THREADS: '1', PEYGIR_LIMIT_FACTOR: '100000', PEYGIR_DEMO_SPEED: '200' } });
  visitor = peygir.visitor();
  await visitor.token();
  waiting = await untilCode(peygir, visitor);
  working = await visitor.request(CREDIT, misdeed('hang'));
  await peygir.status(working, 'processing');
  done = await visitor.request(OCR, scan());
  await peygir.status(done, 'completed');
});
after(() => peygir?.stop());

const counted = async () => Number(/^peygir_web_redis_round_trips_total (\d+)$/m.exec((await peygir.visitor().get('/metrics')).html)[1]);

// The round trips of `action`, without those of /metrics itself.
async function trips(action) {
  await counted();
  const first = await counted(), before = await counted();
  const answer = await action();
  return { answer, trips: (await counted()) - before - (before - first) };
}

// prepare() makes what a turn needs, action(that) asks once and must hear `status`.
async function costs({ status = 200, prepare = () => {}, action }) {
  const all = [];
  for (let i = 0; i < TURNS; i++) {
    const prepared = await prepare();
    const { answer, trips: number } = await trips(() => action(prepared));
    assert.equal(answer.status, status, answer.html);
    all.push(number);
  }
  return Math.min(...all);
}

describe('round trips to Redis', () => {
  test('each status poll costs one', async () => {
    const action = async () => {
      for (let i = 1; i < POLLS; i++) await visitor.view(waiting);
      return visitor.get(`/api/local-requests/${waiting}/status`);
    };
    assert.equal(await costs({ action }), POLLS);
  });

  const stranger = (path) => () => peygir.visitor().get(path);
  const known = (path) => () => visitor.get(path());
  const looks = [
    ['/healthz', 0, known(() => '/healthz')],
    ['/', 1, stranger('/')],
    ['/api/services', 1, stranger('/api/services')],
    ['the form for a new visitor', 1, stranger(`/services/${OCR}`)],
    ['the form for a known visitor', 1, known(() => `/services/${OCR}`)],
    ['the progress page', 1, known(() => progressPath(working))],
    ['the code page', 1, known(() => otpPath(waiting))],
    ['the result page', 1, known(() => resultPath(done, OCR))],
    ['a result', 1, known(() => `/api/local-requests/${done}/result`)],
    ['/readyz', 2, stranger('/readyz')],
    ['/requests', 3, known(() => '/requests')],
  ];
  for (const [what, cost, action] of looks) {
    test(`looking at ${what} costs ${cost}`, async () => assert.equal(await costs({ action }), cost));
  }

  const form = async (who) => ({ who, form: (await who.get(`/services/${OCR}`)).form(`/services/${OCR}`) });
  const codeForm = async () => (await visitor.get(otpPath(await untilCode(peygir, visitor, person())))).form('/otp/');
  const acts = [
    ['a form with mistakes from a new visitor', 1, { status: 422, prepare: () => form(peygir.visitor()), action: ({ who, form }) => who.send(form) }],
    ['a form from a new visitor', 3, { status: 303, prepare: () => form(peygir.visitor()), action: ({ who, form }) => who.send(form, scan()) }],
    ['a form from a known visitor', 3, { status: 303, prepare: () => form(visitor), action: ({ form }) => visitor.send(form, scan()) }],
    ['JSON', 3, { status: 202, action: () => visitor.postJson('/api/local-requests', { service: OCR, data: scan() }) }],
    ['a code not well-formed', 3, { status: 422, prepare: codeForm, action: (form) => visitor.send(form, { otp: '1' }) }],
    ['a code', 3, { status: 303, prepare: codeForm, action: (form) => visitor.send(form, { otp: CODE }) }],
    ['a wish for another code too soon', 4, { status: 429, action: () => visitor.act(waiting, 'resend-otp') }],
    ['a cancellation', 4, { prepare: () => untilCode(peygir, visitor, person()), action: (hash) => visitor.act(hash, 'cancel') }],
    ['a cancellation of what is cancelled', 3, {
      prepare: async () => {
        const hash = await untilCode(peygir, visitor, person());
        await visitor.act(hash, 'cancel');
        return hash;
      },
      action: (hash) => visitor.act(hash, 'cancel'),
    }],
  ];
  for (const [what, cost, how] of acts) {
    test(`sending ${what} costs ${cost}`, async () => assert.equal(await costs(how), cost));
  }
});
