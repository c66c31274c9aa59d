// cli_queue.test.mjs: peygir queue …, job …, and the completion of bash: looking after a queue by hand and by script.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CREDIT, GOOD, OCR, whileWorkerSleeps } from '../lib/demo.mjs';
import { BUILD, program, start, tempDir, waitFor } from '../lib/peygir.mjs';
import { Yard } from '../lib/yard.mjs';

const ID = /^job_[0-9A-HJKMNP-TV-Z]{26}$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NONE = { handler: 'none' };

let yard;

before(async () => {
  yard = await Yard.start(BUILD, { jobs: { default: NONE, urgent: { ...NONE, priority: 9, queue: 'fast' }, slow: { ...NONE, limits: { at_once: 2 }, timeout: 7,
    unique: { by: ['document'] } } } });
});
after(() => yard?.close());

const run = async (...args) => {
  const { code, stdout, stderr } = await yard.peygir(...args);
  assert.equal(code, 0, stderr);
  return stdout;
};
const json = async (...args) => JSON.parse(await run('--json', ...args));
const refused = async (status, ...args) => {
  const { code, stdout, stderr } = await yard.peygir(...args);
  assert.equal(code, status, `peygir ${args.join(' ')}: ${stdout}${stderr}`);
  assert.equal(stdout, '');
  assert.match(stderr, /^peygir: .{10}/);
  return stderr;
};
const push = async (...args) => (await json('queue', 'push', ...args)).id;
const lines = (text) => text.split('\n').filter(Boolean);
const redisLines = (...command) => lines(yard.redis(...command));

// Each test that counts has a queue of its own.
let queues = 0;
const newQueue = () => `q${++queues}`;

