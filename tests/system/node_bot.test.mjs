// node_bot.test.mjs: the Node module: the package as `npm pack` makes it, installed beside ioredis, against a Peygir whose bot is made with it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import Redis from 'ioredis';
import { CODE, CREDIT, GOOD, OCR, WRONG_CODE, enter, resultPath } from '../lib/demo.mjs';
import { SOURCE, command, editServices, freePort, start, tempDir, waitFor } from '../lib/peygir.mjs';
import { isSealed } from '../lib/seal.mjs';
import { WILD } from '../lib/wild.mjs';

const FORM = { file_id: 'file-now', language: 'en' };
const BIG = '12345678901234567890';
const UNKNOWN = 'req_00000000000000000000000000';

const dir = tempDir('node-bot');
const home = path.join(dir, 'node_modules/peygir-bot');
let listing, kit, peygir, server, updater;
const calls = []; // of every handler, in order
const handlers = new Map(); // slug: what answers; a test sets it

// The package as users have it.
async function install() {
  const { code, stdout, stderr } = await command('npm', ['pack', '--json', '--pack-destination', dir], { cwd: path.join(SOURCE, 'bots/node') });
  assert.equal(code, 0, stderr);
  [listing] = JSON.parse(stdout);
  fs.mkdirSync(home, { recursive: true });
  assert.equal((await command('tar', ['-xzf', path.join(dir, listing.filename), '-C', home, '--strip-components=1'])).code, 0);
  fs.symlinkSync(path.join(SOURCE, 'tests/node_modules/ioredis'), path.join(dir, 'node_modules/ioredis'));
  return import(pathToFileURL(path.join(home, 'index.js')).href);
}

function botUrl() {
  const password = fs.readFileSync(peygir.file('users.acl'), 'utf8').match(/^user peygir-bot on >(\S+)/m)[1];
  return `unix://${peygir.file('redis.sock')}?db=0&user=peygir-bot&password=${password}`;
}

const by = (slug) => (call) => {
  calls.push(call);
  return handlers.get(slug)(call);
};
const callsOf = (hash) => calls.filter((call) => call.hash === hash);

before(async () => {
  kit = await install();
  // Its port must be known to Peygir, and Peygir's Redis to it.
  server = await kit.serve({
    services: { [CREDIT]: { call: by(CREDIT), cancel: (call) => void calls.push({ ...call, word: 'cancel' }), resendOtp: (call) => (calls.push({ ...call, word: 'resend' }), { status: 1 }) }, [OCR]: by(OCR), strict: by('strict') },
    port: 0, signals: false, redis: { path: path.join(dir, 'redis.sock'), retryStrategy: () => 20 }, log: (error) => logged.push(error),
  });
  const strict = (definition, all = JSON.parse(fs.readFileSync(path.join(SOURCE, `etc/services/${OCR}.json`), 'utf8'))) => ({ ...all, ...definition, seal: 'strict' });
  peygir = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: server.url, WORKER_BACKOFF: '1' }, services: editServices({ strict }) });
  fs.symlinkSync(peygir.file('redis.sock'), path.join(dir, 'redis.sock'));
  updater = kit.createUpdater({ redis: botUrl() });
});
after(async () => {
  await updater?.close();
  await server?.close();
  await peygir?.stop();
  fs.rmSync(dir, { recursive: true, force: true });
});
const logged = [];

// A request whose handler has begun and does nothing until the test lets it.
async function begun(service = OCR, values = FORM) {
  let end;
  const held = new Promise((resolve) => (end = resolve));
  handlers.set(service, () => held);
  const visitor = peygir.visitor(), hash = await visitor.request(service, values);
  const call = await waitFor(() => callsOf(hash)[0], { what: 'the bot to be called' });
  return { visitor, hash, call, end };
}

const rejects = (promise, code) => assert.rejects(promise, (error) => error.code === code && error.name === 'PeygirError');
const revisions = async (hash) => (await peygir.history(hash)).map(([revision]) => revision);
const rising = (list) => list.every((n, i) => i === 0 || n === list[i - 1] + 1);

