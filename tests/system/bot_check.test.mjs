// bot_check.test.mjs: peygir bot check finds nothing wrong with good bots, and each kind of wrong with a bot that does only that.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CODE, CREDIT, GOOD, OCR, misdeed } from '../lib/demo.mjs';
import { SOURCE, command, editServices, freePort, start, waitFor } from '../lib/peygir.mjs';

const definition = JSON.parse(fs.readFileSync(path.join(SOURCE, 'etc/services', `${CREDIT}.json`), 'utf8'));
const SCAN = { file_id: 'scan-1', language: 'en' };
const STEP_MS = 80; // the work between two reports
const WAIT_S = 3;   // the check's patience

// The verdicts by name, and the exit status.
async function check(peygir, service, data, ...flags) {
  const args = ['--json', 'bot', 'check', service, '--data', JSON.stringify(data), ...flags];
  const { code, stdout, stderr } = await command(peygir.file('peygir'), args, { timeout: 60_000 });
  assert.ok(code === 0 || code === 1, stderr);
  assert.equal(stderr, '');
  return { code, of: Object.fromEntries(JSON.parse(stdout).map(({ check: name, ...rest }) => [name, rest])) };
}

const failures = ({ of }) => Object.entries(of).filter(([, { status }]) => status === 'failed').map(([name, { detail }]) => `${name}: ${detail}`);

// Documents, guards and histories that are still there; words for waiting bots go by themselves.
const remains = async (peygir) => (await peygir.redis.keys('*local_request*')).filter((key) => !key.endsWith(':otp'));