describe('push', () => {
  test('prints the id: alone, and as {"id"}', async () => {
    const queue = newQueue();
    assert.match((await run('queue', 'push', 'default', '--queue', queue)).trim(), ID);
    const answer = await json('queue', 'push', 'default', '--queue', queue, '--payload', '{"n": 1}');
    assert.deepEqual(Object.keys(answer), ['id']);
    assert.match(answer.id, ID);
    assert.equal(yard.redis('HGET', `peygir:${queue}:data:${answer.id}`, 'payload').trim(), '{"n": 1}');
    assert.equal(redisLines('LRANGE', `peygir:${queue}:queue`, '0', '-1')[0], answer.id, 'the newest is at the left');
  });

  test('takes queue and priority from the type, unless they are given', async () => {
    const id = await push('urgent');
    assert.equal(Math.ceil(Number(yard.redis('ZSCORE', 'peygir:fast:priority', id))), 10);
    const queue = newQueue();
    const low = await push('urgent', '--queue', queue, '--priority', '0');
    assert.equal(Math.ceil(Number(yard.redis('ZSCORE', `peygir:${queue}:priority`, low))), 1);
    const middle = await push('urgent', '--queue', queue, '--priority', '5');
    assert.deepEqual(redisLines('LRANGE', `peygir:${queue}:queue`, '0', '-1'), [middle]);
  });

  test('with a delay waits for its time, with tries and timeout keeps them', async () => {
    const queue = newQueue();
    const id = await push('default', '--queue', queue, '--delay', '600', '--tries', '2', '--timeout', '9');
    const shown = await json('queue', 'show', id);
    assert.equal(shown.place, 'delayed');
    assert.match(shown.due_at, RFC3339);
    assert.ok(Date.parse(shown.due_at) > Date.now() + 500_000);
    assert.equal(shown.max_attempts, 2);
    assert.equal(shown.timeout, 9);
  });

  test('with a unique key stands for the job that is there', async () => {
    const queue = newQueue();
    const id = await push('default', '--queue', queue, '--unique', 'once');
    const { code, stdout, stderr } = await yard.peygir('--json', 'queue', 'push', 'default', '--queue', queue, '--unique', 'once');
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).id, id);
    assert.match(stderr, /nothing was pushed/);
    assert.equal((await json('queue', 'stats', queue)).queues[0].waiting, 1);
  });

  test('of a unique type stands for the job with the same members, and an own key wins', async () => {
    const queue = newQueue();
    const payload = (document, more) => ['--queue', queue, '--payload', JSON.stringify({ document, ...more })];
    const id = await push('slow', ...payload('a1', { n: 1 }));
    assert.equal(await push('slow', ...payload('a1', { n: 2 })), id);
    assert.notEqual(await push('slow', ...payload('a2')), id);
    assert.notEqual(await push('slow', ...payload('a1'), '--unique', 'mine'), id);
    assert.equal((await json('queue', 'stats', queue)).queues[0].waiting, 3);
    assert.match((await json('queue', 'show', id, '--queue', queue)).unique_key, /^slow:/);
  });

  test('of lines from standard input makes a job each, and names the wrong line', async () => {
    const queue = newQueue();
    const feed = (input) => new Promise((resolve) => {
      const child = spawn(path.join(BUILD, 'peygir'), ['--config', '/dev/null', '--json', 'queue', 'push', 'default', '--queue', queue, '--payload', '-'],
        { env: yard.environment() });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk) => (stdout += chunk));
      child.stderr.on('data', (chunk) => (stderr += chunk));
      child.once('close', (code) => resolve({ code, stdout, stderr }));
      child.stdin.end(input);
    });
    const many = Array.from({ length: 1201 }, (_, n) => JSON.stringify({ n })).join('\n');
    const good = await feed(`${many}\n\n`);
    assert.equal(good.code, 0, good.stderr);
    const ids = JSON.parse(good.stdout).map(({ id }) => id);
    assert.equal(new Set(ids).size, 1201);
    assert.equal(yard.redis('LLEN', `peygir:${queue}:queue`).trim(), '1201');
    assert.equal(yard.redis('HGET', `peygir:${queue}:data:${ids[7]}`, 'payload').trim(), '{"n":7}');
    const bad = await feed('{"n": 1}\nnonsense\n{"n": 3}\n');
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /line 2 .*JSON/);
    assert.equal(JSON.parse(bad.stdout).length, 1, 'what stood before is pushed and told');
  });

  test('refuses what no worker could carry out', async () => {
    assert.match(await refused(1, 'queue', 'push', 'nonsense'), /default, slow, urgent/);
    assert.match(await refused(1, 'queue', 'push', 'service'), /requests/);
    assert.match(await refused(1, 'queue', 'push', 'default', '--payload', '{"a":'), /JSON/);
    assert.match(await refused(1, 'queue', 'push', 'default', '--payload', '[1]'), /object/);
    assert.match(await refused(1, 'queue', 'push', 'default', '--payload', `{"a":"${'x'.repeat(70_000)}"}`), /65536 bytes/);
    assert.match(await refused(1, 'queue', 'push', 'default', '--unique-for', '5'), /--unique=KEY/);
    for (const wrong of [['--priority', '11'], ['--priority', 'high'], ['--delay', '-1'], ['--queue', 'stats'], ['--queue', 'a:b'], ['--nothing']]) {
      assert.match(await refused(2, 'queue', 'push', 'default', ...wrong), new RegExp(`${wrong[0]}[^]*usage: peygir queue push TYPE`));
    }
  });
});

