// breaker.test.mjs: a bot that fails again and again is left alone for a while: requests wait and say so, and go on when it is well.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CREDIT, GOOD, OCR, progressPath } from '../lib/demo.mjs';
import { freePort, start, waitFor } from '../lib/peygir.mjs';

const FAILURES = 20;
const PLACES = 8;
const AWAY = /not answering at the moment/;

let peygir, bot, visitor;
let answer;

before(async () => {
  bot = await new Bot().listen(await freePort());
  bot.on(OCR, (call) => answer(call));
  bot.on(CREDIT, (call) => call.success({ score: 1 }));
  for (const slug of [OCR, CREDIT]) bot.on(`/api/services/${slug}/cancel`, (call) => call.reply({ status: 'success' }));
  peygir = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_TRIES: '1', LOCAL_API_RETRIES: '0', WORKER_CONCURRENCY: String(PLACES) } });
  visitor = peygir.visitor();
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
  }
});

let count = 0;
const ask = () => visitor.request(OCR, { file_id: `case-${++count}`, language: 'en' });
const calls = () => bot.calls.filter(({ path }) => path === `/api/services/${OCR}`).length;
const health = async () => JSON.parse((await peygir.cli('--json', 'health')).stdout).checks.filter(({ check }) => check === 'bot');
const isAway = async (hash) => AWAY.test((await visitor.view(hash)).current_message);
const waits = (hash) => waitFor(() => isAway(hash), { what: 'the message', now: () => visitor.view(hash) });

// Requests that fail, one after the other, until the first that waits: its hash, and how many failed.
async function failAgainAndAgain() {
  answer = (call) => call.reply({}, 500);
  for (let failed = 0; ; failed++) {
    const hash = await ask();
    await waitFor(async () => (await peygir.document(hash)).status === 'failed' || isAway(hash), { what: 'it to fail or to wait' });
    if (await isAway(hash)) return { hash, failed };
    assert.ok(failed < 2 * FAILURES, 'it is called again and again');
  }
}

describe('A bot that fails again and again', () => {
  test('is called no more for a while; a request waits, and its page says why', async () => {
    const { hash, failed } = await failAgainAndAgain();
    const before = calls();
    assert.equal(failed, FAILURES);
    assert.match((await visitor.get(progressPath(hash, OCR))).text, AWAY);
    assert.equal((await visitor.view(hash)).status, 'processing');
    assert.equal(calls(), before);

    const other = await visitor.request(CREDIT, GOOD);
    await peygir.status(other, 'completed'); // another bot behind the same address is not touched by it

    await waitFor(async () => (await health()).length > 0, { what: 'health to know' });
    const [found] = await health();
    assert.equal(found.status, 'warning');
    assert.match(JSON.stringify(found), new RegExp(`/api/services/${OCR} fails again and again`));
    assert.match(await (await fetch(`${peygir.base}/metrics`)).text(), /^peygir_bots_away 1$/m);

    answer = (call) => call.success({ text: 'well again' });
    await peygir.status(hash, 'completed');
    assert.equal(calls(), before + 1, 'one probe was enough');
    await waitFor(async () => (await health()).length === 0, { what: 'health to forget it' });
    await peygir.status(await ask(), 'completed');
  });

  test('a request that waits for it can be cancelled, and the probe falls to another', async () => {
    const { hash: one } = await failAgainAndAgain(), two = await ask();
    await waits(two);
    answer = (call) => call.success({ text: 'well again' });
    await visitor.act(one, 'cancel');
    await peygir.status(two, 'completed');
    assert.equal((await peygir.document(one)).status, 'cancelled');
  });

  test('however many requests wait for it, other bots are called all the same, and no try is used', async () => {
    const { hash } = await failAgainAndAgain();
    const many = [hash, ...await Promise.all(Array.from({ length: 3 * PLACES }, ask))];
    for (const one of many) await waits(one);
    await peygir.status(await visitor.request(CREDIT, GOOD), 'completed');
    answer = (call) => call.success({ text: 'well again' });
    for (const one of many) await peygir.status(one, 'completed');
    const attempts = await Promise.all(many.map((one) => peygir.redis.hget(`peygir:task:data:${one}`, 'attempts')));
    assert.deepEqual(attempts.filter((n) => Number(n) > 0), []);
  });

  test('errors that it answers in words are no failures of it', async () => {
    answer = (call) => call.error('NO_SUCH_FILE');
    for (let i = 0; i < FAILURES + 5; i++) await peygir.status(await ask(), 'failed');
    answer = (call) => call.success({ text: 'well' });
    const hash = await ask();
    await peygir.status(hash, 'completed');
  });
});
