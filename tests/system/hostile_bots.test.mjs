// hostile_bots.test.mjs: bots that answer, report and write the worst: each ends in a clear error, and everybody else is served.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import zlib from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { OCR, progressPath, resultPath } from '../lib/demo.mjs';
import { editServices, freePort, start, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';
import { EVIL, RUINED, WILD } from '../lib/wild.mjs';

const SCAN = { file_id: 'scan', language: 'en' };
const MIB = 1 << 20;
const FORMATS = ['text', 'number', 'money', 'date', 'list', 'link'];
const SHAPES = 'shapes'; // a service that shows one value in each format
const MEMORY_KIB = 200 * 1024; // more than the worker may grow while one bomb of the many below would be five times as large

let peygir, bot, program;
const held = new Map(); // by hash: the call that the bot has not answered yet

// --- answers without measure ---

// A gigabyte of zeros in one megabyte: the same block again and again.
function bomb() {
  const block = zlib.deflateRawSync(Buffer.alloc(MIB), { finishFlush: zlib.constants.Z_FULL_FLUSH });
  return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), ...Array(1024).fill(block)]);
}
const BOMB = bomb(), PACKED = zlib.gzipSync(BOMB), EMPTY_BLOCKS = Buffer.from([0, 0, 0, 255, 255]);

// Goes on until the worker has had enough.
function without(end, call) {
  const more = setInterval(() => call.socket.writable && end(), 5);
  call.closed.then(() => clearInterval(more));
}
const packed = (encoding, body) => (call) => call.send(200, { 'content-encoding': encoding }, body);

const MEASURELESS = {
  'a-bomb': [packed('gzip', BOMB), 'bot_invalid'],
  'a-bomb-in-a-bomb': [packed('gzip, gzip', PACKED), 'bot_invalid'],
  'fifty-packings': [packed(Array(50).fill('gzip').join(', '), PACKED), 'bot_unavailable'],
  'no-packing-known': [packed('x-own', '{"status":"success","data":{}}'), 'bot_unavailable'],
  'packed-nothing': [(call) => {
    call.res.writeHead(200, { 'content-encoding': 'gzip' });
    call.res.write(BOMB.subarray(0, 10));
    without(() => call.res.write(Buffer.alloc(100_000, EMPTY_BLOCKS)), call);
  }, 'bot_invalid'],
  'a-drop-at-a-time': [(call) => {
    call.res.writeHead(200);
    without(() => call.res.write(' '), call);
  }, 'timeout'],
  'a-line-without-end': [(call) => {
    call.socket.write('HTTP/1.1 200 ');
    without(() => call.socket.write('x'.repeat(10_000)), call);
  }, 'bot_unavailable'],
  'always-continue': [(call) => without(() => call.socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)), call), 'bot_unavailable'],
};

before(async () => {
  bot = await new Bot().listen(await freePort());
  for (const slug of [OCR, SHAPES]) bot.on(slug, (call) => held.set(call.hash, call));
  bot.on(`/api/services/${OCR}/cancel`, (call) => call.success({}));
  for (const [slug, [behave]] of Object.entries(MEASURELESS)) bot.on(slug, behave);
  const plain = (slug) => [slug, () => ({ slug, title: slug, estimated_duration: 5, fields: [{ name: 'n', label: 'N' }], call_timeout: MEASURELESS[slug][1] === 'timeout' ? 1 : 20 })];
  const shapes = ({ slug }) => ({ slug, title: slug, estimated_duration: 5, fields: [{ name: 'n', label: 'N' }], result: FORMATS.map((format) => ({ path: format, label: format, format })) });
  peygir = await start({
    env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_TRIES: '2', WORKER_BACKOFF: '0' },
    services: editServices({ ...Object.fromEntries(Object.keys(MEASURELESS).map(plain)), [SHAPES]: shapes }),
  });
  const { token } = await peygir.cliJson('token', 'create', '--role', 'bot', 'hostile');
  program = new Visitor(peygir.base, { headers: { authorization: `Bearer ${token}` } });
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
  }
});

async function called(visitor, slug = OCR, data = SCAN) {
  const hash = await visitor.request(slug, data);
  return waitFor(() => held.get(hash), { what: 'the bot to be called' });
}

