// examples.test.mjs: every example for authors of bots does what the documents say: bots/examples and the commands in API.md.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CREDIT, GOOD, OCR, enter } from '../lib/demo.mjs';
import { SOURCE, editServices, freePort, start, tempDir, waitFor } from '../lib/peygir.mjs';

const EXAMPLES = path.join(SOURCE, 'bots/examples');
const PROGRAMS = ['checksums', 'line_count'];
const SCAN = { file_id: 'scan-1', language: 'en' };
const quick = editServices({ [CREDIT]: (definition) => ({ ...definition, code: { ...definition.code, resend_cooldown: 1 } }) });

// A program beside Peygir, with nothing of the caller's environment: what it says, and a promise of its end.
class Child {
  constructor(program, args, env) {
    this.said = '';
    this.process = spawn(program, args, { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (chunk) => (this.said += chunk));
    this.process.stdin.on('error', () => {});
    this.ended = new Promise((resolve) => this.process.once('close', (code) => resolve({ code, said: this.said })));
  }

  // With all that it has started.
  end(signal) {
    process.kill(-this.process.pid, signal);
  }

  // The first match in what it has said from `from` on.
  says(pattern, from = 0) {
    return waitFor(() => this.said.slice(from).match(pattern), { what: `it to say ${pattern}`, now: () => this.said });
  }
}

const token = async (peygir) => (await peygir.cliJson('token', 'create', '--role', 'bot', 'example')).token;
const another = (code) => String((Number(code) + 1) % 100_000).padStart(5, '0');
const result = async (visitor, hash) => (await visitor.json(`/api/local-requests/${hash}/result`)).result;

// How each is started, and what of it ends all its calls with it.
const BOTS = {
  'bot.py': { begin: (port, env) => new Child('python3', [path.join(EXAMPLES, 'bot.py')], { ...env, PORT: String(port) }), ready: /the bot answers at / },
  'bot.sh': {
    begin: (port, env) => new Child('socat', ['-d', '-d', `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork`, `EXEC:${path.join(EXAMPLES, 'bot.sh')}`], env),
    ready: / listening on /,
  },
};

describe('bots', { concurrency: 2 }, () => Object.entries(BOTS).forEach(([name, { begin, ready }]) => describe(name, { concurrency: 1 }, () => {
  let peygir, bot, startBot;

  before(async () => {
    const port = await freePort();
    peygir = await start({ services: quick, env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: `http://127.0.0.1:${port}`, WORKER_BACKOFF: '0' } });
    const env = { TOKEN: await token(peygir), SITE: peygir.base };
    startBot = async (PACE = '0') => {
      bot = begin(port, { ...env, PACE });
      await bot.says(ready);
    };
    await startBot();
  });
  after(async () => {
    bot?.end('SIGINT');
    await bot?.ended;
    await peygir?.stop();
  });

  const codeOf = async (hash, from) => (await bot.says(new RegExp(`${hash}: text message: the code is (\\d{5})`), from))[1];

  test('moves the bar and hands over the result', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(OCR, SCAN);
    await peygir.status(hash, 'completed');
    const seen = (await peygir.history(hash)).map(([, , , step, progress]) => `${step} ${progress}`);
    for (const step of ['preprocessing 20', 'recognizing 50', 'postprocessing 85']) assert.ok(seen.includes(step), seen.join(', '));
    assert.deepEqual(await result(visitor, hash), { text: 'What stands in scan-1', pages: 3, confidence: 0.98 });
    assert.match((await visitor.get(`/services/${OCR}/result/${hash}`)).text, /What stands in scan-1/);
  });

  test('says what went wrong, in the visitor\'s language', async () => {
    for (const [language, message] of [['en', 'There is no such file.'], ['fa', 'چنین فایلی پیدا نشد.']]) {
      const visitor = peygir.visitor({ language });
      const hash = await visitor.request(OCR, { ...SCAN, file_id: 'missing' });
      const { error_data: error } = await peygir.status(hash, 'failed');
      assert.deepEqual(error, { code: 'NOT_FOUND', message, retryable: false });
      assert.ok((await visitor.get(`/services/${OCR}/result/${hash}`)).text.includes(message));
    }
  });

  test('holds its call for the code, says that one is wrong, and goes on with the right one', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    const code = await codeOf(hash);
    await peygir.status(hash, 'otp_required');
    await enter(visitor, hash, another(code));
    await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2, { what: 'a try to be gone' });
    await peygir.status(hash, 'otp_required');
    await enter(visitor, hash, code);
    const document = await peygir.status(hash, 'completed');
    assert.ok(!JSON.stringify([document, await peygir.history(hash)]).includes(`"${code}"`));
    assert.equal((await result(visitor, hash)).score, 742);
    assert.equal(await peygir.redis.exists(`peygir:task:data:${hash}.1`), 0, 'it was one call');
  });