describe('one job', () => {
  test('is shown from whatever queue it is in, its payload masked', async () => {
    const queue = newQueue();
    const id = await push('default', '--queue', queue, '--unique', `sms:${GOOD.mobile}`, '--payload', JSON.stringify({ mobile: GOOD.mobile, n: 12 }));
    yard.redis('HSET', `peygir:${queue}:data:${id}`, 'user_id', GOOD.mobile); // as a host site may number its users
    const shown = await json('queue', 'show', id);
    assert.equal(shown.id, id);
    assert.equal(shown.type, 'default');
    assert.equal(shown.place, 'queue');
    assert.equal(shown.ahead, 0);
    assert.match(shown.created_at, RFC3339);
    assert.equal(shown.payload_masked, true);
    assert.deepEqual(shown.payload, { mobile: '***67', n: '***' });
    assert.equal(shown.unique_key, 'sms:***67');
    assert.equal(shown.user_id, '***67');
    const text = await run('queue', 'show', id);
    assert.ok(!text.includes(GOOD.mobile));
    assert.match(text, /created_at +\S+ \((now|\d+ s ago)\)/);
    assert.match(text, /masked/);
  });

  test('explains why it waits', async () => {
    const queue = newQueue();
    const id = await push('default', '--queue', queue);
    await run('queue', 'pause', queue, '--message', 'the bank is closed');
    const text = await run('queue', 'explain', id);
    assert.match(text, /paused/);
    assert.match(text, /the bank is closed/);
    const { sentences } = await json('queue', 'explain', id);
    assert.deepEqual(sentences, lines(text));
    assert.ok(sentences.every((sentence) => /^[A-Z].*\.$/.test(sentence)));
  });

  test('is cancelled once', async () => {
    const queue = newQueue();
    const id = await push('default', '--queue', queue);
    assert.deepEqual(await json('queue', 'cancel', id), { id, queue, cancelled: true });
    assert.equal((await json('queue', 'cancel', id)).cancelled, false);
    assert.equal((await json('queue', 'show', id)).status, 'cancelled');
    assert.equal((await json('queue', 'stats', queue)).queues[0].waiting, 0);
  });

  test('that is not there is said to be so', async () => {
    for (const verb of ['show', 'explain', 'cancel']) assert.match(await refused(1, 'queue', verb, 'job_x'), /no job job_x/);
    const queue = newQueue();
    const id = await push('default', '--queue', queue);
    assert.match(await refused(1, 'queue', 'show', id, '--queue', 'task'), /in the queue task/);
    assert.equal((await json('queue', 'show', id, '--queue', queue)).id, id);
  });
});

describe('a queue', () => {
  test('is paused and resumed, and says since when it was so', async () => {
    const queue = newQueue();
    await push('default', '--queue', queue);
    assert.deepEqual(await json('queue', 'pause', queue), { queue, paused: true, changed: true });
    assert.equal((await json('queue', 'pause', queue)).changed, false);
    assert.equal((await json('queue', 'stats', queue)).queues[0].paused, true);
    assert.match(await run('queue', 'stats', queue), /paused/);
    assert.deepEqual(await json('queue', 'resume', queue), { queue, paused: false, changed: true });
    assert.equal((await json('queue', 'resume', queue)).changed, false);
  });

  test('that nobody has named is paused all the same, with a note', async () => {
    const { code, stderr } = await yard.peygir('queue', 'pause', 'mistyped');
    assert.equal(code, 0);
    assert.match(stderr, /note: no job and no job type has named the queue mistyped/);
    await run('queue', 'resume', 'mistyped');
    assert.match(await refused(1, 'queue', 'pause', 'a:b'), /"a:b" cannot be a queue/);
  });

  test('is cleared of what waits: counted first', async () => {
    const queue = newQueue();
    await push('default', '--queue', queue);
    await push('default', '--queue', queue, '--priority', '9');
    await push('default', '--queue', queue, '--delay', '60');
    assert.deepEqual(await json('queue', 'clear', queue, '--dry-run'), { queue, dry_run: true, cleared: 3 });
    assert.deepEqual(await json('queue', 'clear', queue), { queue, dry_run: false, cleared: 3 });
    const { waiting, delayed } = (await json('queue', 'stats', queue)).queues[0];
    assert.deepEqual({ waiting, delayed }, { waiting: 0, delayed: 0 });
  });

  test('has limits that are set one by one, shown, and taken away', async () => {
    const queue = newQueue();
    await push('default', '--queue', queue);
    assert.deepEqual(await json('queue', 'limit', queue), { queue, at_once: null, per: null });
    await run('queue', 'limit', queue, '--at-once', '3');
    assert.deepEqual(await json('queue', 'limit', queue, '--per', '10/60'), { queue, at_once: 3, per: { jobs: 10, seconds: 60 } });
    assert.match(await run('queue', 'stats', queue), /3 at once; 10 jobs in 60 s/);
    assert.deepEqual(await json('queue', 'limit', queue, '--none'), { queue, at_once: null, per: null });
    assert.match(await refused(1, 'queue', 'limit', queue, '--none', '--at-once', '3'), /--none/);
    await refused(2, 'queue', 'limit', queue, '--per', '10');
  });

  test('lists its jobs, those that come next first', async () => {
    const queue = newQueue();
    const first = await push('default', '--queue', queue);
    const second = await push('default', '--queue', queue);
    const third = await push('default', '--queue', queue, '--priority', '8');
    const later = await push('default', '--queue', queue, '--delay', '60');
    assert.deepEqual((await json('queue', 'list', queue)).map(({ id }) => id), [third, first, second]);
    assert.deepEqual((await json('queue', 'list', queue, '--limit', '2')).map(({ id }) => id), [third, first]);
    assert.deepEqual((await json('queue', 'list', queue, '--state', 'delayed')).map(({ id }) => id), [later]);
    assert.deepEqual(await json('queue', 'list', queue, '--state', 'failed'), []);
    assert.match(await run('queue', 'list', queue), /^ID +TYPE +IN +CREATED/);
  });

  test('is checked, and repaired when asked to be', async () => {
    const queue = newQueue();
    const id = await push('default', '--queue', queue);
    assert.deepEqual(await json('queue', 'check', queue), { looked_at: 1, found: 0, repaired: 0, faults: [] });
    yard.redis('DEL', `peygir:${queue}:queue`);
    const found = await yard.peygir('--json', 'queue', 'check', queue);
    assert.equal(found.code, 1, 'something is wrong');
    const { faults } = JSON.parse(found.stdout);
    assert.deepEqual(faults.map((fault) => [fault.queue, fault.id, fault.fault]), [[queue, id, 'in_no_set']]);
    assert.match(await run('queue', 'check', queue, '--repair'), /1 faults found, 1 repaired/);
    assert.equal((await json('queue', 'check')).found, 0, 'all queues');
    assert.equal((await json('queue', 'show', id)).place, 'queue');
  });
});

