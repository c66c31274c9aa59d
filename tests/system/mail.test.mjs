// mail.test.mjs: e-mail of job types with the handler mail, sent to a real mail server and to one that misbehaves.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BUILD, freePort, program, start, tempDir, waitFor } from '../lib/peygir.mjs';
import { certificate, mailHost, oddMailServer } from '../lib/smtp.mjs';

const FROM = 'peygir@example.org', USER = 'peygir', PASSWORD = 'pässwörd of the mail server';

// The queues odd… belong to workers of the tests, each with a mail server of its own.
const TYPES = {
  odd: { handler: 'mail', queue: 'odd', tries: 3, backoff: [0], timeout: 60 },
  odd_once: { handler: 'mail', queue: 'odd', tries: 1, timeout: 60 },
  odd_short: { handler: 'mail', queue: 'odd', tries: 1, timeout: 1 },
  odd_many: { handler: 'mail', queue: 'odd', tries: 1, timeout: 20 },
  alone: { handler: 'mail', queue: 'alone', tries: 1, timeout: 1 },
};

let dir, peygir, host, odd, oddWorker;
let count = 0;

const data = (queue, id) => peygir.redis.hgetall(`peygir:${queue}:data:${id}`);

async function push(type, payload, queue = TYPES[type].queue) {
  const id = `mail-${++count}`;
  await peygir.redis.hset(`peygir:${queue}:data:${id}`, { type, payload: JSON.stringify(payload), status: 'pending' });
  await peygir.redis.lpush(`peygir:${queue}:queue`, id);
  return id;
}

const ended = (queue, id) =>
  waitFor(
    async () => {
      const job = await data(queue, id);
      return ['completed', 'failed', 'cancelled'].includes(job.status) && job;
    },
    { timeout: 20_000, what: `job ${id} to end`, now: () => data(queue, id) },
  );

const to = (name, more) => ({ to: `${name}@example.org`, template: 'reminder', locale: 'en', data: { about: 'a zebra' }, ...more });

async function oddEnd(type, name, more) {
  return ended('odd', await push(type, to(name, more)));
}

// A worker for one queue, with other settings than the instance's.
async function worker(queue, settings, ...more) {
  const sets = Object.entries(settings).map(([name, value]) => `--set=${name}=${value}`);
  return program('peygir-worker', ['--config', peygir.file('peygir.env'), ...sets, ...more, queue]);
}

// What comes of one mail that a worker of its own sends.
async function endAlone(settings, payload = to('somebody')) {
  const id = await push('alone', payload);
  const said = await worker('alone', settings, '--once');
  assert.equal(said.code, 0, said.stderr);
  return data('alone', id);
}

before(async () => {
  dir = tempDir('peygir-mail');
  const file = await certificate(dir), password = path.join(dir, 'password');
  fs.writeFileSync(password, `${PASSWORD}\n`, { mode: 0o600 });
  [host, odd] = await Promise.all([mailHost({ file, user: USER, password: PASSWORD }), oddMailServer()]);
  peygir = await start({
    env: {
      PEYGIR_DEMO: 'off', WORKER_QUEUES: 'task,mail', MAIL_FROM: FROM, MAIL_URL: `smtp://${USER}@localhost:${host.port}?starttls=yes`,
      MAIL_PASSWORD_FILE: password, MAIL_CA_FILE: file,
    },
    services: (services) => {
      for (const [name, type] of Object.entries(TYPES)) fs.writeFileSync(path.join(services, `../jobs/${name}.json`), JSON.stringify(type));
    },
  });
  oddWorker = spawn(path.join(BUILD, 'peygir-worker'),
    ['--config', peygir.file('peygir.env'), `--set=MAIL_URL=smtp://127.0.0.1:${odd.port}`, 'odd'],
    { stdio: ['ignore', 'ignore', fs.openSync(peygir.file('odd-worker.log'), 'w')] });
});
after(async () => {
  oddWorker?.kill('SIGTERM');
  if (oddWorker?.exitCode === null) await once(oddWorker, 'exit');
  await peygir?.stop();
  await Promise.all([host?.stop(), odd?.stop()]);
  fs.rmSync(dir, { recursive: true, force: true });
});