  test('sends another code when the visitor asks for one, and takes no other', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    const code = await codeOf(hash), from = bot.said.length;
    await peygir.status(hash, 'otp_required');
    await waitFor(async () => (await visitor.view(hash)).otp.resend_in === 0, { what: 'the cool-down to be over' });
    assert.equal((await visitor.act(hash, 'resend-otp')).status, 202);
    const next = await codeOf(hash, from);
    if (next !== code) {
      await enter(visitor, hash, code);
      await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2, { what: 'the old code to be refused' });
      await peygir.status(hash, 'otp_required');
    }
    await enter(visitor, hash, next);
    await peygir.status(hash, 'completed');
  });

  test('that was killed while it held a call has another code sent', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    const lost = await codeOf(hash);
    await peygir.status(hash, 'otp_required');
    bot.end('SIGKILL');
    await bot.ended;
    await startBot();
    await enter(visitor, hash, lost);
    const code = await codeOf(hash);
    await peygir.status(hash, 'otp_required');
    await enter(visitor, hash, code);
    await peygir.status(hash, 'completed');
  });

  test('lets go of a request that was cancelled', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, GOOD);
    await codeOf(hash);
    await peygir.status(hash, 'otp_required');
    assert.equal((await visitor.act(hash, 'cancel')).status, 200);
    await bot.says(new RegExp(`${hash}: over`));
    assert.equal((await peygir.document(hash)).status, 'cancelled');
  });

  test('keeps every promise that peygir bot check looks for', async () => {
    bot.end('SIGINT');
    await bot.ended;
    await startBot('0.2'); // slow enough to be cancelled in the middle
    const scan = await peygir.cli('bot', 'check', OCR, '--data', JSON.stringify(SCAN), '--timeout', '10');
    assert.equal(scan.code, 0, scan.stdout + scan.stderr);
    const check = new Child(peygir.file('peygir'), ['bot', 'check', CREDIT, '--data', '-', '--code', '-', '--timeout', '10'], {});
    check.process.stdin.write(`${JSON.stringify(GOOD)}\n`);
    const [, hash] = await check.says(/the code that was sent for (req_\w{26}): /);
    check.process.stdin.end(`${await codeOf(hash)}\n`);
    const { code, said } = await check.ended;
    assert.equal(code, 0, said);
    for (const name of ['code', 'code-message', 'wrong-code', 'right-code', 'cancel', 'cancel-code', 'garbage']) {
      assert.match(said, new RegExp(`^(peygir: .*: )?ok +${name} `, 'm'));
    }
    assert.match(said, /held/);
  });
})));

