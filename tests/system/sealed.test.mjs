// sealed.test.mjs: personal data lie nowhere open: not in Redis's files, not in a log, not in what an administrator sees.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CREDIT, OCR, enter, progressPath, resultPath } from '../lib/demo.mjs';
import { SOURCE, command, editServices, freePort, program, start, waitFor } from '../lib/peygir.mjs';
import { oddMailServer } from '../lib/smtp.mjs';

const STRICT = 'strict';
const OPEN = 'open';
const LONG_CODE = 12; // digits that turn up nowhere by chance
const NEWS_TO = { name: 'news_to', type: 'notify_email', label: 'E-mail', rules: ['email'] };

// Reads a page through a window so small that most of it must wait in front of it, and tells how many bytes that were.
const SLOW_READER = `
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.connect(('127.0.0.1', int(sys.argv[1])))
s.sendall(f'GET {sys.argv[2]} HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nCookie: {sys.argv[3]}\\r\\nConnection: close\\r\\n\\r\\n'.encode())
print(len(s.makefile('rb').read()))
`;

let peygir;
let bot;
let mail;
const behaviours = new Map(); // by file_id: what the bot does with the call

const digits = (count) => Array.from({ length: count }, () => Math.floor(Math.random() * 10)).join('');

// A national code with a right check digit.
function nationalCode() {
  const nine = `1${digits(8)}`;
  const rest = [...nine].reduce((sum, digit, i) => sum + Number(digit) * (10 - i), 0) % 11;
  return nine + (rest < 2 ? rest : 11 - rest);
}

const person = () => ({ mobile: `0912${digits(7)}`, national_code: nationalCode() });

// --- what lies on the disk ---

const filesOf = (dir) =>
  fs.readdirSync(dir, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));

// Names of the files of the run directory that hold a text, in the forms in which programs write one.
function holders(text, files = filesOf(peygir.runDir)) {
  const forms = [text, Buffer.from(text).toString('hex'), ...[0, 1, 2].map((shift) => base64Inside(text, shift))];
  return files.filter((file) => {
    const bytes = fs.readFileSync(file);
    return forms.some((form) => bytes.includes(form));
  });
}

// What base64 makes of it when it begins so many bytes after a group of three.
function base64Inside(text, shift) {
  const all = Buffer.from('\0'.repeat(shift) + text).toString('base64').replace(/=+$/, '');
  return all.slice(shift ? 4 : 0, -2);
}

const appendOnly = (files) => files.filter((file) => file.includes('appendonlydir'));
const names = (files) => files.map((file) => path.relative(peygir.runDir, file));

// --- the bot ---

async function ask(visitor, behave, slug = OCR) {
  const file_id = `case-${digits(10)}`;
  behaviours.set(file_id, behave);
  return visitor.request(slug, { file_id, language: 'fa' });
}

// Read, change fields, write back, as the seeds do.
async function write(hash, fields) {
  const key = `local_request:${hash}`;
  const document = { ...JSON.parse(await peygir.redis.get(key)), ...fields, updated_at: new Date().toISOString() };
  await peygir.redis.setex(key, 1800, JSON.stringify(document));
  await peygir.redis.publish(`local_request_updates:${hash}`, JSON.stringify({ hash, status: document.status }));
}

before(async () => {
  [bot, mail] = [await new Bot().listen(await freePort()), await oddMailServer()];
  for (const slug of [OCR, STRICT, OPEN]) bot.on(slug, (call) => behaviours.get(call.data.file_id)(call));
  const copyOf = (slug, seal) => () => ({
    slug, title: slug, estimated_duration: 5, fields: [{ name: 'file_id', label: 'F' }, { name: 'language', label: 'L' }], seal,
  });
  peygir = await start({
    env: {
      PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_TRIES: '1', PEYGIR_LOG_LEVEL: 'debug',
      MAIL_FROM: 'peygir@example.net', MAIL_URL: `smtp://127.0.0.1:${mail.port}`, PEYGIR_SITE_URL: 'https://site.example/',
    },
    services: editServices({
      [CREDIT]: (definition) => ({ ...definition, code: { length: LONG_CODE }, fields: [...definition.fields, NEWS_TO] }),
      [STRICT]: copyOf(STRICT, 'strict'),
      [OPEN]: copyOf(OPEN, 'off'),
    }),
  });
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
    await mail?.stop();
  }
});

