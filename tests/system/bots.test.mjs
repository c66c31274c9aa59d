// bots.test.mjs: every answer that a bot can give, right or wrong, and what the request becomes by it.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { editServices, freePort, start, waitFor } from '../lib/peygir.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';
const GOOD = { mobile: '09121234567', national_code: '0499370899' };
const PATIENT = 'patient'; // a service whose calls may take long
const CODE = '73519';
const CALL_TIMEOUT_S = 2;
const MEGABYTE = 1024 * 1024;

let peygir;
let bot;
const behaviours = new Map(); // by file_id: what the bot does with the call

// A new document-ocr request that the bot answers like this.
let count = 0;
async function ask(visitor, behave) {
  const file_id = `case-${++count}`;
  behaviours.set(file_id, behave);
  return visitor.request(OCR, { file_id, language: 'fa' });
}

const ended = (hash) => peygir.status(hash, 'completed', 'failed', 'cancelled');
const jobOf = (hash) => peygir.redis.hgetall(`peygir:task:data:${hash}`);
const resultPage = async (visitor, hash, service = OCR) => (await visitor.get(`/services/${service}/result/${hash}`));

// The credit service with a bot that judges codes.
function codeBot(call) {
  if (call.data.otp === undefined) call.smsSent({ hash: 'handle-<1>', expiry: 60, message: 'A code is on its way.', length: 5 });
  else if (call.data.otp === CODE) call.success({ score: 1 });
  else if (call.data.otp === '00000') call.error('OTP_EXPIRED', { message: 'That one is too old.' });
  else call.error('OTP_WRONG', { message: 'That is not it.' });
}

before(async () => {
  bot = await new Bot().listen(await freePort());
  bot.on(OCR, (call) => behaviours.get(call.data.file_id)(call));
  bot.on(CREDIT, codeBot);
  for (const what of ['cancel', 'resend-otp']) {
    for (const slug of [OCR, CREDIT]) bot.on(`/api/services/${slug}/${what}`, (call) => call.reply({ status: 'success' }));
  }
  peygir = await start({
    env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, LOCAL_API_TIMEOUT: String(CALL_TIMEOUT_S), LOCAL_API_RETRIES: '1',
      WORKER_TRIES: '2', WORKER_BACKOFF: '0' },
    services: editServices({
      [CREDIT]: (definition) => ({ ...definition, code: { ...definition.code, resend_cooldown: 1 } }),
      [PATIENT]: () => ({ slug: PATIENT, title: 'Patient', estimated_duration: 5, fields: [{ name: 'n', label: 'N' }], call_timeout: 60 }),
    }),
  });
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
  }
});