describe('the package', () => {
  test('has all it needs, and nothing else', () => {
    const files = listing.files.map((file) => file.path).sort();
    const lib = fs.readdirSync(path.join(SOURCE, 'bots/node/lib')).map((name) => `lib/${name}`);
    assert.deepEqual(files, ['COPYING', 'README.md', 'index.d.ts', 'index.js', 'package.json', ...lib, 'lua/mailbox_return.lua', 'lua/mailbox_take.lua', 'lua/request_save.lua'].sort());
    assert.equal(listing.name, 'peygir-bot');
  });

  test('has the scripts of the programs, under the names that Redis gives them', async () => {
    for (const name of fs.readdirSync(path.join(home, 'lua'))) {
      const script = fs.readFileSync(path.join(home, 'lua', name));
      assert.ok(script.equals(fs.readFileSync(path.join(SOURCE, 'src/lua', name))), name);
      const sha = crypto.createHash('sha1').update(script).digest('hex');
      assert.ok(fs.readFileSync(path.join(home, 'lib/scripts.js'), 'utf8').includes(`${name.slice(0, -4)}: '${sha}'`), `${name} is another version than lib/scripts.js is written for`);
    }
    assert.equal(fs.readFileSync(path.join(home, 'COPYING'), 'utf8'), fs.readFileSync(path.join(SOURCE, 'COPYING'), 'utf8'));
  });

  test('does not begin with scripts of another version', async () => {
    const other = path.join(dir, 'other');
    fs.cpSync(home, path.join(other, 'node_modules/peygir-bot'), { recursive: true });
    fs.symlinkSync(path.join(SOURCE, 'tests/node_modules/ioredis'), path.join(other, 'node_modules/ioredis'));
    fs.appendFileSync(path.join(other, 'node_modules/peygir-bot/lua/request_save.lua'), '-- newer\n');
    await assert.rejects(import(pathToFileURL(path.join(other, 'node_modules/peygir-bot/index.js')).href), /request_save\.lua is not the version/);
  });
});

describe('a bot made with it', () => {
  const pause = (call, ms) => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    call.signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
  });

  test('keeps the promises that `peygir bot check` looks for, with a code that it holds out for', async () => {
    handlers.set(OCR, async (call) => {
      await call.progress(20, 'preprocessing');
      await pause(call, 500);
      await call.progress(50, 'recognizing');
      return { text: 'read' };
    });
    handlers.set(CREDIT, async (call) => {
      await call.progress(30, 'authentication');
      await pause(call, 300);
      await call.requireOtp({ hash: 'handle', expiry: 60, message: 'A code was sent.', length: 5 });
      for (;;) {
        const letter = await call.waitForOtp();
        if (!letter || letter.otp === CODE) return { score: 742 };
        if (letter.otp) await call.requireOtp({ reason: 'wrong' });
      }
    });
    for (const [service, data] of [[OCR, FORM], [CREDIT, GOOD]]) {
      const { stdout, stderr } = await peygir.cli('--json', 'bot', 'check', service, '--data', JSON.stringify(data), ...(service === CREDIT ? ['--code', CODE] : []));
      const list = JSON.parse(stdout);
      assert.deepEqual(list.filter(({ status }) => status === 'failed'), [], stderr);
      assert.ok(list.filter(({ status }) => status === 'ok').length > list.length / 2, stdout);
    }
  });
});