describe('the demonstration bot', () => {
  let peygir;

  before(async () => {
    peygir = await start({ env: { PEYGIR_DEMO_SPEED: '5' } });
  });
  after(() => peygir?.stop());

  test('keeps every promise, in two legs and held, and nothing of the check stays', async () => {
    for (const [values, way] of [[GOOD, /two legs/], [misdeed('held'), /held/]]) {
      const said = await check(peygir, CREDIT, values, '--code', CODE, '--code-in-message');
      assert.deepEqual(failures(said), []);
      assert.equal(said.code, 0);
      assert.match(said.of.code.detail, way);
      const skipped = Object.keys(said.of).filter((name) => said.of[name].status === 'skipped');
      assert.deepEqual(skipped, ['code-message']);
    }
    assert.deepEqual(await remains(peygir), []);
  });

  test('is asked for no code where the service has none', async () => {
    const said = await check(peygir, OCR, SCAN);
    assert.deepEqual(failures(said), []);
    assert.equal(said.code, 0);
    for (const name of ['code', 'wrong-code', 'cancel-code']) assert.equal(said.of[name].status, 'skipped', name);
    for (const name of ['answers', 'progress', 'steps', 'cancel', 'garbage', 'alive']) assert.equal(said.of[name].status, 'ok', name);
  });

  test('gets no code when none is given, and the rest is looked at', async () => {
    const said = await check(peygir, CREDIT, GOOD);
    assert.equal(said.code, 0, failures(said).join('\n'));
    for (const name of ['code-message', 'wrong-code', 'right-code', 'result']) assert.equal(said.of[name].status, 'skipped', name);
  });

  test('is told in lines for people', async () => {
    const { code, stdout } = await peygir.cli('bot', 'check', OCR, '--data', JSON.stringify({ ...SCAN, file_id: 'file-back' }));
    assert.equal(code, 1);
    assert.match(stdout, /^ok +answers +first report after \d+\.\d s, a result after \d+\.\d s$/m);
    assert.match(stdout, /^failed +progress +it went back from 90 to 20$/m);
    assert.match(stdout, /^skipped +code +the service has none$/m);
  });

  test('is not called with data that the service refuses', async () => {
    const refusals = [
      [['no-such-service'], /there is no service "no-such-service"/],
      [[CREDIT], /needs other data, to be given with --data: mobile: .*national_code: /],
      [[CREDIT, '--data', JSON.stringify({ ...GOOD, mobile: '1' })], /needs other data: mobile: /],
      [[CREDIT, '--data', JSON.stringify({ ...GOOD, name: 'x' })], /has no field "name"/],
      [[CREDIT, '--data', '[]'], /must be a JSON object/],
      [[CREDIT, '--data', '{'], /--data is not JSON/],
    ];
    for (const [args, reason] of refusals) {
      const { code, stdout, stderr } = await peygir.cli('bot', 'check', ...args);
      assert.equal(code, 1, args.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, reason);
    }
  });

  test('cannot be checked without a worker, and that is said', async () => {
    const workers = await peygir.redis.zrange('peygir:workers', 0, -1);
    const pid = peygir.kill('worker', 'SIGSTOP');
    try {
      await peygir.redis.zadd('peygir:workers', ...workers.flatMap((id) => [0, id])); // heard of long ago
      const { code, stderr } = await peygir.cli('bot', 'check', OCR, '--data', JSON.stringify(SCAN));
      assert.equal(code, 1);
      assert.match(stderr, /no worker has been heard of.*start peygir-worker/);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

describe('a bot that misbehaves', { concurrency: 4 }, () => {
  let peygir, bot;

  const work = () => new Promise((resolve) => setTimeout(resolve, STEP_MS));
  const key = (hash) => `local_request:${hash}`;
  const state = async (hash) => JSON.parse((await peygir.redis.get(key(hash))) ?? 'null')?.status;
  const isOver = async (hash) => ['completed', 'failed', 'cancelled', undefined].includes(await state(hash));

  // As older bots do: past the guard, which is what the check can see from outside.
  async function write(hash, fields) {
    const text = await peygir.redis.get(key(hash));
    if (text === null) return;
    await peygir.redis.set(key(hash), JSON.stringify({ ...JSON.parse(text), ...fields }), 'EX', 1800, 'XX');
  }
  const progress = (hash, step, percent) => write(hash, { status: 'processing', step, progress: percent });

  // How a good one goes; `instead` changes what is named there.
  function behave(slug, instead) {
    const ways = {
      steps: [['authentication', 30], ['authentication', 40], ['captcha_solving', 50], ['captcha_solving', 60], ['sending_otp', 70]],
      isOver,
      ask: (call) => call.smsSent({ message: 'A code is on its way.' }),
      judge: (call) => (call.data.otp === CODE ? call.success({ score: 1 }) : call.error('OTP_WRONG')),
      garbage: (call) => call.send(400, {}, ''),
      cancelled: (call) => call.reply({ status: 'success' }),
      ...instead,
    };
    bot.on(`/api/services/${slug}/cancel`, (call) => ways.cancelled(call));
    bot.on(slug, async (call) => {
      if (typeof call.hash !== 'string') return ways.garbage(call);
      if (ways.begin && (await ways.begin(call))) return undefined;
      if (call.data.otp !== undefined) return ways.judge(call);
      for (const [step, percent] of ways.steps) {
        if (await ways.isOver(call.hash)) return call.error('OVER');
        await progress(call.hash, step, percent);
        await work();
      }
      return ways.ask(call);
    });
  }

  const thrice = (...steps) => [...steps, ...steps, ...steps];
  let sick = false;
  const bots = {
    answers: { begin: (call) => call.send(500, {}, '') ?? true },
    'time-out': { ask: () => {} },
    code: { ask: (call) => call.success({ score: 1 }) },
    'code-message': { ask: (call) => call.smsSent({ message: 'The code is ۱۲۳۴۵.' }) },
    'wrong-code': { judge: (call) => call.success({ score: 1 }) },
    'right-code': { judge: (call) => call.error('OTP_WRONG') },
    result: { ask: (call) => call.error('NOT_FOUND') },
    progress: { steps: thrice(['authentication', 50], ['authentication', 30]) },
    steps: { steps: thrice(['captcha_solving', 30], ['authentication', 30]) },
    cancel: { isOver: () => false, steps: Array.from({ length: 10 }, (unused, n) => ['authentication', n + 1]) },
    'cancel-call': { cancelled: (call) => call.send(404, {}, '') },
    'cancel-code': {
      cancelled: async (call) => {
        call.reply({ status: 'success' });
        for (let percent = 80; call.data.otpData && percent < 90; percent++) {
          await work();
          await progress(call.hash, 'verifying_otp', percent);
        }
      },
    },
    late: {
      begin: async (call) => {
        if ((await state(call.hash)) !== 'cancelled') return false;
        await peygir.redis.hset(`{${key(call.hash)}}:guard`, 'status', 'processing');
        await progress(call.hash, 'authentication', 10);
        return false;
      },
    },
    gone: {
      begin: async (call) => {
        if ((await state(call.hash)) === undefined) await peygir.redis.set(key(call.hash), '{"status":"processing"}', 'EX', 1800);
        return false;
      },
    },
    garbage: { garbage: (call) => call.success({}) },
    alive: {
      garbage: (call) => {
        sick = true;
        call.send(400, {}, '');
      },
      begin: (call) => sick && (call.socket.destroy() ?? true),
    },
  };
  const consequences = { answers: ['result', 'alive'], 'time-out': ['result'] };
  const slugOf = (name) => `bot-${name}`;

  before(async () => {
    bot = await new Bot().listen(await freePort());
    const services = Object.fromEntries(['good', ...Object.keys(bots)].map((name) => [slugOf(name), () => ({ ...definition, slug: slugOf(name) })]));
    peygir = await start({ env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url }, services: editServices(services) });
    behave(slugOf('good'), {});
    for (const [name, instead] of Object.entries(bots)) behave(slugOf(name), instead);
  });
  after(async () => {
    try {
      const left = () => remains(peygir);
      await waitFor(async () => (await left()).length === 0, { timeout: 30_000, what: 'nothing of the checks to be left', now: left });
    } finally {
      await peygir?.stop();
      await bot?.close();
    }
  });

  const checked = (name) => check(peygir, slugOf(name), GOOD, '--code', CODE, '--timeout', String(WAIT_S));

  test('is told from a good one, which keeps every promise that is broken below', async () => {
    const said = await checked('good');
    assert.deepEqual(failures(said), []);
    assert.equal(said.code, 0);
    assert.deepEqual(Object.values(said.of).filter(({ status }) => status !== 'ok'), []);
    assert.deepEqual(Object.keys(said.of).sort(), Object.keys(bots).sort(), 'every promise has a bot below that breaks it');
    assert.deepEqual([...new Set(bot.calls.map(({ headers }) => headers['accept-language']))], ['fa'], 'straight calls are like those of the worker');
  });

  for (const name of Object.keys(bots)) {
    test(`is found out by the promise that it breaks: ${name}`, async () => {
      const said = await checked(name);
      const failed = Object.keys(said.of).filter((one) => said.of[one].status === 'failed');
      assert.deepEqual(failed, [name, ...(consequences[name] ?? [])], JSON.stringify(said.of, null, 1));
      assert.notEqual(said.of[name].detail, '');
      assert.equal(said.code, 1);
    });
  }
});