describe('what a bot is told', () => {
  test('the values, the request, the job and its run', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.success({ ok: true }));
    await ended(hash);
    const [call, ...more] = bot.of(hash);
    assert.equal(more.length, 0);
    assert.equal(call.req.method, 'POST');
    assert.equal(call.path, `/api/services/${OCR}`);
    assert.match(call.headers['content-type'], /^application\/json/);
    assert.equal(call.headers['peygir-job'], hash);
    assert.equal(call.headers['peygir-run'], '1');
    assert.equal(call.headers['accept-language'], 'en');
    assert.deepEqual(call.data, { file_id: call.data.file_id, language: 'fa', requestHash: hash });
  });

  test('the second leg gets the code and the handle of the first, and nothing of it is called twice', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    const document = await peygir.status(hash, 'otp_required');
    assert.equal(document.otp_data.hash, 'handle-<1>');
    assert.equal(document.otp_data.message, 'A code is on its way.');
    assert.equal(document.current_message, 'A code is on its way.');
    assert.ok((await visitor.view(hash)).otp.expires_in <= 60, 'the life that the bot named');
    assert.equal((await visitor.act(hash, 'otp', { otp: CODE })).status, 202);
    await peygir.status(hash, 'completed');
    const calls = bot.of(hash).filter(({ path }) => !path.includes('resend'));
    assert.equal(calls.length, 2);
    const [first, second] = calls;
    assert.equal('otp' in first.data, false);
    assert.equal(second.data.otp, CODE);
    assert.equal(second.data.otpData.hash, 'handle-<1>');
    assert.equal(second.data.mobile, GOOD.mobile);
    assert.equal(second.data.requestHash, hash);
    assert.ok(Number(second.headers['peygir-run']) > Number(first.headers['peygir-run']));
    assert.deepEqual([first, second].map(({ headers }) => headers['accept-language']), ['en', 'en']);
    assert.notEqual(second.headers['peygir-job'], first.headers['peygir-job']);
  });

  test('a code that was entered stands nowhere afterwards', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    await peygir.status(hash, 'otp_required');
    await visitor.act(hash, 'otp', { otp: '64208' });
    await waitFor(async () => (await peygir.document(hash)).otp_data.attempts === 1);
    await visitor.act(hash, 'otp', { otp: CODE });
    await peygir.status(hash, 'completed');
    await waitFor(async () => (await peygir.redis.zcard('peygir:task:active')) === 0);
    const everything = await peygir.dump();
    for (const code of ['64208', CODE]) {
      assert.ok(!everything.includes(code), 'in Redis');
      assert.ok(!peygir.logs().includes(code), 'in the logs');
    }
  });

  test('of a resend and of a cancellation, where the service names these calls, and in which language', async () => {
    const visitor = peygir.visitor({ language: 'fa' });
    const hash = await visitor.request(CREDIT, GOOD);
    await peygir.status(hash, 'otp_required');
    await waitFor(async () => (await visitor.view(hash)).otp.resend_in === 0);
    assert.equal((await visitor.act(hash, 'resend-otp')).status, 202);
    const resend = await waitFor(() => bot.of(hash).find(({ path }) => path.endsWith('/resend-otp')));
    assert.equal(resend.data.requestHash, hash);
    assert.equal((await visitor.act(hash, 'cancel')).status, 200);
    const cancel = await waitFor(() => bot.of(hash).find(({ path }) => path.endsWith('/cancel')));
    assert.equal(cancel.data.requestHash, hash);
    assert.deepEqual(bot.of(hash).map(({ headers }) => headers['accept-language']), ['fa', 'fa', 'fa']);
    assert.equal((await peygir.document(hash)).status, 'cancelled');
  });
});

