// reports.test.mjs: bots that report by HTTP: progress, the wish for a code, the end; fenced by the run of their call.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { freePort, start, waitFor } from '../lib/peygir.mjs';
import { CREDIT, GOOD, OCR, enter } from '../lib/demo.mjs';
import { Visitor } from '../lib/visitor.mjs';

const UNKNOWN = 'req_00000000000000000000000000';
const CODE = '73519', WRONG = '11111';

let peygir, bot;
const bearer = {};
const held = new Map(); // by hash: the call that the bot has not answered yet

before(async () => {
  bot = await new Bot().listen(await freePort());
  for (const slug of [CREDIT, OCR]) {
    bot.on(slug, (call) => held.set(call.hash, call));
    bot.on(`/api/services/${slug}/cancel`, (call) => call.reply({ status: 'success' }));
  }
  peygir = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_BACKOFF: '0' } });
  for (const role of ['site', 'bot', 'api']) {
    const { token } = await peygir.cliJson('token', 'create', '--role', role, role);
    bearer[role] = { authorization: `Bearer ${token}` };
  }
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
  }
});

// What a bot in any language does: JSON and a token.
const program = (headers = bearer.bot) => new Visitor(peygir.base, { headers });
const path = (hash, what) => `/api/internal/local-requests/${hash}${what ? `/${what}` : ''}`;
const post = (url, body, headers = {}) => program().fetch(url, {
  method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers },
});
const report = (call, what, body = {}) => post(path(call.hash, what), body, { 'peygir-run': call.headers['peygir-run'] });

async function told(call, what, body) {
  const answer = await report(call, what, body);
  assert.equal(answer.status, 200, answer.html);
  return answer.json;
}

// A request whose bot has been called.
async function called(visitor, slug = OCR, data = { file_id: 'scan', language: 'en' }) {
  const hash = await visitor.request(slug, data);
  return waitFor(() => held.get(hash), { what: 'the bot to be called' });
}