describe('a mail to a real server', () => {
  async function sent(payload) {
    const before = host.mails.length;
    const { id } = await peygir.cliJson('queue', 'push', 'mail', '--payload', JSON.stringify(payload));
    const job = await ended('mail', id);
    assert.equal(job.status, 'completed', job.error);
    assert.equal(host.mails.length, before + 1);
    return { mail: host.mails.at(-1), id };
  }

  test('is sent encrypted and signed in, with the headers of a letter that a machine wrote', async () => {
    const { mail, id } = await sent({ to: 'ali@example.org', template: 'code-needed', locale: 'en', data: { service: 'Credit', link: 'https://x.example/a?b=1&c=2' } });
    assert.equal(mail.tls, true);
    assert.equal(mail.user, USER);
    assert.equal(mail.from, FROM);
    assert.deepEqual(mail.to, ['ali@example.org']);
    assert.equal(mail.headers.from, FROM);
    assert.equal(mail.headers.to, 'ali@example.org');
    assert.equal(mail.headers['auto-submitted'], 'auto-generated');
    assert.equal(mail.headers['message-id'], `<peygir.${id}@example.org>`);
    assert.ok(Math.abs(Date.parse(mail.headers.date) - Date.now()) < 600_000, mail.headers.date);
    assert.deepEqual(mail.defects, []);
    assert.equal(new Set(mail.names).size, mail.names.length);
  });

  test('has the same words in plain text and in HTML, in which values are escaped', async () => {
    const link = 'https://x.example/a?b=1&c=2';
    const { mail } = await sent({ to: 'ali@example.org', template: 'code-needed', locale: 'en', data: { service: '<b>A&B</b>', link } });
    assert.match(mail.parts['text/plain'], /Your request <b>A&B<\/b> waits for the code/);
    assert.ok(mail.parts['text/plain'].includes(`\n${link}\n`));
    assert.match(mail.parts['text/html'], /Your request &lt;b&gt;A&amp;B&lt;\/b&gt; waits for the code/);
    assert.match(mail.parts['text/html'], /href="https:\/\/x\.example\/a\?b=1&amp;c=2"/);
    assert.match(mail.parts['text/html'], /<html lang="en" dir="ltr">/);
  });

  test('in Persian goes from right to left, its subject too long for one line, in bytes that every server takes', async () => {
    const { mail } = await sent({ to: 'ali@example.org', template: 'result-ready', locale: 'fa', data: { service: 'اعتبارسنجی', failed: true } });
    const words = JSON.parse(fs.readFileSync(new URL('../../www/locales/fa.json', import.meta.url))).mail.result_ready;
    assert.equal(mail.headers.subject, words.subject);
    assert.match(mail.parts['text/html'], /<html lang="fa" dir="rtl">/);
    assert.ok(mail.parts['text/plain'].startsWith(words.failed.replace('{service}', 'اعتبارسنجی')));
    assert.equal(mail.headers['content-language'], 'fa');
    assert.equal(mail.ascii, true);
    assert.ok(mail.longest <= 76, String(mail.longest));
  });

  test('has gaps where data are missing, and the usual language where none is named', async () => {
    const { mail } = await sent({ to: 'ali@example.org', template: 'reminder' });
    assert.equal(mail.headers['content-language'], 'fa');
    assert.doesNotMatch(mail.parts['text/plain'] + mail.parts['text/html'], /[{}]|undefined|null/);
    assert.doesNotMatch(mail.parts['text/html'], /href/);
  });

  test('is not sent for a payload that is wrong, which is not tried again', async () => {
    const wrong = {
      'one e-mail address': [{ to: 'a@b.example\r\nBcc: c@d.example' }, { to: 'nobody' }, { to: 'a@b, c@d' }, { to: ['a@b'] }, {}],
      'There is no template "invoice"': [{ to: 'a@b', template: 'invoice' }],
      'no name of one': [{ to: 'a@b', template: '../form' }, { to: 'a@b', template: '' }, { to: 'a@b', template: '_head' }],
      'There is no language "de"': [{ to: 'a@b', template: 'reminder', locale: 'de' }],
      'no name of a language': [{ to: 'a@b', template: 'reminder', locale: '../en' }],
      'a JSON object': [{ to: 'a@b', template: 'reminder', data: [1] }],
    };
    const before = host.mails.length;
    for (const [sentence, payloads] of Object.entries(wrong)) {
      for (const payload of payloads) {
        const job = await ended('mail', await push('mail', payload, 'mail'));
        assert.equal(job.status, 'failed');
        assert.ok(job.error.includes('invalid_payload') && job.error.includes(sentence), `${JSON.stringify(payload)}: ${job.error}`);
        assert.equal(job.run, '1');
      }
    }
    assert.equal(host.mails.length, before);
  });

  test('is not sent where the certificate, the password or the encryption is not as it must be', async () => {
    const url = peygir.env.MAIL_URL, other = path.join(dir, 'other');
    fs.writeFileSync(other, 'another\n', { mode: 0o600 });
    const before = host.mails.length;
    assert.match((await endAlone({ MAIL_CA_FILE: '' })).error, /certificate/);
    const refused = await endAlone({ MAIL_PASSWORD_FILE: other });
    assert.match(refused.error, /Login denied.*535/);
    assert.match((await endAlone({ MAIL_URL: url.replace('=yes', '=no') })).error, /STARTTLS|530|Login denied/i);
    assert.equal(host.mails.length, before);
  });
});