describe('reporting', () => {
  test('what it writes is nothing foreign to Peygir: no revision is added by looking', async () => {
    const { visitor, hash, end } = await begun();
    const heard = await peygir.messages(hash);
    assert.equal(await updater.updateProgress(hash, 40, 'reading', 'نیمه‌ی راه "1"\n'), true);
    const { revision } = await peygir.document(hash);
    const view = await visitor.view(hash);
    assert.deepEqual([view.revision, view.progress, view.step, view.current_message], [revision, 40, 'reading', 'نیمه‌ی راه "1"\n']);
    assert.equal((await peygir.document(hash)).revision, revision);
    assert.deepEqual((await peygir.history(hash)).at(-1).slice(0, 6), [revision, view.updated_at, 'processing', 'reading', 40, 'نیمه‌ی راه "1"\n']);
    const said = await waitFor(() => heard.find((one) => one.revision === revision), { what: 'the message' });
    for (const [name, value] of Object.entries(said)) assert.deepEqual(view[name], value, name);
    assert.equal(await updater.updateProgress(hash, 40, 'reading'), false, 'it was so already');
    end({ pages: 1 });
    await peygir.status(hash, 'completed');
    assert.ok(rising(await revisions(hash)));
  });

  test('progress does not go back, and what is left out stays', async () => {
    const { hash, end } = await begun();
    await updater.updateProgress(hash, 60, 'reading', 'one');
    await updater.updateProgress(hash, 20, null, 'two');
    const { progress, step, current_message: message } = await peygir.document(hash);
    assert.deepEqual([progress, step, message], [60, 'reading', 'two']);
    end();
  });

  test('twenty writers at once lose nothing', async () => {
    const { hash, end } = await begun();
    const { revision } = await peygir.document(hash);
    const others = Array.from({ length: 4 }, () => kit.createUpdater({ redis: botUrl() }));
    await Promise.all(Array.from({ length: 20 }, (_, i) => others[i % 4].updateProgress(hash, null, null, `writer ${i}`)));
    await Promise.all(others.map((one) => one.close()));
    const history = (await peygir.history(hash)).filter(([n]) => n > revision);
    assert.deepEqual(history.map((entry) => entry[5]).sort(), Array.from({ length: 20 }, (_, i) => `writer ${i}`).sort());
    assert.ok(rising(await revisions(hash)));
    end();
  });

  test('what nobody sets stays byte for byte, also what a bot wrote by itself', async () => {
    const { visitor, hash, end } = await begun();
    const key = `local_request:${hash}`, extra = `"vendor":{"id":${BIG},"empty":[], "rate":1.10}`;
    const text = (await peygir.redis.get(key)).replace(/}$/, `,${extra}}`).replace(/"progress":\d+/, '"progress": 33').replace(/"owner":"[^"]*"/, '"owner":"me"');
    await peygir.redis.setex(key, 1800, text);
    await updater.updateProgress(hash, 50, 'reading', 'on');
    const after = await peygir.redis.get(key);
    assert.ok(after.includes(extra), after);
    assert.notEqual((await peygir.document(hash)).owner, 'me', 'whose it is was never the bot\'s to say');
    const entries = await peygir.history(hash);
    assert.deepEqual(entries.slice(-2).map((entry) => entry[4]), [33, 50], 'what was written past the guard is a revision of its own');
    assert.ok(rising(entries.map(([n]) => n)));
    assert.equal((await visitor.view(hash)).progress, 50);
    end();
  });

  test('whatever a bot wrote by itself is told as far as it can be, as Peygir itself tells it', async () => {
    for (const [what, write, expected] of WILD) {
      const { visitor, hash, end } = await begun(), key = `local_request:${hash}`;
      await peygir.redis.setex(key, 1800, write(JSON.parse(await peygir.redis.get(key))));
      await updater.updateProgress(hash).catch(({ code }) => assert.equal(code, 'FINAL', what));
      const document = await peygir.document(hash);
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(document[field], value, `${what}: ${field}`);
      const { revision } = document;
      assert.equal((await visitor.view(hash)).status, document.status);
      if (document.result_data === null) assert.equal((await peygir.document(hash)).revision, revision, `${what}: nobody had to record it again`);
      end();
    }
  });

  test('of a failure its code, its words and whether to try again are kept, and nothing that lies beside them', async () => {
    const { hash, end } = await begun();
    await updater.markAsFailed(hash, 'No.', { code: 'NO', retryable: true, mobile: GOOD.mobile });
    assert.deepEqual((await peygir.document(hash)).error_data, { code: 'NO', message: 'No.', retryable: true });
    end();
  });

  test('a late writer is fenced', async () => {
    const { hash, call, end } = await begun();
    await peygir.redis.hset(`{local_request:${hash}}:guard`, 'run', call.run + 1);
    await rejects(call.progress(90), 'STALE');
    assert.ok(call.signal.aborted, 'and told so');
    await rejects(kit.createUpdater({ redis: peygir.redis, run: call.run }).markAsCompleted(hash, {}), 'STALE');
    assert.equal(await updater.updateProgress(hash, 91), true, 'without a run it speaks for whichever goes on');
    await rejects(updater.withRun(call.run).waitForOtp(hash), 'STALE');
    await peygir.redis.hset(`{local_request:${hash}}:guard`, 'run', call.run);
    end();
  });

  test('a result written into Redis is sealed by whoever sees it first, and is final', async () => {
    const { visitor, hash, end } = await begun();
    assert.equal(await updater.markAsCompleted(hash, { text: 'read\0', pages: 2 }), true);
    assert.equal(await updater.markAsCompleted(hash, { text: 'other' }), false, 'the same state again is no error');
    await assert.rejects(updater.markAsFailed(hash, 'no'), (error) => error.code === 'FINAL' && error.status === 'completed');
    await rejects(updater.updateProgress(hash, 10), 'FINAL');
    const { step, progress, current_message: message } = await peygir.document(hash);
    assert.deepEqual([step, progress, message], ['completed', 100, 'messages.completed']);
    assert.match((await visitor.get(resultPath(hash, OCR))).html, /read/);
    assert.ok(isSealed(JSON.parse(await peygir.redis.get(`local_request:${hash}`)).result_data));
    assert.equal((await peygir.document(hash)).result_data.pages, 2);
    end();
  });

  test('one that takes sealed results alone refuses it, and takes the answer', async () => {
    const { hash, end } = await begun('strict');
    await rejects(updater.markAsCompleted(hash, { text: 'plain' }), 'STRICT');
    assert.equal((await peygir.document(hash)).status, 'processing');
    end({ text: 'answered' });
    assert.equal((await peygir.status(hash, 'completed')).result_data.text, 'answered');
  });

  test('nor does it record a plain one that a bot wrote by itself', async () => {
    const { hash, end } = await begun('strict');
    const key = `local_request:${hash}`, document = JSON.parse(await peygir.redis.get(key));
    await peygir.redis.setex(key, 1800, JSON.stringify({ ...document, status: 'completed', result_data: { sealed: 'not', text: 'plain' } }));
    await assert.rejects(updater.updateProgress(hash, 99), (error) => error.code === 'FINAL' && error.status === 'failed');
    const { error_data: error, result_data: result } = await peygir.document(hash);
    assert.deepEqual([error.code, result], ['plain_result', null]);
    end();
  });

  test('a failure tells the visitor what the bot says', async () => {
    const { visitor, hash, end } = await begun();
    await updater.markAsFailed(hash, 'The archive is closed.', { code: 'CLOSED', retryable: true });
    const { error, is_failed: failed } = await visitor.view(hash);
    assert.deepEqual([failed, error], [true, { code: 'CLOSED', message: 'The archive is closed.', retryable: true }]);
    end();
  });

  test('a request that is gone, and what is none, is said', async () => {
    await rejects(updater.updateProgress(UNKNOWN, 10), 'GONE');
    await rejects(updater.waitForOtp(UNKNOWN), 'GONE');
    for (const wrong of [() => updater.updateProgress('req_x', 1), () => updater.updateProgress(UNKNOWN, 101), () => updater.markAsCompleted(UNKNOWN, []),
      () => updater.markAsOtpRequired(UNKNOWN, { expiry: 0.5 }), () => updater.markAsOtpRequired(UNKNOWN, { reason: 'odd' }), () => updater.markAsFailed(UNKNOWN, 'x', { code: 'a b' })]) await rejects(wrong(), 'INVALID');
  });
});