describe('after a whole journey', () => {
  const values = person();
  const failing = person();
  const wrong = digits(LONG_CODE);
  const code = digits(LONG_CODE);
  const result = `result${digits(12)}`;
  const address = `visitor${digits(12)}@example.org`;
  const seen = []; // what the bot was told
  let hash;
  let failed;

  before(async () => {
    bot.on(CREDIT, (call) => {
      seen.push(call.data);
      if (call.data.mobile === failing.mobile) call.error('NO_SUCH_PERSON', { message: 'Nobody is known by these values.' });
      else if (call.data.otp === undefined) call.smsSent({ hash: 'handle', expiry: 100, message: 'A code is on its way.' });
      else if (call.data.otp === code) call.success({ score: 700, name: result });
      else call.error('OTP_WRONG', { message: 'That is not it.' });
    });
    const visitor = peygir.visitor();
    hash = await visitor.request(CREDIT, { ...values, news_to: address });
    await peygir.status(hash, 'otp_required');
    await enter(visitor, hash, wrong);
    await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2, { what: 'the wrong code to be judged' });
    await enter(visitor, hash, code);
    await peygir.status(hash, 'completed');
    failed = await visitor.request(CREDIT, failing);
    await peygir.status(failed, 'failed');
    await waitFor(() => mail.mails.filter(({ name }) => address === `${name}@example.org`).length === 2, { what: 'the mails about a code and the end' });

    assert.deepEqual(seen.map(({ mobile, national_code }) => ({ mobile, national_code })), [values, values, values, failing], 'the bot gets values plain');
    assert.equal(seen[2].otp, code);
    assert.ok((await visitor.get(resultPath(hash))).text.includes('700'), 'and the visitor gets the result');
    assert.equal((await visitor.json(`/api/local-requests/${hash}/result`)).result.name, result);
    const again = await visitor.get(`/services/${CREDIT}?again=${failed}`);
    assert.equal(again.form(`/services/${CREDIT}`).fields.national_code, failing.national_code, 'who starts again finds the values');
    await waitFor(async () => Number(await peygir.redis.zcard('peygir:task:active')) === 0);
    await peygir.redis.save(); // a snapshot, uncompressed, beside the append-only file
  });

  test('neither form, nor result, nor where to write to the visitor lies in any file of the instance (ASVS v4.0.3-6.1.1, 6.1.3, 7.1.2)', () => {
    const files = filesOf(peygir.runDir);
    assert.ok(names(files).includes('dump.rdb') && appendOnly(files).length > 0, names(files).join(' '));
    for (const text of [...Object.values(values), ...Object.values(failing), result, address]) {
      assert.deepEqual(names(holders(text, files)), [], text);
    }
  });

  test('no code of an ended request lies in a snapshot or a log (ASVS v4.0.3-7.1.1)', () => {
    const files = filesOf(peygir.runDir).filter((file) => !file.includes('appendonlydir'));
    for (const text of [code, wrong]) assert.deepEqual(names(holders(text, files)), [], text);
  });

  test('the search would have found them: what is not sealed lies there', async () => {
    const visitor = peygir.visitor();
    const mark = `open${digits(12)}`;
    const open = await ask(visitor, (call) => call.success({ text: mark, of: call.data.file_id }), OPEN);
    const { result_data: data } = await peygir.status(open, 'completed');
    assert.ok(appendOnly(holders(mark)).length > 0);
    assert.ok(appendOnly(holders(data.of)).length > 0);
    assert.deepEqual(JSON.parse(await peygir.redis.get(`local_request:${open}`)).result_data, data);
    assert.ok(appendOnly(holders(hash)).length > 0);
  });

  test('its job holds neither result nor code nor form (ASVS v4.0.3-6.1.1)', async () => {
    for (const id of [hash, `${hash}.1`, `${hash}.2`]) {
      const job = await peygir.redis.hgetall(`peygir:task:data:${id}`);
      assert.equal(job.status, 'completed', id);
      const text = JSON.stringify(job);
      for (const value of [...Object.values(values), result, code, wrong]) assert.ok(!text.includes(value), `${id}: ${text}`);
    }
  });

  test('nothing of a large result reaches a file of nginx while a slow visitor reads it', async () => {
    const visitor = peygir.visitor();
    const mark = `large${digits(12)}`;
    const rows = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`row${i}`, `${mark}${'&'.repeat(5_000)}`]));
    const large = await ask(visitor, (call) => call.success(rows), STRICT);
    await peygir.status(large, 'completed');
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const { code, stdout, stderr } = await command('python3', ['-c', SLOW_READER, String(peygir.port), resultPath(large, STRICT), cookie]);
    assert.equal(code, 0, stderr);
    assert.ok(Number(stdout) > 1_000_000, 'the visitor gets it whole');
    assert.doesNotMatch(fs.readFileSync(peygir.file('nginx-error.log'), 'utf8'), /temporary file/, 'its file would have no name, but nginx tells of it');
  });
});