const jobEnded = (hash) => {
  const job = () => peygir.redis.hgetall(`peygir:task:data:${hash}`);
  return waitFor(async () => {
    const now = await job();
    return ['completed', 'failed', 'cancelled'].includes(now.status) && now;
  }, { what: 'the job to end', now: job });
};

// The most memory that the worker has held since this was last asked, in KiB.
function peakOfWorker() {
  const pid = peygir.pid('worker');
  const [, peak] = fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+)/m);
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return Number(peak);
}

function assertHarmless(...answers) {
  for (const { html, type } of answers) assert.ok(!/html/.test(type) || !html.includes(EVIL.slice(0, 24)), 'what a bot said is escaped');
}

describe('answers without measure', () => {
  test('each is tried again, then fails in words for people, while the worker stays small and does its other work', async () => {
    const visitor = peygir.visitor();
    peakOfWorker();
    const before = peakOfWorker();
    const asked = [];
    for (const slug of Object.keys(MEASURELESS)) for (let n = 0; n < 3; n++) asked.push([slug, await visitor.requestJson(slug, { n: String(n) })]);
    await waitFor(() => bot.calls.some(({ path }) => path.endsWith('a-drop-at-a-time')));
    const good = await called(visitor);
    good.success({ text: 'fine' });
    await peygir.status(good.hash, 'completed');
    assert.ok(bot.open > 0, 'the others were still at it');
    for (const [slug, hash] of asked) {
      const { status, error_data: error } = await peygir.status(hash, 'failed', 'completed');
      assert.deepEqual([slug, status, error.code, error.retryable], [slug, 'failed', MEASURELESS[slug][1], true]);
      assert.equal(bot.of(hash).length, 2, slug);
      assert.ok((await jobEnded(hash)).error.startsWith(`${error.code}: `), slug);
      assert.match((await visitor.get(resultPath(hash, slug))).text, /The service (did not answer|gave an answer|took too long)/);
    }
    await waitFor(() => bot.open === 0, { what: 'all connections to be closed', now: () => bot.open });
    assert.ok(peakOfWorker() - before < MEMORY_KIB);
  });
});

describe('answers to calls that are about no visitor\'s result', () => {
  test('the call that tells of a cancellation fails as a job, and the request stays cancelled', async () => {
    const visitor = peygir.visitor();
    bot.on(`/api/services/${OCR}/cancel`, packed('gzip', BOMB));
    try {
      const { hash } = await called(visitor);
      assert.equal((await visitor.act(hash, 'cancel')).status, 200);
      const job = await jobEnded(`${hash}.cancel`);
      assert.deepEqual([job.status, /larger than allowed/.test(job.error)], ['failed', true], job.error);
      assert.equal((await visitor.view(hash)).status, 'cancelled');
    } finally {
      bot.on(`/api/services/${OCR}/cancel`, (call) => call.success({}));
    }
  });

  test('a job that a program pushed is tried again, then fails with the reason', async () => {
    const reasons = { bomb: [packed('gzip', BOMB), /larger than allowed/], garbage: [(call) => call.send(200, {}, '<html>'), /not JSON/], kinds: [(call) => call.reply({ status: 'success', data: [EVIL] }), /"data" is not an object/] };
    bot.on('/api/jobs/default', (call) => reasons[call.data.payload.do][0](call));
    for (const [what, [, reason]] of Object.entries(reasons)) {
      const { id } = await peygir.cliJson('queue', 'push', 'default', '--payload', JSON.stringify({ do: what }));
      const job = await jobEnded(id);
      assert.deepEqual([job.status, job.run, reason.test(job.error)], ['failed', '2', true], job.error);
    }
  });
});