test('a bot is told of a cancellation, and in which language, also when the request is gone by then', async () => {
  const visitor = peygir.visitor({ language: 'fa' });
  let running;
  const hash = await ask(visitor, (call) => (running = call));
  await waitFor(() => running);
  const pid = peygir.kill('worker', 'SIGSTOP');
  try {
    assert.equal((await visitor.act(hash, 'cancel')).status, 200);
    await peygir.redis.del(`local_request:${hash}`, `{local_request:${hash}}:guard`, `{local_request:${hash}}:events`);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const cancel = await waitFor(() => bot.of(hash).find(({ path }) => path.endsWith('/cancel')), { what: 'the bot to be told' });
  assert.equal(cancel.headers['accept-language'], 'fa');
});

describe('what a bot answers', () => {
  test('data: the request is completed, the data kept byte for byte', async () => {
    const visitor = peygir.visitor();
    const data = '{"empty":[],"none":{},"big":9007199254740993,"tiny":0.1,"e":1e3,"text":"a/b \\u00e9 ژ","nested":[[1,[]]]}';
    const hash = await ask(visitor, (call) => call.send(200, {}, `{"status":"success","data":${data}}`));
    await ended(hash);
    assert.match(await peygir.redis.get(`local_request:${hash}`), /"result_data":\{"sealed":"v1:[0-9a-f]{8}:[A-Za-z0-9_-]+"\}/);
    const answer = await visitor.get(`/api/local-requests/${hash}/result`);
    assert.ok(answer.html.includes(`"result":${data}`));
  });

  test('an error that is not retryable: failed at once, in its words', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.error('NO_SUCH_FILE', { message: 'This file is not there.' }));
    const document = await ended(hash);
    assert.deepEqual(document.error_data, { code: 'NO_SUCH_FILE', message: 'This file is not there.', retryable: false });
    assert.equal(bot.of(hash).length, 1);
    assert.equal((await jobOf(hash)).status, 'failed');
  });

  test('an error that is retryable: tried again, then failed in its words', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.error('BUSY', { message: 'Too busy.', retryable: true }));
    const document = await ended(hash);
    assert.deepEqual(document.error_data, { code: 'BUSY', message: 'Too busy.', retryable: true });
    assert.deepEqual(bot.of(hash).map(({ headers }) => headers['peygir-run']), ['1', '2']);
  });

  test('an error once, then data: completed', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => (bot.of(call.hash).length === 1 ? call.error('BUSY', { retryable: true }) : call.success({ n: 2 })));
    assert.equal((await ended(hash)).status, 'completed');
    const messages = (await peygir.history(hash)).map(([, , , , , message]) => message);
    assert.ok(messages.includes('messages.retrying'), 'the visitor saw it');
  });

  test('an error with status 4xx is the word of the bot all the same', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.reply({ status: 'error', code: 'GONE', message: 'Gone.', retryable: false }, 404));
    const { status, error_data: error } = await ended(hash);
    assert.equal(status, 'failed');
    assert.equal(bot.of(hash).length, error.code === 'GONE' ? 1 : 2);
  });

  const wrong = [
    ['500 with text', (call) => call.send(500, {}, 'oops')],
    ['503 with JSON that says success', (call) => call.reply({ status: 'success', data: {} }, 503)],
    ['200 with garbage', (call) => call.send(200, {}, '<html>{"status":"success"')],
    ['200 with nothing', (call) => call.send(200, {}, '')],
    ['JSON that is no object', (call) => call.send(200, {}, '[1,2]')],
    ['JSON and more', (call) => call.send(200, {}, '{"status":"success","data":{}} x')],
    ['a status that does not exist', (call) => call.reply({ status: 'maybe', data: {} })],
    ['no status', (call) => call.reply({ data: {} })],
    ['success without data', (call) => call.reply({ status: 'success' })],
    ['data that is no object', (call) => call.reply({ status: 'success', data: 'x' })],
    ['bytes that are not UTF-8', (call) => call.send(200, {}, Buffer.from('{"status":"success","data":{"a":"\xff\xc0\xaf"}}', 'latin1'))],
    ['half a surrogate', (call) => call.send(200, {}, '{"status":"success","data":{"a":"\\ud800"}}')],
    ['a NUL in a name', (call) => call.send(200, {}, '{"status":"success","data":{"a\\u0000b":1}}')],
    ['depth without end', (call) => call.send(200, {}, `{"status":"success","data":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`)],
    ['a body over 1 MiB', (call) => call.success({ text: 'x'.repeat(MEGABYTE) })],
    ['a body without end', (call) => {
      call.res.writeHead(200, { 'content-type': 'application/json' });
      const more = setInterval(() => call.res.write('x'.repeat(256 * 1024)), 5);
      call.res.write('{"status":"success","data":{"text":"');
      call.closed.then(() => clearInterval(more));
    }],
    ['a redirect', (call) => call.send(302, { location: `${bot.url}/elsewhere` }, '')],
    ['a permanent redirect that keeps the method', (call) => call.send(308, { location: `${bot.url}/elsewhere` }, '')],
    ['an answer that breaks off', (call) => {
      call.res.writeHead(200, { 'content-length': 4096 });
      call.res.write('{"status":"success",', () => call.socket.destroy());
    }],
    ['no answer but a closed connection', (call) => call.socket.destroy()],
    ['a reset', (call) => call.socket.resetAndDestroy()],
    ['no HTTP', (call) => call.socket.end('hello there\r\n\r\n')],
    ['headers without end', (call) => {
      call.socket.write('HTTP/1.1 200 OK\r\n');
      const more = setInterval(() => !call.socket.destroyed && call.socket.write(`X-${'y'.repeat(4000)}: z\r\n`), 2);
      call.closed.then(() => clearInterval(more));
    }],
  ];
  for (const [what, behave] of wrong) {
    test(`${what}: tried again, then a friendly failure`, async () => {
      const visitor = peygir.visitor();
      const hash = await ask(visitor, behave);
      const document = await ended(hash);
      assert.equal(document.status, 'failed', JSON.stringify(document.result_data)?.slice(0, 100));
      assert.match(document.error_data.code, /^(bot_invalid|bot_unavailable|timeout)$/);
      assert.equal(document.error_data.retryable, true);
      assert.ok(bot.of(hash).length >= 2, `${bot.of(hash).length} calls`);
      const page = await resultPage(visitor, hash);
      assert.match(page.text, /The service (did not answer|gave an answer|took too long)/);
      assert.ok(!bot.calls.some(({ path }) => path === '/elsewhere'), 'a redirect is not followed');
    });
  }

  test('a refused connection: tried again, then a friendly failure; and all is well when the bot is back', async () => {
    const visitor = peygir.visitor();
    const { port } = bot;
    const { calls, handlers } = bot;
    await bot.close();
    const hash = await visitor.request(OCR, { file_id: 'nobody-there', language: 'fa' });
    const document = await ended(hash);
    bot = await new Bot().listen(port);
    Object.assign(bot, { calls, handlers });
    assert.equal(document.error_data.code, 'bot_unavailable');
    assert.match((await resultPage(visitor, hash)).text, /The service did not answer\. Please try again/);
    const next = await ask(visitor, (call) => call.success({ back: true }));
    assert.equal((await ended(next)).status, 'completed');
  });

  test('no answer within LOCAL_API_TIMEOUT: the call is given up', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, () => {});
    const document = await ended(hash);
    assert.equal(document.error_data.code, 'timeout');
    for (const call of bot.of(hash)) {
      const ms = (await call.closed) - call.at;
      assert.ok(ms > CALL_TIMEOUT_S * 900 && ms < CALL_TIMEOUT_S * 1000 + 1000, `${ms} ms`);
    }
    assert.equal(bot.of(hash).length, 2);
  });

  test('words with HTML, line breaks and control characters harm nothing', async () => {
    const visitor = peygir.visitor();
    const evil = '<script>alert(1)</script>"\'&<b onclick=x>\r\nSet-Cookie: a=b\u0007\u2028';
    const failed = await ask(visitor, (call) => call.error('<i>X</i>\r\nY', { message: evil }));
    await ended(failed);
    const done = await ask(visitor, (call) => call.success({ text: evil, pages: '<b>2</b>', confidence: [evil] }));
    await ended(done);
    for (const hash of [failed, done]) {
      const page = await resultPage(visitor, hash);
      assert.equal(page.status, 200);
      assert.ok(!/<script>alert|<b onclick|<b>2|<i>X/.test(page.html));
      assert.match(page.html, /&lt;script&gt;alert/);
      assert.equal(page.headers.get('set-cookie')?.includes('a=b') ?? false, false);
    }
    for (const what of ['status', 'result']) await visitor.json(`/api/local-requests/${failed}/${what}`);
    assert.ok(!/Set-Cookie: a=b/.test(peygir.logs().replace(/\\[rn]/g, '')) || !/\nSet-Cookie/.test(peygir.logs()));
  });

  test('a link in a result is one only when it leads to a web address', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.success({ text: 'javascript:alert(1)', pages: 1 }));
    await ended(hash);
    assert.doesNotMatch((await resultPage(visitor, hash)).html, /href="javascript:/);
  });
});