describe('all queues', () => {
  test('are counted together with workers and what was done today', async () => {
    const queue = newQueue();
    await push('default', '--queue', queue);
    const { queues: rows, workers, today, totals } = await json('queue', 'stats');
    assert.equal(rows[0].queue, 'task', 'the default one first');
    const row = rows.find((one) => one.queue === queue);
    assert.deepEqual({ ...row, oldest_waiting_ms: 0 }, { queue, waiting: 1, delayed: 0, active: 0, failed: 0, paused: false, pause_reason: null,
      oldest_waiting_ms: 0, at_once: null, per: null, workers: 0 });
    assert.deepEqual(workers, []);
    assert.ok(today.total >= 1 && totals.total >= today.total);
    const [head, ...rest] = lines(await run('queue', 'stats'));
    assert.match(head, /^QUEUE +WAITING +DELAYED +ACTIVE +FAILED +OLDEST +WORKERS/);
    assert.match(rest.at(-1), /^today: \d+ pushed/);
    assert.equal((await json('queue', 'stats', queue, 'task')).queues.length, 2);
  });

  test('are left by every worker when a restart is asked for', async () => {
    const worker = yard.worker({ args: [newQueue()] });
    await waitFor(async () => (await json('queue', 'stats', 'task')).workers.length === 1, { what: 'the worker to be heard of' });
    assert.deepEqual(await json('queue', 'restart'), { workers: 1 });
    assert.deepEqual(await worker.ended, { code: 0, signal: null });
  });
});