describe('a mail to a server that misbehaves', () => {
  test('is tried again after 4xx by the policy of its job', async () => {
    const job = await oddEnd('odd', 'greylist');
    assert.equal(job.status, 'completed');
    assert.equal(odd.tries.greylist, 2);
    assert.match(JSON.stringify(job), /mail_put_off.*451 4\.7\.1 \*\*\* try again later/);
  });

  test('fails at once after 5xx, with the words of the server and without the address', async () => {
    const job = await oddEnd('odd', 'reject');
    assert.equal(job.status, 'failed');
    assert.equal(odd.tries.reject, 1);
    assert.match(job.error, /mail_rejected.*550-5\.1\.1 the mailbox 550 5\.1\.1 \*\*\* does not exist/);
    const late = await oddEnd('odd', 'late');
    assert.match(late.error, /mail_rejected.*554 5\.7\.1 not wanted here/);
    assert.equal(odd.tries.late, 1);
  });

  test('is tried again when the connection breaks, for the last time with an error that says so', async () => {
    const job = await oddEnd('odd', 'cut');
    assert.equal(job.status, 'failed');
    assert.equal(odd.tries.cut, 3);
    assert.match(job.error, /the connection was lost/);
  });

  test('that may have been taken before the connection broke has the same Message-ID when it comes again', async () => {
    const job = await oddEnd('odd', 'unsure');
    assert.equal(job.status, 'completed');
    assert.match(JSON.stringify(job), /lost after the whole mail was sent; the server may have taken it/);
    const ids = odd.mails.filter(({ name }) => name === 'unsure').map(({ text }) => text.match(/^Message-ID: (.*)$/m)[1]);
    assert.equal(ids.length, 2);
    assert.equal(ids[0], ids[1]);
  });

  test('to one that does not answer ends in time, and the worker goes on with others meanwhile', async () => {
    const [silent, good] = [await push('odd_short', to('silent')), await push('odd_once', to('good'))];
    assert.equal((await ended('odd', good)).status, 'completed');
    const job = await ended('odd', silent);
    assert.match(job.error, /no answer in time/);
    const quiet = await oddMailServer({ greeting: () => {} });
    assert.match((await endAlone({ MAIL_URL: `smtp://127.0.0.1:${quiet.port}` })).error, /no answer in time/);
    await quiet.stop();
  });

  test('ends where an answer is none or has no end', async () => {
    for (const name of ['garbage', 'endless', 'endless-line'])
      assert.match((await oddEnd('odd_once', name)).error, /an answer that is none of SMTP, or has no end/, name);
    const endless = await oddMailServer({ greeting: (socket) => socket.write('220-hello\r\n'.repeat(10_000)) });
    assert.match((await endAlone({ MAIL_URL: `smtp://127.0.0.1:${endless.port}` })).error, /greeting has no end/);
    await endless.stop();
  });

  test('is not even begun where STARTTLS is wanted and not offered', async () => {
    const before = odd.commands.length;
    const job = await endAlone({ MAIL_URL: `smtp://127.0.0.1:${odd.port}?starttls=yes` });
    assert.match(job.error, /STARTTLS/);
    assert.deepEqual(odd.commands.slice(before).filter((line) => /^(MAIL|RCPT|AUTH)/.test(line)), []);
  });

  test('says so when nobody listens', async () => {
    const port = await freePort();
    const job = await endAlone({ MAIL_URL: `smtp://127.0.0.1:${port}`, LOCAL_API_RETRIES: 0 });
    assert.match(job.error, new RegExp(`127\\.0\\.0\\.1:${port}: .*connect`, 'i'));
  });

  test('is not begun while four others are on their way', async () => {
    const before = odd.mails.length, ids = [];
    for (let i = 0; i < 9; i++) ids.push(await push('odd_many', to('hold')));
    for (let let_go = 0; let_go < 9; let_go++) {
      await waitFor(() => odd.held.length === Math.min(4, 9 - let_go), { what: 'four mails to be at the server', now: () => odd.held.length });
      const waiting = (await Promise.all(ids.map((id) => data('odd', id)))).filter(({ status }) => status === 'pending');
      assert.equal(waiting.length, Math.max(0, 5 - let_go));
      odd.held.shift()();
    }
    assert.equal(odd.mostHeld, 4);
    for (const id of ids) assert.equal((await ended('odd', id)).status, 'completed');
    assert.equal(odd.mails.length, before + 9);
  });
});