describe('codes', () => {
  test('OTP_WRONG and OTP_EXPIRED lead back to the code page in the words of the bot', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    await peygir.status(hash, 'otp_required');
    await visitor.act(hash, 'otp', { otp: '11111' });
    await waitFor(async () => (await peygir.document(hash)).otp_data.attempts === 1);
    assert.match((await visitor.open(`/services/${CREDIT}/otp/${hash}`)).mistakes[0].text, /That is not it/);
    await visitor.act(hash, 'otp', { otp: '00000' });
    const document = await waitFor(async () => {
      const now = await peygir.document(hash);
      return now.status === 'otp_required' && bot.of(hash).some(({ data }) => data.otp === '00000') && now;
    });
    assert.equal(document.otp_data.attempts, 1, 'an expired code is no wrong one');
    assert.match((await visitor.open(`/services/${CREDIT}/otp/${hash}`)).text, /too old|has expired/);
  });

  test('a leg that fails with a code in its hands is not called again: the visitor is asked for another', async () => {
    const visitor = peygir.visitor();
    bot.on(CREDIT, (call) => (call.data.otp ? call.send(500, {}, '') : call.smsSent({ expiry: 60 })));
    try {
      const hash = await visitor.request(CREDIT, GOOD);
      await peygir.status(hash, 'otp_required');
      await visitor.act(hash, 'otp', { otp: '22222' });
      await waitFor(async () => (await peygir.history(hash)).some(([, , , , , message]) => message === 'messages.code_lost'));
      const document = await peygir.status(hash, 'otp_required');
      assert.equal(document.otp_data.attempts, 0, 'no try was used');
      assert.equal(bot.of(hash).filter(({ data }) => data.otp).length, 1);
      assert.match((await visitor.open(`/services/${CREDIT}/otp/${hash}`)).text, /ask for another/);
    } finally {
      bot.on(CREDIT, codeBot);
    }
  });

  test('OTP_WRONG without a code, and SMS_SENT from a service without codes, end honestly', async () => {
    const visitor = peygir.visitor();
    const one = await ask(visitor, (call) => call.error('OTP_WRONG'));
    assert.equal((await ended(one)).status, 'failed');
    bot.on(CREDIT, (call) => call.error('OTP_EXPIRED'));
    try {
      const two = await visitor.request(CREDIT, GOOD);
      assert.equal((await ended(two)).status, 'failed');
    } finally {
      bot.on(CREDIT, codeBot);
    }
  });
});