describe('codes', () => {
  test('two legs: a code is asked for with the answer, and comes with the next call', async () => {
    handlers.set(CREDIT, async (call) => {
      await call.progress(call.otp ? 80 : 70, call.otp ? 'verifying_otp' : 'sending_otp');
      if (!call.otp) return new kit.OtpNeeded({ hash: { page: 7 }, length: 5, message: 'It was sent.' });
      if (call.otp !== CODE) throw new kit.BotError('OTP_WRONG', 'That was not it.');
      return { score: 700, grade: 'B', handle: call.otpData.hash.page };
    });
    const visitor = peygir.visitor({ language: 'fa' }), hash = await visitor.request(CREDIT, GOOD);
    await peygir.status(hash, 'otp_required');
    await enter(visitor, hash, WRONG_CODE);
    await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2, { what: 'the code to be wrong' });
    assert.equal((await visitor.view(hash)).current_message, 'That was not it.');
    await enter(visitor, hash, CODE);
    assert.equal((await peygir.status(hash, 'completed')).result_data.handle, 7);
    assert.deepEqual(callsOf(hash).map(({ otp, locale }) => [otp, locale]), [[undefined, 'fa'], [WRONG_CODE, 'fa'], [CODE, 'fa']], 'each in the visitor\'s language');
    assert.deepEqual(callsOf(hash)[0].data, GOOD);
  });

  test('held: the call waits, judges a wrong code, and goes on with the right one', async () => {
    handlers.set(CREDIT, async (call) => {
      await call.progress(70, 'sending_otp', 'sending');
      await call.requireOtp({ hash: 'page', message: 'It was sent.' });
      for (;;) {
        const { otp } = await call.waitForOtp();
        if (otp === CODE) break;
        await call.requireOtp({ reason: 'wrong' });
      }
      await call.progress(80, 'verifying_otp');
      return { score: 701 };
    });
    const visitor = peygir.visitor(), hash = await visitor.request(CREDIT, GOOD);
    const asked = await peygir.status(hash, 'otp_required');
    assert.deepEqual([asked.otp_data.hash, asked.otp_data.length, asked.current_message], ['page', 5, 'It was sent.']);
    const { revision } = asked;
    const { otp } = await visitor.view(hash);
    assert.deepEqual([otp.attempts_left, otp.length, otp.resend_in > 50 && otp.resend_in <= 60, otp.expires_in > 100], [3, 5, true, true], 'as the service says');
    assert.equal((await peygir.document(hash)).revision, revision, 'looking records nothing');
    await enter(visitor, hash, WRONG_CODE);
    await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2, { what: 'the code to be wrong' });
    assert.equal((await peygir.guard(hash)).tries, '1');
    await enter(visitor, hash, CODE);
    assert.equal((await peygir.status(hash, 'completed')).result_data.score, 701);
    assert.equal(callsOf(hash).length, 1, 'no other leg took the code');
    assert.deepEqual((await peygir.history(hash)).map((entry) => entry[2]).filter((status, i, all) => status !== all[i - 1]),
      ['pending', 'processing', 'otp_required', 'otp_verifying', 'otp_required', 'otp_verifying', 'processing', 'completed']);
    assert.ok(rising(await revisions(hash)));
  });

  test('wrong until no try is left: the request fails, as the service counts', async () => {
    const { visitor, hash } = await begun(CREDIT, GOOD);
    await peygir.redis.hset(`{local_request:${hash}}:guard`, 'tries', 4);
    await updater.markAsOtpRequired(hash, {});
    await enter(visitor, hash, WRONG_CODE);
    assert.deepEqual(await updater.waitForOtp(hash), { otp: WRONG_CODE });
    await updater.markAsOtpRequired(hash, { reason: 'wrong' });
    assert.equal((await visitor.view(hash)).error.code, 'otp_tries');
    await rejects(updater.waitForOtp(hash), 'FINAL');
  });

  test('what lies in the mailbox comes at once; time and signal end the waiting, and lose no letter', async () => {
    const { visitor, hash, end } = await begun(CREDIT, GOOD);
    await updater.markAsOtpRequired(hash, {});
    assert.equal(await updater.waitForOtp(hash, { timeout: 1 }), null);
    await peygir.redis.rpush(`{local_request:${hash}}:otp`, '{"resend":true}');
    assert.deepEqual(await updater.waitForOtp(hash), { resend: true });
    const stop = new AbortController(), waits = updater.waitForOtp(hash, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(waits, /enough/);
    await enter(visitor, hash, CODE);
    await assert.rejects(updater.waitForOtp(hash, { signal: stop.signal }), /enough/);
    assert.deepEqual(await updater.waitForOtp(hash), { otp: CODE });
    end();
    await visitor.act(hash, 'cancel');
  });
});