describe('a result that a bot writes into Redis by itself', () => {
  test('is sealed by whoever sees it first, and shown', async () => {
    const visitor = peygir.visitor();
    let release;
    const hash = await ask(visitor, (call) => (release = () => call.success({ text: 'too late' })));
    await waitFor(() => release);
    await write(hash, { status: 'completed', progress: 100, result_data: { text: 'without an answer' } });
    assert.equal((await visitor.view(hash)).is_completed, true);
    assert.match(await peygir.redis.get(`local_request:${hash}`), /"result_data":\{"sealed":"v1:/);
    assert.match(await peygir.redis.hget(`{local_request:${hash}}:guard`, 'result'), /^\x01[0-9a-f]{8}/); // the same in fewer bytes
    assert.ok((await visitor.get(resultPath(hash, OCR))).text.includes('without an answer'));
    release();
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}`, 'status')) === 'completed');
    assert.deepEqual((await peygir.document(hash)).result_data, { text: 'without an answer' });
  });

  test('without anybody looking, it is sealed when its job ends', async () => {
    const visitor = peygir.visitor();
    let release;
    const hash = await ask(visitor, (call) => (release = () => call.success({ text: 'too late' })));
    await waitFor(() => release);
    await write(hash, { status: 'completed', progress: 100, result_data: { text: 'without an answer' } });
    release();
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}`, 'status')) === 'completed');
    assert.match(await peygir.redis.get(`local_request:${hash}`), /"result_data":\{"sealed":"v1:/);
  });

  test('is refused by a strict service, whose request fails and says why', async () => {
    const visitor = peygir.visitor();
    let release;
    const hash = await ask(visitor, (call) => (release = () => call.success({ text: 'too late' })), STRICT);
    await waitFor(() => release);
    await write(hash, { status: 'completed', progress: 100, result_data: { text: 'without an answer' } });
    const view = await visitor.view(hash);
    assert.equal(view.is_failed, true);
    assert.equal(view.error.code, 'plain_result');
    const page = await visitor.get(resultPath(hash, STRICT));
    assert.match(page.text, /does not protect your data/);
    assert.ok(!page.text.includes('without an answer'));
    assert.ok(!(await peygir.redis.get(`local_request:${hash}`)).includes('without an answer'));
    assert.match(peygir.logs(), new RegExp(`not sealed.*${hash}`));
    release();
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}`, 'status')) === 'failed');
  });

  test('which takes the answer of its call', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.success({ text: 'answered' }), STRICT);
    assert.deepEqual((await peygir.status(hash, 'completed')).result_data, { text: 'answered' });
    assert.match(await peygir.redis.get(`local_request:${hash}`), /"result_data":\{"sealed":"v1:/);
  });
});

describe('what an administrator sees', () => {
  const values = person();

  async function printed(...words) {
    const { code, stdout, stderr } = await peygir.cli(...words);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  test('has no number of a person, whoever wrote it where (ASVS v4.0.3-7.1.2, 8.3.4)', async () => {
    const visitor = peygir.visitor();
    let release;
    const said = `about ${values.mobile} and ${values.national_code.replace(/\d/g, (digit) => String.fromCodePoint(0x6f0 + Number(digit)))}`;
    const hash = await ask(visitor, (call) => (release = () => call.error('BROKEN', { message: said })));
    await waitFor(() => release);
    await write(hash, { progress: 30, current_message: said });
    assert.equal((await visitor.view(hash)).current_message, said, 'the visitor reads what the bot says');
    const during = [await printed('request', 'show', hash), await printed('--json', 'request', 'list')];
    release();
    await peygir.status(hash, 'failed');
    await peygir.cliJson('queue', 'push', 'default', '--payload', JSON.stringify(values), '--tries', '1').then(async ({ id }) => {
      await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${id}`, 'status')) === 'failed');
      during.push(await printed('queue', 'show', id), await printed('queue', 'explain', id), await printed('failed', 'list'), await printed('--json', 'failed', 'show', id));
    });
    const outputs = [...during, await printed('request', 'show', hash), await printed('--json', 'request', 'show', hash),
      await printed('queue', 'show', hash), await printed('queue', 'explain', hash), await printed('queue', 'stats'), peygir.logs()];
    const hidden = [values.mobile, values.national_code, said.slice(said.indexOf(' and ') + 5)];
    for (const output of outputs) for (const value of hidden) assert.ok(!output.includes(value), output);
    assert.ok(outputs.some((output) => output.includes(`***${values.mobile.slice(-2)}`)), 'two digits tell them apart');
  });

  test('is (sealed) where the secret may not be read (ASVS v4.0.3-8.3.7)', async () => {
    const visitor = peygir.visitor();
    const hash = await ask(visitor, (call) => call.success({ text: 'done' }));
    await peygir.status(hash, 'completed');
    const shown = await peygir.cliJson('request', 'show', hash);
    assert.equal(typeof shown.request_data, 'object');
    const without = await peygir.cliJson('--set=PEYGIR_SECRET_FILE=/nonexistent/secret', 'request', 'show', hash);
    assert.equal(without.request_data, '(sealed)');
    assert.equal(without.has_result, true);
  });
});