describe('a bot that writes in Redis itself', () => {
  // As in the seeds: read, change fields, SETEX 1800, PUBLISH.
  async function write(hash, fields) {
    const key = `local_request:${hash}`;
    const document = JSON.parse(await peygir.redis.get(key));
    const next = { ...document, ...fields, updated_at: new Date().toISOString() };
    await peygir.redis.setex(key, 1800, JSON.stringify(next));
    await peygir.redis.publish(`local_request_updates:${hash}`, JSON.stringify({ hash, ...fields }));
  }

  test('progress, result and end are seen, recorded and told', async () => {
    const visitor = peygir.visitor();
    let release;
    const hash = await ask(visitor, (call) => (release = () => call.error('TOO_LATE')));
    await waitFor(() => release);
    await write(hash, { progress: 40, step: 'recognizing', current_message: 'Reading page 1', extra: { kept: [] } });
    const view = await visitor.view(hash);
    assert.equal(view.progress, 40);
    assert.equal(view.step, 'recognizing');
    assert.equal(view.current_message, 'Reading page 1');
    const history = await peygir.history(hash);
    assert.ok(history.some(([, , , step, progress]) => step === 'recognizing' && progress === 40), 'it is in the history');
    assert.equal((await peygir.document(hash)).revision, history.length);
    const text = await peygir.redis.get(`local_request:${hash}`);
    assert.ok(text.includes('"extra":{"kept":[]}'), 'unknown fields stay as they are');
    assert.match(text, /"request_data":\{"sealed":"v1:/, 'the form stays sealed beside them');
    await write(hash, { status: 'completed', progress: 100, result_data: { text: 'by itself' }, completed_at: new Date().toISOString() });
    assert.equal((await visitor.view(hash)).is_completed, true);
    release();
    await waitFor(async () => (await jobOf(hash)).status === 'completed', { what: 'the job to end likewise' });
    assert.deepEqual((await peygir.document(hash)).result_data, { text: 'by itself' }, 'its later answer changes nothing');
    assert.ok(!(await peygir.redis.get(`local_request:${hash}`)).includes('by itself'), 'a result that it wrote plain is sealed when it is seen');
    assert.deepEqual((await visitor.json(`/api/local-requests/${hash}/result`)).result, { text: 'by itself' });
    assert.equal(bot.of(hash).length, 1);
  });

  test('it cannot revive what has ended, nor take it over', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.error('NO'));
    await ended(hash);
    const { owner } = await peygir.guard(hash);
    await write(hash, { status: 'processing', progress: 5, owner: 'me', user_id: '7', error_data: null });
    const view = await visitor.view(hash);
    assert.equal(view.status, 'failed');
    assert.equal(view.error.code, 'NO');
    assert.equal((await peygir.guard(hash)).owner, owner);
    const document = await peygir.document(hash);
    assert.equal(document.status, 'failed');
    assert.equal(document.owner, owner);
    assert.equal(document.user_id, null);
  });

  test('it cannot lower progress, nor jump over states', async () => {
    const visitor = peygir.visitor();
    let release;
    const hash = await ask(visitor, (call) => (release = () => call.success({})));
    await waitFor(() => release);
    await write(hash, { progress: 60, step: 'recognizing' });
    assert.equal((await visitor.view(hash)).progress, 60);
    await write(hash, { progress: 10, step: 'preprocessing' });
    assert.equal((await visitor.view(hash)).progress, 60);
    await write(hash, { status: 'otp_verifying' });
    assert.equal((await visitor.view(hash)).status, 'processing');
    await write(hash, { status: 'nonsense', progress: 'many' });
    assert.equal((await visitor.view(hash)).status, 'processing');
    release();
    assert.equal((await ended(hash)).status, 'completed');
  });

  test('a document that is no JSON any more is an honest error, and the others go on', async () => {
    const visitor = peygir.visitor();
    let call;
    const hash = await ask(visitor, (one) => (call = one));
    await waitFor(() => call);
    await peygir.redis.set(`local_request:${hash}`, 'not json {{{', 'KEEPTTL');
    const answer = await visitor.get(`/api/local-requests/${hash}/status`);
    assert.equal(answer.status, 500);
    assert.equal(answer.json.status, 500);
    assert.ok(!peygir.logs().includes('not json {{{'));
    call.success({});
    const other = await ask(visitor, (one) => one.success({ fine: 1 }));
    assert.equal((await ended(other)).status, 'completed', 'the others go on');
  });
});