describe('the module and the programs', () => {
  // What is different about two requests that went the same way: who and when.
  const plain = (text) => text.replace(/req_[0-9A-Z]{26}/g, 'HASH').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  const traces = async (hash, messages) => {
    const { clock, owner, values, mobile, result, ...guard } = await peygir.guard(hash);
    const [codeTries, code, taken, ...times] = clock.split(' '), [until, resendAt, , began, , since] = times.map((ms) => Number(ms) > 0);
    const document = await peygir.document(hash);
    delete document.owner;
    return {
      guard: plain(JSON.stringify(guard)), clock: { codeTries, code, taken, until, resendAt, began, since }, document: plain(JSON.stringify(document)),
      history: (await peygir.redis.lrange(`{local_request:${hash}}:events`, 0, -1)).map(plain), messages: messages.map((one) => plain(JSON.stringify(one))),
    };
  };

  // The ways to say the same: by HTTP, where peygir-web writes, and with the module.
  let ways;
  before(async () => {
    const { token } = await peygir.cliJson('token', 'create', '--role', 'bot', 'same');
    const report = async (hash, kind, body) => {
      const res = await fetch(`${peygir.base}/api/internal/local-requests/${hash}/${kind}`,
        { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
      assert.ok(res.ok, `${kind}: ${res.status} ${await res.text()}`);
    };
    ways = [
      { progress: (hash, progress, step, message) => report(hash, 'progress', { progress, step, message }), otp: (hash, body) => report(hash, 'otp-required', body),
        done: (hash, data) => report(hash, 'completed', { data }), fail: (hash, message, data) => report(hash, 'failed', { message, ...data }) },
      { progress: updater.updateProgress, otp: updater.markAsOtpRequired, done: updater.markAsCompleted, fail: updater.markAsFailed },
    ];
  });

  const JOURNEYS = {
    'a code that is wrong, then right': async (way, hash, code) => {
      await way.progress(hash, 70, 'sending_otp', 'در حال ارسال "کد"\t');
      await way.progress(hash, 10);
      await way.otp(hash, { expiry: 90, length: 6 });
      await way.otp(hash, { hash: { page: [1.5, 'x'] }, expiry: 10, message: 'later' });
      await way.progress(hash, 20, null, 'waiting');
      await code('123456');
      await way.otp(hash, { reason: 'wrong', message: 'No.' });
      await code('654321');
      await way.progress(hash, 60, 'verifying_otp', 'x'.repeat(499) + 'ی');
    },
    'a result': async (way, hash) => {
      await way.progress(hash, 33, 'authentication', 'on');
      await way.done(hash, { score: 1, empty: [] });
    },
    'a code that is wrong three times': async (way, hash, code) => {
      await way.otp(hash, {});
      for (let i = 0; i < 3; i++) {
        await code('11111');
        await way.otp(hash, { reason: 'wrong' });
      }
    },
    'a code that has expired': async (way, hash, code) => {
      await way.otp(hash, { message: 'sent' });
      await code('11111');
      await way.otp(hash, { reason: 'expired' });
      await way.fail(hash, 'The archive is closed.', { code: 'CLOSED', retryable: true });
    },
  };

  for (const [name, journey] of Object.entries(JOURNEYS)) {
    test(`leave the same behind: ${name}`, async () => {
      const found = [];
      for (const way of ways) {
        const { visitor, hash, end } = await begun(CREDIT, GOOD);
        const messages = await peygir.messages(hash);
        await journey(way, hash, async (otp) => assert.equal((await visitor.act(hash, 'otp', { otp })).status, 202));
        const { revision } = await peygir.document(hash);
        await waitFor(() => messages.at(-1)?.revision === revision, { what: 'the last message' });
        found.push(await traces(hash, messages));
        end();
      }
      assert.deepEqual(found[1], found[0]);
    });
  }
});

describe('the server', () => {
  test('a cancelled request fires the signal of its call, ends a wait, and tells the handler', async () => {
    let ended;
    handlers.set(CREDIT, async (call) => {
      await call.progress(70, 'sending_otp');
      await call.requireOtp();
      ended = call.waitForOtp().then(() => 'letter', (error) => error);
      await ended;
    });
    const visitor = peygir.visitor(), hash = await visitor.request(CREDIT, GOOD);
    await peygir.status(hash, 'otp_required');
    await visitor.act(hash, 'cancel');
    const [call] = callsOf(hash);
    await waitFor(() => call.signal.aborted, { what: 'the signal' });
    await ended;
    await waitFor(() => callsOf(hash).some(({ word }) => word === 'cancel'), { what: 'the call that tells of it' });
  });

  test('an updater tells of a cancellation as well', async () => {
    const { visitor, hash, end } = await begun();
    const watch = await updater.watchCancel(hash);
    assert.equal(watch.signal.aborted, false);
    await visitor.act(hash, 'cancel');
    await waitFor(() => watch.signal.aborted, { what: 'the signal' });
    assert.equal(watch.signal.reason.code, 'CANCELLED');
    watch.stop();
    const late = await updater.watchCancel(hash);
    assert.ok(late.signal.aborted, 'also to one who comes later');
    late.stop();
    end();
  });

  test('what was not meant for the visitor stays in the bot', async () => {
    handlers.set(OCR, () => {
      throw new Error('password hunter2 refused');
    });
    const res = await post(OCR, { requestHash: UNKNOWN });
    assert.deepEqual([res.status, JSON.parse(res.text)], [200, { status: 'error', code: 'bot_error', message: 'errors.failed', retryable: true }]);
    assert.match(logged.at(-1).message, /hunter2/);
    handlers.set(OCR, () => {
      throw new kit.BotError('NOT_FOUND', 'No such file.', { retryable: false });
    });
    assert.deepEqual(JSON.parse((await post(OCR, { requestHash: UNKNOWN })).text), { status: 'error', code: 'NOT_FOUND', message: 'No such file.', retryable: false });
  });

  test('the language of a call is what its header begins with, and none without one', async () => {
    handlers.set(OCR, ({ locale }) => ({ locale }));
    for (const [header, locale] of [[undefined, null], ['', null], ['*', null], ['en', 'en'], ['fa-IR,en;q=0.5', 'fa-IR'], ['<b>', null]]) {
      const { text } = await post(OCR, { requestHash: UNKNOWN }, { headers: header === undefined ? {} : { 'accept-language': header } });
      assert.deepEqual(JSON.parse(text).data, { locale }, header);
    }
  });

  test('routes, methods and bodies are held to what they are', async () => {
    handlers.set(OCR, () => ({ fine: true }));
    assert.deepEqual(JSON.parse((await post(OCR, { requestHash: UNKNOWN, a: 1 })).text), { status: 'success', data: { fine: true } });
    for (const [status, slug, body, options] of [
      [404, 'unknown', {}], [404, `${OCR}/resend-otp`, {}], [404, '%2e%2e/x', {}],
      [400, OCR, '{"a":'], [400, OCR, '[]'], [400, OCR, {}], [400, OCR, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
      [400, OCR, { requestHash: UNKNOWN }, { headers: { 'peygir-run': 'x' } }],
      [413, OCR, ' '.repeat(65 * 1024)], [413, OCR, ' '.repeat(65 * 1024), { headers: { 'transfer-encoding': 'chunked' } }],
      [405, OCR, undefined, { method: 'GET' }],
    ]) {
      const res = await post(slug, body, options);
      assert.equal(res.status, status, `${slug} ${String(body).slice(0, 40)}`);
      assert.equal(JSON.parse(res.text).status, 'error');
    }
    assert.equal((await post(OCR, undefined, { method: 'GET' })).allow, 'POST');
  });

  test('close() takes no more, lets calls end, then fires their signals', async () => {
    const seen = [];
    let release;
    const quick = new Promise((resolve) => (release = resolve));
    const own = await kit.serve({
      services: {
        quick: async () => { seen.push('quick'); await quick; return { done: 1 }; },
        slow: async ({ signal }) => { seen.push('slow'); await new Promise((resolve) => signal.addEventListener('abort', resolve)); seen.push(signal.reason.code); throw signal.reason; },
      },
      port: 0, signals: false, drain: 300, redis: botUrl(),
    });
    const answers = ['quick', 'slow'].map((slug) => post(slug, { requestHash: UNKNOWN }, { url: own.url }));
    await waitFor(() => seen.length === 2, { what: 'both calls' });
    const closed = own.close();
    release();
    assert.deepEqual(JSON.parse((await answers[0]).text), { status: 'success', data: { done: 1 } });
    assert.equal(JSON.parse((await answers[1]).text).retryable, true);
    await closed;
    assert.ok(seen.includes('STOPPING'));
    await assert.rejects(post('quick', { requestHash: UNKNOWN }, { url: own.url }), { code: 'ECONNREFUSED' });
  });

  test('a Unix socket that a killed bot left behind is taken over, and SIGTERM ends a bot well', async () => {
    const socket = path.join(dir, 'bot.sock'), script = path.join(dir, 'bot.mjs');
    fs.writeFileSync(script, `import { serve } from 'peygir-bot';\nconst bot = await serve({ services: { x: () => ({}) }, socket: ${JSON.stringify(socket)} });\nconsole.log(bot.url);\n`);
    const run = async (signal) => {
      const child = spawn(process.execPath, [script], { env: { ...process.env, REDIS_URL: botUrl() }, stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve, reject) => {
        child.stdout.once('data', resolve);
        child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
      });
      child.kill(signal);
      return new Promise((resolve) => child.once('close', (code, by) => resolve(by ?? code)));
    };
    assert.equal(await run('SIGKILL'), 'SIGKILL');
    assert.ok(fs.existsSync(socket));
    assert.equal(await run('SIGTERM'), 0);
    assert.equal(fs.existsSync(socket), false);
  });
});

describe('other shapes of Redis', () => {
  const HASH = 'req_00000000000000000000000001';
  const children = [];
  after(async () => {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve))));
  });

  async function redisServer(...options) {
    const port = await freePort();
    children.push(spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir, ...options], { stdio: 'ignore' }));
    const client = new Redis({ port, maxRetriesPerRequest: null, retryStrategy: () => 20, enableReadyCheck: false });
    client.on('error', () => {});
    await client.ping();
    return { port, client };
  }

  // A document that nobody has recorded, changed, waited at and ended through this address.
  async function goesWell(client, url) {
    const own = kit.createUpdater({ redis: url });
    try {
      await client.set(`local_request:${HASH}`, `{"hash":"${HASH}","service_slug":"x","status":"pending","progress":0,"big":${BIG}}`);
      await own.updateProgress(HASH, 30, 'step', 'text');
      assert.ok((await client.get(`local_request:${HASH}`)).includes(`"big":${BIG}`));
      const watch = await own.watchCancel(HASH), letter = own.waitForOtp(HASH);
      await client.rpush(`{local_request:${HASH}}:otp`, '{"otp":"1"}');
      await client.publish(`local_request_updates:${HASH}`, '{"status":"cancelled"}');
      assert.deepEqual(await letter, { otp: '1' });
      await waitFor(() => watch.signal.aborted, { what: 'the signal' });
      watch.stop();
      await own.markAsCompleted(HASH, { fine: true });
      assert.deepEqual((await client.lrange(`{local_request:${HASH}}:events`, 0, -1)).map((entry) => JSON.parse(entry)[2]), ['pending', 'processing', 'completed']);
    } finally {
      await own.close();
      client.disconnect();
    }
  }

  test('a Cluster', async () => {
    const { port, client } = await redisServer('--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', String(await freePort()));
    await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
    await waitFor(async () => /cluster_state:ok/.test(await client.call('CLUSTER', 'INFO')), { what: 'the cluster to be well' });
    await goesWell(client, `redis+cluster://127.0.0.1:${port}`);
  });

  test('a primary that Sentinels know', async () => {
    const { port, client } = await redisServer(), file = path.join(dir, 'sentinel.conf'), sentinel = await freePort();
    fs.writeFileSync(file, `port ${sentinel}\nbind 127.0.0.1\ndir ${dir}\nsentinel monitor main 127.0.0.1 ${port} 1\n`);
    children.push(spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' }));
    await goesWell(client, `redis+sentinel://127.0.0.1:${sentinel}/main/0`);
  });
});

// A call as the worker makes it, or a worse one.
function post(slug, body, { method = 'POST', headers = {}, url = server.url } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request(`${url}/api/services/${slug}`, { method, headers, agent: false }, async (res) => {
      let text = '';
      for await (const chunk of res) text += chunk;
      resolve({ status: res.statusCode, allow: res.headers.allow, text });
    });
    req.on('error', reject);
    req.end(body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
}