describe('A bot that reports by HTTP', () => {
  test('moves the bar, asks for the code, judges it, and hands over the result while its call goes on', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor, CREDIT, GOOD), { hash } = call;
    const moved = await told(call, 'progress', { progress: 30, step: 'authentication', message: 'Knocking.' });
    assert.deepEqual([moved.status, moved.progress, moved.step, moved.current_message], ['processing', 30, 'authentication', 'Knocking.']);
    const asked = await told(call, 'otp-required', { hash: { session: 7 }, expiry: 90, message: 'A code was sent.', length: 5 });
    assert.equal(asked.status, 'otp_required');
    assert.ok(asked.otp.expires_in > 60 && asked.otp.expires_in <= 90);
    assert.deepEqual((await peygir.document(hash)).otp_data.hash, { session: 7 });

    const next = () => program().get(path(hash, 'otp?wait=20'), { 'peygir-run': call.headers['peygir-run'] });
    let poll = next();
    await enter(visitor, hash, WRONG);
    assert.deepEqual((await poll).json, { otp: WRONG });
    const again = await told(call, 'otp-required', { reason: 'wrong', message: 'Not that one.' });
    assert.deepEqual([again.status, again.otp.attempts_left], ['otp_required', 2]);
    poll = next();
    await enter(visitor, hash, CODE);
    assert.deepEqual((await poll).json, { otp: CODE });
    const done = await told(call, 'completed', { data: { score: 742 } });
    assert.equal(done.status, 'completed');
    call.success({ score: 1 });
    assert.deepEqual((await visitor.json(`/api/local-requests/${hash}/result`)).result, { score: 742 });
    assert.equal(bot.of(hash).length, 1, 'no second leg was called');
  });

  test('a result keeps its bytes: large numbers, empty lists, the order of members', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor);
    const data = '{"z":[],"a":123456789012345678,"f":1.10,"n":null,"o":{}}';
    assert.equal((await post(path(call.hash, 'completed'), `{"data":${data}}`)).status, 200);
    const answer = await visitor.get(`/api/local-requests/${call.hash}/result`);
    assert.ok(answer.html.includes(`"result":${data}`), answer.html);
    call.success({});
  });

  test('a failure is final, in its words, and says whether trying again may help', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor);
    const view = await told(call, 'failed', { code: 'NO_SUCH_FILE', message: 'There is no such file.', data: { at: 3 }, retryable: true });
    assert.deepEqual(view.error, { code: 'NO_SUCH_FILE', message: 'There is no such file.', retryable: true });
    assert.equal(view.status, 'failed');
    assert.deepEqual((await peygir.document(call.hash)).error_data, view.error, 'nothing more lies there, where it would be open to read');
    call.error('ELSE');
  });

  test('an expired code leads back to the code page, and no try is used', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor, CREDIT, GOOD);
    await told(call, 'otp-required', {});
    const poll = program().get(path(call.hash, 'otp?wait=20'));
    await enter(visitor, call.hash, CODE);
    await poll;
    const view = await told(call, 'otp-required', { reason: 'expired' });
    assert.deepEqual([view.status, view.otp.attempts_left], ['otp_required', 3]);
    await visitor.act(call.hash, 'cancel');
  });

  test('a verdict on a code that nobody entered is 409', async () => {
    const call = await called(peygir.visitor(), CREDIT, GOOD);
    for (const reason of ['wrong', 'expired']) assert.equal((await report(call, 'otp-required', { reason })).status, 409);
    assert.equal((await peygir.document(call.hash)).status, 'processing');
    await told(call, 'failed');
    call.error('X');
  });

  test('saying the same again is 200 without effect; anything else after the end is 409', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor);
    await told(call, 'completed', { data: { n: 1 } });
    const { revision } = await peygir.document(call.hash);
    await told(call, 'completed', { data: { n: 1 } });
    assert.equal((await peygir.document(call.hash)).revision, revision);
    for (const [what, body] of [['progress', { progress: 99 }], ['failed', {}], ['otp-required', {}]]) assert.equal((await report(call, what, body)).status, 409, what);
    assert.equal((await peygir.document(call.hash)).revision, revision);
    call.success({});
  });

  test('the state is there for whoever lost track', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor);
    await told(call, 'progress', { progress: 44 });
    const state = await program().json(path(call.hash));
    assert.deepEqual([state.hash, state.status, state.progress], [call.hash, 'processing', 44]);
    await visitor.act(call.hash, 'cancel');
    assert.equal((await program().json(path(call.hash))).is_cancelled, true);
  });
});

describe('The run', () => {
  test('a bot that wakes up late cannot write into the next run', async () => {
    const visitor = peygir.visitor();
    const first = await called(visitor);
    held.delete(first.hash);
    first.error('BUSY', { retryable: true });
    const second = await waitFor(() => held.get(first.hash), { what: 'the second call' });
    assert.ok(Number(second.headers['peygir-run']) > Number(first.headers['peygir-run']));
    for (const what of ['progress', 'completed', 'failed', 'otp-required']) assert.equal((await report(first, what)).status, 409, what);
    assert.equal((await program().get(path(first.hash, 'otp?wait=0'), { 'peygir-run': first.headers['peygir-run'] })).status, 409);
    assert.equal((await told(second, 'progress', { progress: 20 })).progress, 20);
    assert.equal((await post(path(first.hash, 'progress'), { progress: 21 })).json.progress, 21, 'without the header: the present run');
    await told(second, 'completed', { data: {} });
    second.success({});
  });

  test('one that is no number is refused', async () => {
    for (const run of ['x', '0', '-1', '1.5', '99999999999999999999']) assert.equal((await post(path(UNKNOWN, 'progress'), {}, { 'peygir-run': run })).status, 422, run);
  });
});