describe('results of every kind', () => {
  const shown = async (data) => {
    const visitor = peygir.visitor();
    const call = await called(visitor, SHAPES, { n: 'x' });
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    call.send(200, {}, `{"status":"success","data":${text}}`);
    await peygir.status(call.hash, 'completed');
    const page = await visitor.get(resultPath(call.hash, SHAPES));
    assert.equal(page.status, 200);
    assertHarmless(page);
    assert.ok((await visitor.get(`/api/local-requests/${call.hash}/result`)).html.includes(`"result":${text},`), 'programs get the bytes that it sent');
    return page;
  };
  const all = (value) => Object.fromEntries(FORMATS.map((format) => [format, value]));

  for (const [what, value] of Object.entries({ text: EVIL, truth: true, nothing: null, lists: [[EVIL], []], objects: { [EVIL]: { a: EVIL } }, fractions: 1.5 })) {
    test(`${what} where anything else was meant`, () => shown(all(value)));
  }

  test('numbers beyond all are shown as the bot wrote them', async () => {
    const { text } = await shown('{"text":-99999999999999999999,"number":123456789012345678901234567890,"money":1e999,"list":[99999999999999999999]}');
    for (const number of ['-99999999999999999999', '123456789012345678901234567890', '1e999']) assert.ok(text.includes(number), text);
  });

  test('a list of a hundred thousand items is cut where nobody reads on', async () => {
    const { html } = await shown({ list: Array(100_000).fill(7) });
    assert.ok(html.length < 100_000, `${html.length}`);
    assert.match(html, /…/);
  });

  test('a link with a quote or a script in it is none', async () => {
    const { links } = await shown({ link: 'javascript:alert(1)' });
    assert.ok(!links.some((link) => link.startsWith('javascript')));
    await shown({ link: `http://x/"onmouseover="alert(1)${EVIL}` });
  });
});

describe('reports without measure', () => {
  const post = (hash, what, body) =>
    program.fetch(`/api/internal/local-requests/${hash}/${what}`, { method: 'POST', body, headers: { 'content-type': 'application/json', 'peygir-run': '1' } });
  const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
  const refused = [
    ['progress', '{"progress":1e400}', 422, /whole number from 0 to 100/],
    ['progress', '{"progress":true}', 422, /whole number from 0 to 100/],
    ['progress', `{"message":"${'m'.repeat(4001)}"}`, 422, /at most 4000 bytes/],
    ['progress', `{"progress":${'9'.repeat(1000)}}`, 400, /byte 13 .*outside the range/],
    ['progress', '{"progress":NaN}', 400, /byte 13 .*a value was expected/],
    ['progress', '{"progress":1}{}', 400, /byte 15 .*something follows/],
    ['progress', Buffer.from('{"message":"\xff\xfe"}', 'latin1'), 400, /not UTF-8/],
    ['progress', '{"message":"\\ud800"}', 400, /surrogate/],
    ['progress', '{"message":"a\\u0000b"}', 400, /u0000/],
    ['progress', zlib.gzipSync('{"progress":1}'), 400, /not UTF-8/],
    ['completed', `{"data":${deep}}`, 400, /nested more than 32 deep/],
    ['completed', `{"data":${JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (unused, i) => [i, i])))}}`, 400, /256/],
    ['otp-required', '{"expiry":1e999}', 422, /from 1 to 86400/],
    ['otp-required', `{"hash":"${'h'.repeat(1001)}"}`, 422, /at most 1000 bytes/],
    ['failed', `{"code":"${EVIL.slice(0, 8)}"}`, 422, /letters, digits/],
    ['failed', '{"data":[1]}', 422, /must be an object/],
  ];

  test('are refused in a sentence that says where and what, and change nothing', async () => {
    const call = await called(peygir.visitor());
    const { revision } = await peygir.document(call.hash);
    for (const [what, body, status, sentence] of refused) {
      const answer = await post(call.hash, what, body);
      assert.deepEqual([answer.status, answer.type], [status, 'application/problem+json'], `${what} ${String(body).slice(0, 40)}`);
      assert.match(answer.json.errors?.[0].detail ?? answer.json.detail, sentence);
    }
    assert.equal((await peygir.document(call.hash)).revision, revision);
    call.success({ text: 'fine' });
    await peygir.status(call.hash, 'completed');
  });

  test('are taken with HTML and control characters in them, which harm no page', async () => {
    const visitor = peygir.visitor();
    const call = await called(visitor), { hash } = call;
    assert.equal((await post(hash, 'progress', JSON.stringify({ step: EVIL, message: EVIL }))).status, 200);
    assertHarmless(await visitor.get(progressPath(hash, OCR)), await visitor.get('/requests'));
    assert.equal((await post(hash, 'otp-required', JSON.stringify({ hash: { a: EVIL }, message: EVIL }))).status, 200);
    assertHarmless(await visitor.get(`/services/${OCR}/otp/${hash}`));
    assert.equal((await post(hash, 'failed', JSON.stringify({ message: EVIL }))).status, 200);
    const page = await visitor.get(resultPath(hash, OCR));
    assertHarmless(page);
    assert.match(page.html, /&lt;script&gt;/);
    call.error('LATE');
    assert.ok(!peygir.logs().includes('alert(1)'));
  });
});