describe('when keys change', () => {
  const fresh = 'f'.repeat(64);
  const secret = () => peygir.file('secret');

  async function useKeys(lines) {
    fs.writeFileSync(secret(), `${lines.join('\n')}\n`, { mode: 0o600 });
    for (const name of ['worker', 'web']) {
      const before = peygir.pid(name);
      peygir.kill(name, 'SIGTERM');
      await waitFor(() => peygir.pid(name) && peygir.pid(name) !== before, { what: `${name} to be started again` });
    }
    await peygir.ready();
  }

  test('the old one opens, the new one seals, and without the old one its values are said to be lost', async () => {
    const visitor = peygir.visitor();
    const old = fs.readFileSync(secret(), 'utf8').trim();
    const values = { text: `kept${digits(12)}` };
    const done = await ask(visitor, (call) => call.success(values));
    await peygir.status(done, 'completed');

    await useKeys([fresh, old]);
    assert.ok((await visitor.get(resultPath(done, OCR))).text.includes(values.text));
    const later = await ask(visitor, (call) => call.success(values));
    await peygir.status(later, 'completed');
    assert.equal((await peygir.cli('queue', 'pause')).code, 0);
    const waiting = await ask(visitor, (call) => call.success(values));
    const id = async (hash) => (await peygir.redis.get(`local_request:${hash}`)).match(/"sealed":"v1:([0-9a-f]{8})/)[1];
    assert.notEqual(await id(done), await id(later));

    await useKeys([old]);
    assert.ok((await visitor.get(resultPath(done, OCR))).text.includes(values.text), 'what the old one sealed still opens');
    const said = peygir.logs().length;
    assert.equal((await visitor.view(later)).is_completed, true);
    assert.ok(!peygir.logs().slice(said).includes('sealed with the key'), 'a look at the status opens nothing');
    const page = await visitor.get(resultPath(later, OCR));
    assert.equal(page.status, 200);
    assert.match(page.text, /can no longer be shown/);
    assert.match((await visitor.get(`${resultPath(later, OCR)}?lang=fa`)).text, /رمزشده/);
    assert.equal((await visitor.get(`/api/local-requests/${later}/result`)).status, 410);
    assert.equal((await visitor.get(`/services/${OCR}?again=${later}`)).status, 200);
    assert.match(peygir.log('web'), new RegExp(`result_data of request ${later} is sealed with the key ${await id(later)}`));

    assert.equal((await peygir.cli('queue', 'resume')).code, 0);
    const view = await waitFor(async () => {
      const now = await visitor.view(waiting);
      return now.is_failed && now;
    }, { what: 'the request to fail' });
    assert.equal(view.error.code, 'unreadable');
    assert.equal(bot.of(waiting).length, 0, 'the bot is not called for it');
    assert.match(peygir.log('worker'), new RegExp(`request_data of request ${waiting} is sealed with the key`));
    assert.equal((await visitor.get(progressPath(waiting, OCR))).status, 303);
    assert.deepEqual(names(holders(values.text)), []);
  });
});

test('a worker without the secret does not start, and says which service needs it', async () => {
  const { code, stderr } = await program('peygir-worker', ['--set=REDIS_URL=unix:///nowhere/redis.sock'],
    { PEYGIR_SERVICES_DIR: path.join(SOURCE, 'etc/services'), PEYGIR_JOBS_DIR: path.join(SOURCE, 'etc/jobs'),
      PEYGIR_LOCALES_DIR: path.join(SOURCE, 'www/locales'), PEYGIR_NOTIFICATIONS_DIR: path.join(SOURCE, 'etc/notifications') });
  assert.equal(code, 78, stderr);
  assert.match(stderr, /credit-score-rating seals its values.*PEYGIR_SECRET_FILE is not set/);
});