// What reports by itself while the test holds the call that it is about.
describe('by hand', () => {
  const held = new Map(); // by hash: the call that the bot has not answered yet
  const dir = tempDir('peygir-examples');
  let peygir, bot, TOKEN;

  before(async () => {
    bot = await new Bot().listen(await freePort());
    for (const slug of [CREDIT, OCR]) bot.on(slug, (call) => held.set(call.hash, call));
    bot.on(`/api/services/${CREDIT}/cancel`, (call) => call.success({}));
    writeFolders();
    peygir = await start({ services: writeTypes, env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_BACKOFF: '0' } });
    TOKEN = await token(peygir);
  });
  after(async () => {
    try {
      await peygir?.stop();
    } finally {
      await bot?.close();
      fs.rmSync(dir, { recursive: true, force: true });
    }
  });

  const FILES = { 'a.txt': 'one\ntwo\n', 'b.txt': 'three\n', 'c.bin': '\0' };

  function writeFolders() {
    fs.mkdirSync(path.join(dir, '2026-01'));
    fs.mkdirSync(path.join(dir, 'empty'));
    for (const [name, text] of Object.entries(FILES)) fs.writeFileSync(path.join(dir, '2026-01', name), text);
  }

  // The job types as they are shipped, but for the places that an administrator fills in.
  function writeTypes(services) {
    for (const name of PROGRAMS) {
      const text = fs.readFileSync(path.join(EXAMPLES, 'exec', `${name}.json`), 'utf8');
      const placed = text.replaceAll('/usr/local/lib/peygir-jobs', path.join(EXAMPLES, 'exec')).replaceAll('/var/lib/documents', dir);
      assert.notEqual(placed, text);
      fs.writeFileSync(path.join(services, '../jobs', `${name}.json`), placed);
    }
  }

  async function called(visitor) {
    const hash = await visitor.request(CREDIT, GOOD);
    return waitFor(() => held.get(hash), { what: 'the bot to be called' });
  }

  describe('report.sh', () => {
    function report(call, what, members) {
      const env = { TOKEN, RUN: call.headers['peygir-run'], SITE: peygir.base };
      const child = new Child('bash', [path.join(EXAMPLES, 'report.sh'), call.hash, what], env);
      child.process.stdin.end(members && JSON.stringify(members));
      return child.ended;
    }

    async function told(call, what, members) {
      const { code, said } = await report(call, what, members);
      assert.equal(code, 0, said);
      return JSON.parse(said);
    }

    test('moves the bar, waits for the code, judges it, and brings the result', async () => {
      const visitor = peygir.visitor();
      const call = await called(visitor);
      const moved = await told(call, 'progress', { progress: 30, step: 'authentication', message: 'It\'s on its "way"' });
      assert.deepEqual([moved.progress, moved.current_message], [30, 'It\'s on its "way"']);
      assert.equal((await told(call, 'otp-required', { length: 5 })).status, 'otp_required');
      let code = told(call, 'code');
      await enter(visitor, call.hash, '11111');
      assert.deepEqual(await code, { otp: '11111' });
      assert.equal((await told(call, 'otp-required', { reason: 'wrong' })).otp.attempts_left, 2);
      code = told(call, 'code');
      await enter(visitor, call.hash, '22222');
      assert.deepEqual(await code, { otp: '22222' });
      assert.equal((await told(call, 'completed', { data: { score: 7 } })).status, 'completed');
      assert.equal((await told(call, 'state')).is_completed, true);
      assert.deepEqual(await result(visitor, call.hash), { score: 7 });
      call.success({});
    });

    test('says by its status that nobody waits any more, and on stderr what is wrong', async () => {
      const visitor = peygir.visitor();
      const call = await called(visitor);
      const wrong = await report(call, 'progress', { percent: 1 });
      assert.equal(wrong.code, 1);
      assert.match(wrong.said, /There is no such member here\./);
      await told(call, 'otp-required', {});
      const code = told(call, 'code');
      await visitor.act(call.hash, 'cancel');
      assert.deepEqual(await code, { cancelled: true });
      for (const [what, members] of [['code'], ['progress', { progress: 50 }]]) assert.equal((await report(call, what, members)).code, 3, what);
    });
  });

  describe('API.md', () => {
    // The first fenced text after a heading, for this instance.
    function fenced(heading) {
      const text = fs.readFileSync(path.join(SOURCE, 'API.md'), 'utf8').split(`\n## ${heading}\n`)[1];
      return text.match(/\n```\n([^]*?)\n```\n/)[1].replaceAll('http://127.0.0.1:8080', peygir.base);
    }

    async function shell(call, script) {
      const { code, said } = await new Child('bash', ['-c', script], { TOKEN, HASH: call.hash, RUN: call.headers['peygir-run'] }).ended;
      assert.equal(code, 0, said);
      return JSON.parse(said);
    }

    test('its commands for reports work as they are written', async () => {
      const visitor = peygir.visitor();
      const call = await called(visitor);
      const [tools, lines] = fenced('Bots that report').split('\n\n');
      const said = [];
      for (const line of lines.split('\n')) said.push(await shell(call, `${tools}\n${line}`));
      assert.deepEqual(said.map(({ status }) => status), ['processing', 'otp_required', 'completed', 409, 'completed']);
      assert.deepEqual(await result(visitor, call.hash), { score: 742 });
      call.success({});
    });

    test('its loop for a code works as it is written', async () => {
      const visitor = peygir.visitor();
      const call = await called(visitor);
      const [tools] = fenced('Bots that report').split('\n\n');
      await shell(call, `${tools}\nreport otp-required '{}'`);
      const code = shell(call, fenced('Bots that wait for a code'));
      await enter(visitor, call.hash, '33333');
      assert.deepEqual(await code, { otp: '33333' });
      await visitor.act(call.hash, 'cancel');
    });
  });

  describe('a program that a job runs', () => {
    const data = (id) => peygir.redis.hgetall(`peygir:task:data:${id}`);

    async function ended(type, payload) {
      const { id } = await peygir.cliJson('queue', 'push', type, '--payload', JSON.stringify(payload));
      return waitFor(async () => {
        const job = await data(id);
        return ['completed', 'failed'].includes(job.status) && job;
      }, { what: `job ${id} to end`, now: () => data(id) });
    }

    const sha256 = (text) => createHash('sha256').update(text).digest('hex');
    const RESULTS = {
      checksums: [
        { files: 3, sha256: sha256(Object.entries(FILES).map(([name, text]) => `${sha256(text)}  ${name}\n`).join('')) },
        { files: 0, sha256: sha256('') },
        { progress: '66', message: 'file 3 of 3' },
      ],
      line_count: [{ files: 2, lines: 3 }, { files: 0, lines: 0 }, { progress: '50', message: 'text 2 of 2' }],
    };

    for (const [type, [full, none, last]] of Object.entries(RESULTS)) {
      test(`${type} says how far it is, and its result`, async () => {
        const job = await ended(type, { folder: '2026-01' });
        assert.equal(job.status, 'completed', job.error);
        assert.deepEqual(JSON.parse(job.result), full);
        assert.deepEqual({ progress: job.progress, message: job.message }, last);
        assert.deepEqual(JSON.parse((await ended(type, { folder: 'empty' })).result), none);
      });

      test(`${type} fails at once for a folder that is not there, and for one that is no plain name`, async () => {
        for (const [payload, error] of [[{ folder: '2025-12' }, /no_such_folder/], [{ folder: '../etc' }, /bad_folder/], [{}, /bad_folder/]]) {
          const job = await ended(type, payload);
          assert.equal(job.status, 'failed');
          assert.match(job.error, error);
          assert.equal(job.run, '1');
        }
      });
    }
  });
});