describe('What is refused', () => {
  test('members of the wrong kind, each by name, and members that there are none', async () => {
    const call = await called(peygir.visitor());
    const wrong = {
      progress: [{ progress: -1 }, { progress: 101 }, { progress: 1.5 }, { progress: '5' }, { step: 5 }, { message: {} }, { percent: 5 }, { data: {} }],
      'otp-required': [{ expiry: 0 }, { expiry: 86401 }, { expiry: '60' }, { length: 0 }, { length: 33 }, { reason: 'late' }, { hash: 'x'.repeat(1001) }, { otp: 1 }],
      completed: [{ data: [] }, { data: 'x' }, { data: 5 }, { result: {} }],
      failed: [{ code: '' }, { code: 'a b' }, { code: 5 }, { message: 5 }, { retryable: 'yes' }, { data: [] }],
    };
    for (const [what, bodies] of Object.entries(wrong)) {
      for (const body of bodies) {
        const answer = await report(call, what, body);
        assert.equal(answer.status, 422, `${what} ${JSON.stringify(body)}`);
        assert.equal(answer.type, 'application/problem+json');
        assert.deepEqual(answer.json.errors.map(({ field }) => field), Object.keys(body));
      }
    }
    for (const body of ['{', '[1]', '"x"', '{"progress":1,"progress":2}', '\xff']) assert.ok([400, 422].includes((await post(path(call.hash, 'progress'), body)).status), body);
    assert.equal((await peygir.document(call.hash)).progress, 0);
    await told(call, 'failed', {});
    call.error('X');
  });

  test('null is as good as absent', async () => {
    const call = await called(peygir.visitor());
    assert.equal((await told(call, 'progress', { progress: 10, step: null, message: null })).progress, 10);
    await told(call, 'completed', { data: null });
    call.success({});
  });

  test('HTML and control characters in a message reach no page unescaped', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor);
    await told(call, 'progress', { message: '<img src=x onerror=alert(1)>\u0007' });
    const page = await visitor.get(`/services/${OCR}/progress/${call.hash}`);
    assert.ok(!page.html.includes('<img src=x'));
    assert.match(page.text, /<img src=x/);
    await told(call, 'completed');
    call.success({});
  });

  test('a token for some services is one for no other', async () => {
    const { token } = await peygir.cliJson('token', 'create', '--role', 'bot', '--service', OCR, 'ocr-only');
    const headers = { authorization: `Bearer ${token}` };
    const visitor = peygir.visitor();
    const [own, other] = [await called(visitor), await called(visitor, CREDIT, GOOD)];
    const say = (call) => program(headers).fetch(path(call.hash, 'progress'), { method: 'POST', body: '{"progress":40}', headers: { 'content-type': 'application/json' } });
    assert.equal((await say(own)).status, 200);
    assert.equal((await program(headers).get(path(own.hash, 'otp?wait=0'))).status, 204);
    for (const answer of [await say(other), await program(headers).get(path(other.hash)), await program(headers).get(path(other.hash, 'otp?wait=0'))]) assert.equal(answer.status, 403);
    assert.equal((await peygir.document(other.hash)).progress, 0);
    const listed = (await peygir.cliJson('token', 'list')).find(({ name }) => name === 'ocr-only');
    assert.equal(listed.services, OCR);
    for (const call of [own, other]) {
      await told(call, 'failed');
      call.error('X');
    }
  });

  test('no token, an unknown one, one of another role; an unknown request; a body that is too large', async () => {
    const ask = (headers, hash = UNKNOWN) => program(headers).fetch(path(hash, 'progress'), { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ authorization: 'Bearer pgt_x' })).status, 401);
    for (const role of ['site', 'api']) assert.equal((await ask(bearer[role])).status, 403);
    assert.equal((await ask(bearer.bot)).status, 404);
    assert.equal((await program().get(path(UNKNOWN))).status, 404);
    assert.equal((await ask(bearer.bot, 'req_x')).status, 404);
    assert.equal((await post(path(UNKNOWN, 'completed'), { data: { text: 'x'.repeat(70_000) } })).status, 413);
  });
});