describe('documents that a bot wrote by itself', () => {
  async function spoil(visitor, write) {
    const call = await called(visitor), key = `local_request:${call.hash}`;
    await peygir.redis.setex(key, 1800, write(JSON.parse(await peygir.redis.get(key))));
    await peygir.redis.publish(`local_request_updates:${call.hash}`, '{"hash":');
    return call;
  }

  for (const [what, write, expected] of WILD) {
    test(`${what}: told as far as it can be, escaped, and the job ends`, async () => {
      const visitor = peygir.visitor();
      const call = await spoil(visitor, write), { hash } = call;
      const view = await visitor.view(hash);
      const document = await peygir.document(hash);
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(document[field], value, field);
      assert.deepEqual([view.hash, view.status], [hash, document.status]);
      assert.ok(view.service_slug === null || typeof view.service_slug === 'string');
      assert.ok(view.estimated_duration === null || Number.isInteger(view.estimated_duration));
      assert.ok(Number.isInteger(view.progress) && view.progress >= 0 && view.progress <= 100);
      const pages = [progressPath(hash, OCR), `/services/${OCR}/otp/${hash}`, resultPath(hash, OCR), '/requests', `/services/${OCR}?again=${hash}`];
      for (const path of pages) {
        const page = await visitor.get(path);
        assert.ok([200, 303, 404].includes(page.status), `${path} ${page.status}`);
        assertHarmless(page);
      }
      const result = await visitor.get(`/api/local-requests/${hash}/result`);
      assert.ok(result.json && [200, 409].includes(result.status));
      assert.ok((await peygir.redis.memory('USAGE', `{local_request:${hash}}:events`)) < 60_000, 'the history stays small');
      call.success({ text: 'fine' });
      await jobEnded(hash);
      assert.ok(['completed', 'failed'].includes((await visitor.view(hash)).status));
    });
  }

  test('members that no history holds are JSON in the view, whatever they are in the document', async () => {
    const visitor = peygir.visitor();
    const { hash } = await spoil(visitor, (document) => JSON.stringify(document).replace(/"estimated_duration":\d+/, '"estimated_duration":12ee5'));
    assert.equal((await visitor.view(hash)).estimated_duration, null);
  });

  test('a language with the end of a header in it is told to no bot', async () => {
    const visitor = peygir.visitor();
    const first = await spoil(visitor, (document) => JSON.stringify({ ...document, locale: 'en\r\nX-Evil: 1' }));
    held.delete(first.hash);
    first.error('AGAIN', { retryable: true });
    const second = await waitFor(() => held.get(first.hash), { what: 'the second call' });
    assert.deepEqual([first, second].map(({ headers }) => headers['accept-language']), ['en', undefined]);
    assert.equal(second.headers['x-evil'], undefined);
    second.success({ text: 'fine' });
  });

  test('no JSON at all: an honest error that names the request, and the job fails', async () => {
    for (const text of RUINED) {
      const visitor = peygir.visitor();
      const call = await spoil(visitor, () => text);
      assert.equal((await visitor.get(`/api/local-requests/${call.hash}/status`)).status, 500);
      assert.equal((await visitor.get('/requests')).status, 200);
      call.success({});
      assert.equal((await jobEnded(call.hash)).error, `request ${call.hash}: the document is not a JSON object`);
    }
  });
});

test('through all of this no program of Peygir ended', () => {
  assert.equal(peygir.run.said.stderr.includes('ended'), false, peygir.run.said.stderr);
});