describe('the settings of mail', () => {
  test('without MAIL_FROM a job fails with an error that names it', async () => {
    const job = await endAlone({ MAIL_FROM: '', MAIL_URL: `smtp://127.0.0.1:${odd.port}` });
    assert.match(job.error, /mail_not_set_up: MAIL_FROM is not set/);
  });

  test('that are wrong stop the start-up with a sentence', async () => {
    const open = path.join(dir, 'open'), empty = path.join(dir, 'empty');
    fs.writeFileSync(open, 'x\n', { mode: 0o644 });
    fs.writeFileSync(empty, '\n', { mode: 0o600 });
    const events = path.join(dir, 'events');
    fs.mkdirSync(events);
    fs.writeFileSync(path.join(events, 'odd.json'), JSON.stringify({ title: 'Odd', text: 'Odd', mail: 'my_mail' }));
    const wrong = [
      [{ PEYGIR_NOTIFICATIONS_DIR: events }, /odd\.json: mail: there is no template "my_mail"/],
      [{ MAIL_URL: 'smtp://u@h?starttls=no' }, /MAIL_URL: names a user and starttls=no/],
      [{ MAIL_URL: 'smtp://u:secret@h' }, /MAIL_URL: holds a password.*MAIL_PASSWORD_FILE/],
      [{ MAIL_URL: 'smtp://h?tls=yes' }, /MAIL_URL: has a query/],
      [{ MAIL_URL: 'smtp://h/path' }, /MAIL_URL: has more than user, host and port/],
      [{ MAIL_URL: 'smtp://u@h', MAIL_PASSWORD_FILE: '' }, /MAIL_PASSWORD_FILE must name the file/],
      [{ MAIL_URL: 'smtp://u@h', MAIL_PASSWORD_FILE: open }, /its mode must be 0600/],
      [{ MAIL_URL: 'smtp://u@h', MAIL_PASSWORD_FILE: empty }, /does not begin with a line/],
      [{ MAIL_URL: 'smtp://u@h', MAIL_PASSWORD_FILE: path.join(dir, 'none') }, /cannot be read/],
    ];
    for (const [settings, sentence] of wrong) {
      const said = await worker('alone', settings, '--once');
      assert.equal(said.code, 78, JSON.stringify(settings));
      assert.match(said.stderr, sentence);
      assert.doesNotMatch(said.stderr, /secret/);
    }
  });
});

test('no log holds an address, a subject or the password', async () => {
  const logs = peygir.logs();
  assert.match(logs, /mail_rejected/);
  assert.doesNotMatch(logs, /(ali|reject|good|somebody|hold)@|zebra|Something|pässwörd/);
});