describe('many calls and none', () => {
  test('three hundred slow calls are carried at once', async () => {
    const visitor = peygir.visitor();
    const N = 300;
    const waiting = [];
    bot.on(PATIENT, (call) => waiting.push(call));
    bot.mostOpen = 0;
    const first = await visitor.requestJson(PATIENT, { n: '0' });
    const hashes = [first, ...(await Promise.all(Array.from({ length: N - 1 }, (unused, n) => visitor.requestJson(PATIENT, { n: String(n + 1) }))))];
    await waitFor(() => waiting.length === N, { timeout: 30_000, what: 'all calls', now: () => waiting.length });
    assert.equal(bot.open, N);
    waiting.forEach((call) => call.success({}));
    for (const hash of hashes) await ended(hash);
    assert.equal(bot.mostOpen, N);
  });

  test('cancelling closes the connection of the running call within a second', async () => {
    const visitor = peygir.visitor();
    let call;
    const hash = await ask(visitor, (one) => (call = one));
    await waitFor(() => call);
    const pressed = performance.now();
    assert.equal((await visitor.act(hash, 'cancel')).status, 200);
    const closed = await Promise.race([call.closed, new Promise((resolve) => setTimeout(resolve, 5000, Infinity).unref())]);
    assert.ok(closed - pressed < 1000, `${closed - pressed} ms`);
    await waitFor(async () => (await jobOf(hash)).status === 'cancelled');
    assert.equal(bot.of(hash).filter(({ path }) => path === `/api/services/${OCR}`).length, 1, 'it is not tried again');
  });

  test('a request that expired while it waited ends without a call', async () => {
    const visitor = peygir.visitor();
    const pid = peygir.kill('worker', 'SIGSTOP');
    let hash;
    try {
      hash = await ask(visitor, (call) => call.success({}));
      await peygir.redis.del(`local_request:${hash}`, `{local_request:${hash}}:guard`, `{local_request:${hash}}:events`);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const job = await waitFor(async () => {
      const now = await jobOf(hash);
      return now.status === 'cancelled' && now;
    });
    assert.equal(job.error, 'expired');
    assert.equal(bot.of(hash).length, 0);
  });

  test('a job that a seed snippet pushed is posted as it is', async () => {
    const got = [];
    bot.on('/api/jobs/default', (call) => {
      got.push(call);
      call.success({});
    });
    const { redis } = peygir;
    await redis.hset('peygir:task:data:seed-1', { type: 'default', file_id: 'f-1', status: 'pending', created_at: Date.now() });
    await redis.lpush('peygir:task:queue', 'seed-1');
    const call = await waitFor(() => got.find(({ data }) => data.job?.id === 'seed-1'));
    assert.equal(call.data.job.type, 'default');
    assert.equal(call.data.job.run, 1);
    assert.equal(call.data.payload.file_id, 'f-1');
    assert.equal('accept-language' in call.headers, false, 'a job of no request is done for no visitor');
    await redis.hset('peygir:task:data:seed-2', { payload: '{"a":[1,{}]}', status: 'pending' });
    await redis.lpush('peygir:task:queue', 'seed-2');
    const second = await waitFor(() => got.find(({ data }) => data.job?.id === 'seed-2'));
    assert.deepEqual(second.data.payload, { a: [1, {}] });
    await waitFor(async () => (await redis.hget('peygir:task:data:seed-2', 'status')) === 'completed');
  });
});

test('a redirect to another server is not followed', async () => {
  const calls = [];
  const server = net.createServer((socket) => calls.push(socket.destroy()));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const visitor = peygir.visitor();
  const hash = await ask(visitor, (call) => call.send(307, { location: `http://127.0.0.1:${server.address().port}/` }, ''));
  assert.equal((await ended(hash)).status, 'failed');
  assert.equal(calls.length, 0);
  server.close();
});

test('nothing of all this was an error of ours', () => {
  assert.equal(peygir.run.said.stderr.includes('ended'), false, peygir.run.said.stderr);
});