describe('monitor', () => {
  const monitor = (...args) => {
    const child = spawn(path.join(BUILD, 'peygir'), ['--config', '/dev/null', ...args, 'queue', 'monitor'], { env: yard.environment() });
    const said = { stdout: '' };
    child.stdout.on('data', (chunk) => (said.stdout += chunk));
    return { child, said, ended: once(child, 'close').then(([code]) => code) };
  };

  test('prints one view after the other where there is no terminal', async () => {
    const text = await run('queue', 'monitor', '--limit', '1');
    assert.match(text, /^peygir {2}\d{4}-/);
    assert.match(text, /QUEUE +WAITING/);
    assert.doesNotMatch(text, /\x1b/); // eslint-disable-line no-control-regex
  });

  test('prints a line of JSON a second, and Ctrl-C ends it', async () => {
    const { child, said, ended } = monitor('--json');
    await waitFor(() => lines(said.stdout).length >= 2, { what: 'two lines' });
    child.kill('SIGINT');
    assert.equal(await ended, 0);
    const [first, second] = lines(said.stdout).map(JSON.parse);
    assert.equal(first.per_second.completed, null, 'a rate needs two looks');
    assert.equal(second.per_second.completed, 0);
    for (const name of ['queues', 'workers', 'failures', 'today']) assert.ok(name in second, name);
  });

  test('draws on a terminal, and q brings back what was there', async () => {
    const typed = path.join(yard.dir, 'typed');
    const child = spawn('script', ['-qefc', `stty rows 10 cols 40; exec ${path.join(BUILD, 'peygir')} --config /dev/null queue monitor`, typed],
      { env: { ...yard.environment(), TERM: 'xterm' } });
    let drawn = '';
    child.stdout.on('data', (chunk) => (drawn += chunk));
    const ended = once(child, 'close');
    await waitFor(() => drawn.includes('WAITING'), { what: 'a view', now: () => drawn });
    child.stdin.write('q');
    assert.equal((await ended)[0], 0);
    assert.ok(drawn.includes('\x1b[?1049h') && drawn.endsWith('\x1b[?25h\x1b[?1049l'), JSON.stringify(drawn.slice(-60)));
    const view = drawn.slice(drawn.indexOf('\x1b[H') + 3).split('\x1b[J')[0].split('\x1b[K');
    assert.ok(view.length <= 11, 'not more lines than it has');
    assert.ok(view.every((line) => line.replace(/[\r\n]/g, '').length <= 40), 'nor longer ones');
  });
});

describe('job types', () => {
  test('are listed with what they are set to', async () => {
    const list = await json('job', 'list');
    assert.deepEqual(list.map(({ type }) => type), ['default', 'slow', 'urgent']);
    assert.equal(list[1].at_once, 2);
    assert.equal(list[1].timeout, 7);
    assert.deepEqual([list[2].queue, list[2].priority, list[2].handler], ['fast', 9, 'none']);
    assert.match(await run('job', 'list'), /^TYPE +HANDLER +QUEUE/);
  });

  test('are checked file by file', async () => {
    const dir = tempDir();
    const good = path.join(dir, 'good.json');
    const bad = path.join(dir, 'bad.json');
    fs.writeFileSync(good, '{"handler": "none"}');
    fs.writeFileSync(bad, '{"handler": "none", "tries": "many"}');
    assert.deepEqual((await json('job', 'check')).map(({ ok }) => ok), [true, true, true]);
    const { code, stdout } = await yard.peygir('--json', 'job', 'check', good, bad);
    assert.equal(code, 1);
    const [first, second] = JSON.parse(stdout);
    assert.deepEqual(first, { file: good, ok: true, error: null });
    assert.match(second.error, /bad\.json.*tries/);
    fs.rmSync(dir, { recursive: true });
  });
});

describe('the jobs of requests', () => {
  let peygir;
  before(async () => {
    peygir = await start({ env: { WORKER_BACKOFF: '0' } });
  });
  after(() => peygir?.stop());

  test('are cancelled together with their request', async () => {
    const hash = await whileWorkerSleeps(peygir, async () => {
      const made = await peygir.visitor().request(OCR, { file_id: 'file-1', language: 'fa' });
      const shown = await peygir.cliJson('queue', 'show', made);
      assert.equal(shown.request_hash, made);
      assert.equal((await peygir.cliJson('queue', 'cancel', made)).cancelled, true);
      return made;
    });
    assert.equal((await peygir.document(hash)).status, 'cancelled');
  });

  test('show no personal value anywhere', async () => {
    await whileWorkerSleeps(peygir, async () => {
      const hash = await peygir.visitor().request(CREDIT, GOOD);
      for (const verb of ['show', 'explain']) {
        const text = JSON.stringify(await peygir.cliJson('queue', verb, hash)) + (await peygir.cli('queue', verb, hash)).stdout;
        for (const value of Object.values(GOOD)) assert.ok(!text.includes(value), verb);
      }
      await peygir.cliJson('queue', 'cancel', hash);
    });
  });

  test('that wait in a paused queue make health warn, which is no failure', async () => {
    await peygir.cliJson('queue', 'pause', '--message', 'the bank is closed');
    const { status, checks } = await peygir.cliJson('health');
    await peygir.cliJson('queue', 'resume');
    assert.equal(status, 'warning');
    assert.match(checks.find(({ check }) => check === 'paused').detail, /task is paused.*the bank is closed/);
    assert.equal((await peygir.cliJson('stats')).paused_queues, 0);
  });
});

test('Redis away is 69 for every verb that needs it', async () => {
  const env = { ...yard.environment(), REDIS_URL: 'unix:///nowhere/redis.sock' };
  for (const args of [['queue', 'stats'], ['queue', 'pause'], ['queue', 'push', 'default'], ['queue', 'show', 'x'], ['queue', 'check'], ['queue', 'monitor'],
    ['queue', 'restart'], ['failed', 'list'], ['failed', 'retry', 'all'], ['failed', 'flush'], ['schedule', 'list'], ['token', 'list'],
    ['service', 'open', CREDIT]]) {
    const { code, stdout, stderr } = await program('peygir', ['--config', '/dev/null', ...args], env);
    assert.equal(code, 69, `peygir ${args.join(' ')}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, /nowhere/);
  }
});

describe('help', () => {
  test('of a verb names its flags', async () => {
    const { code, stdout } = await program('peygir', ['queue', 'push', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^usage: peygir queue push TYPE/);
    for (const flag of ['--queue', '--payload', '--priority', '--delay', '--unique', '--unique-for', '--tries', '--timeout']) {
      assert.match(stdout, new RegExp(`\n  ${flag}=\\S+\n      \\S`));
    }
  });

  test('of bash completes verbs, flags and words', async () => {
    const file = path.join(BUILD, 'completions/peygir');
    const complete = (...words) => {
      const list = words.map((word) => `'${word}'`).join(' ');
      const script = `compopt() { echo "\$2"; }; source "${file}"; COMP_WORDS=(peygir ${list}); COMP_CWORD=${words.length}; _peygir; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return lines(execFileSync('bash', ['-uc', script], { encoding: 'utf8' }));
    };
    assert.ok(complete('').includes('queue') && complete('').includes('health'));
    assert.deepEqual(complete('que'), ['queue']);
    assert.deepEqual(complete('queue', 'p'), ['pause', 'push']);
    assert.deepEqual(complete('--json', 'failed', 'f'), ['flush', 'forget']);
    assert.deepEqual(complete('queue', 'push', 'default', '--pri'), ['nospace', '--priority=']);
    assert.deepEqual(complete('queue', 'list', '--state', '=', 'wa'), ['waiting']);
    assert.deepEqual(complete('token', 'create', '--role', ''), ['api', 'bot', 'site']);
    assert.deepEqual(complete('failed', 'retry', 'a'), ['all']);
    assert.deepEqual(complete('queue', 'pause', '--he'), ['--help']);
    assert.deepEqual(complete('nonsense', ''), []);
    for (const before of [['service', 'check'], ['--config', '=']]) { // bash is to go on behind a directory, and to quote what needs it
      assert.deepEqual(complete(...before, `${yard.dir}/job`), ['filenames', `${yard.dir}/jobs`]);
    }
  });

  test('of the manual page tells each flag below its verb', () => {
    const page = fs.readFileSync(path.join(BUILD, 'peygir.1'), 'utf8');
    assert.equal(page.match(/^\.RS$/gm).length, page.match(/^\.RE$/gm).length);
    const [, push] = page.match(/^\.TP\n\\fBqueue push\\fR TYPE\n[^]*?\n\.RS\n([^]*?)\n\.RE$/m);
    assert.deepEqual(push.match(/^\\fB\S+/gm).map((flag) => flag.replaceAll('\\', '').slice(2, -2)),
      ['--queue=QUEUE', '--payload=JSON', '--priority=N', '--delay=S', '--unique=KEY', '--unique-for=S', '--tries=N', '--timeout=S']);
  });
});
