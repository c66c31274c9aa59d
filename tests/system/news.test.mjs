// news.test.mjs: a visitor who leaves an address is told by e-mail that a code is needed and that the request has ended.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { CODE, CREDIT, GOOD } from '../lib/demo.mjs';
import { SOURCE, editServices, freePort, program, start, waitFor } from '../lib/peygir.mjs';
import { oddMailServer } from '../lib/smtp.mjs';

const ERRAND = 'errand', SITE = 'https://site.example', OCR_DATA = { file_id: 'scan-1', language: 'fa' };
const FIELD = { name: 'news_to', type: 'notify_email', label: 'Tell me by e-mail', rules: ['email'] };
const words = (language) => JSON.parse(fs.readFileSync(path.join(SOURCE, `www/locales/${language}.json`), 'utf8')).mail;

let peygir, bot, mail, work;
let count = 0;

// Everybody has an address of their own, by which their mails are told apart.
const address = () => `visitor-${++count}@example.org`;
const mailsTo = (to) => mail.mails.filter(({ name }) => `${name}@example.org` === to).map(({ text }) => text.replaceAll('=\r\n', ''));
const told = (to, number) => waitFor(() => mailsTo(to).length >= number && mailsTo(to)[number - 1], { what: `mail ${number} to ${to}`, now: () => mailsTo(to) });
const subject = (text) => text.match(/^Subject: (.*)$/m)[1].trim();
const mailJob = (hash, what) =>
  waitFor(async () => {
    const job = await peygir.redis.hgetall(`peygir:mail:data:${hash}.mail.${what}`);
    return ['completed', 'failed'].includes(job.status) && job;
  }, { what: `the mail job ${what} of ${hash} to end` });

const twoLegs = (call) => (call.data.otp === undefined ? call.smsSent() : call.data.otp === CODE ? call.success({ score: 1 }) : call.error('OTP_WRONG'));

before(async () => {
  [bot, mail] = [await new Bot().listen(await freePort()), await oddMailServer()];
  bot.on(ERRAND, (call) => work(call));
  bot.on(`/api/services/${ERRAND}/cancel`, (call) => call.reply({ status: 'success' }));
  bot.on('open', (call) => call.success({}));
  peygir = await start({
    env: {
      PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, WORKER_TRIES: '1', MAIL_FROM: 'peygir@example.net', MAIL_URL: `smtp://127.0.0.1:${mail.port}`,
      PEYGIR_SITE_URL: `${SITE}/`,
    },
    services: (dir) => {
      const from = (slug) => JSON.parse(fs.readFileSync(path.join(dir, `${slug}.json`), 'utf8'));
      const credit = from(CREDIT), ocr = from('document-ocr');
      editServices({
        [ERRAND]: () => ({ ...credit, slug: ERRAND, title: { en: 'Errand', fa: 'پیگیری' }, fields: [...credit.fields, FIELD], calls: ['cancel'] }),
        open: () => ({ ...ocr, slug: 'open', seal: 'off', calls: [], fields: [...ocr.fields, FIELD] }),
      })(dir);
    },
  });
});
after(async () => {
  await bot?.close();
  await peygir?.stop();
  await mail?.stop();
});

async function request(news_to, { visitor = peygir.visitor(), ...more } = {}) {
  return { visitor, hash: await visitor.request(ERRAND, { ...GOOD, ...more, ...(news_to && { news_to }) }) };
}

describe('A visitor who leaves an address', () => {
  test('is told once that a code is needed and once that the request has ended, with links to where they belong', async () => {
    work = twoLegs;
    const to = address(), { visitor, hash } = await request(to);
    const first = await told(to, 1);
    assert.equal(subject(first), words('en').code_needed.subject);
    assert.ok(first.includes(`${SITE}/services/${ERRAND}/otp/${hash}\r\n`));
    assert.ok(first.includes('Your request Errand waits'));
    for (const code of ['99999', CODE]) {
      await peygir.status(hash, 'otp_required');
      assert.equal((await visitor.act(hash, 'otp', { otp: code })).status, 202);
    }
    const last = await told(to, 2);
    assert.equal(subject(last), words('en').result_ready.subject);
    assert.ok(last.includes(`${SITE}/services/${ERRAND}/result/${hash}\r\n`));
    assert.equal((await mailJob(hash, 'otp_required1')).status, 'completed');
    assert.equal(mailsTo(to).length, 2);
  });

  test('is told in the language of the request, and that it failed', async () => {
    work = (call) => call.error('NO_SUCH_THING');
    const to = address();
    await request(to, { visitor: peygir.visitor({ language: 'fa' }) });
    const text = await told(to, 1), plain = text.split('\r\n\r\n')[2];
    const bytes = plain.replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    assert.match(text, /^Content-Language: fa\r$/m);
    assert.ok(Buffer.from(bytes, 'latin1').toString().startsWith(words('fa').result_ready.failed.replace('{service}', 'پیگیری')));
  });

  test('leaves it with nobody else: no bot gets it, it lies nowhere open in Redis, and no log has it', async () => {
    let given;
    work = (call) => {
      given = call.data;
      call.success({});
    };
    const to = address(), { hash } = await request(to);
    await told(to, 1);
    assert.deepEqual(Object.keys(given).sort(), ['mobile', 'national_code', 'requestHash']);
    assert.deepEqual((await peygir.document(hash)).request_data, GOOD);
    assert.equal((await mailJob(hash, 'completed1')).status, 'completed');
    assert.ok(!(await peygir.dump()).includes(to));
    assert.ok(!peygir.logs().includes(to));
    const shown = await peygir.cli('--json', 'request', 'show', hash);
    assert.equal(shown.code, 0, shown.stderr);
    assert.ok(!shown.stdout.includes(to));
  });

  test('is told of what a bot that writes into Redis by itself brings about', async () => {
    let call;
    work = (given) => (call = given);
    const to = address(), { hash } = await request(to);
    await waitFor(() => call, { what: 'the bot to be called' });
    const document = JSON.parse(await peygir.redis.get(`local_request:${hash}`));
    await peygir.redis.setex(`local_request:${hash}`, 1800, JSON.stringify({ ...document, status: 'completed', result_data: { a: 1 } }));
    call.success({});
    assert.equal(subject(await told(to, 1)), words('en').result_ready.subject);
  });

  test('hears nothing of a request that is cancelled', async () => {
    work = () => {};
    const to = address(), { visitor, hash } = await request(to);
    await waitFor(() => bot.of(hash).length, { what: 'the bot to be called' });
    assert.equal((await visitor.act(hash, 'cancel')).status, 200);
    assert.equal((await mailJob(hash, 'cancelled1')).status, 'completed');
    assert.equal(mailsTo(to).length, 0);
  });

  test('gets one mail for a form that is sent twice; with another address it is another request', async () => {
    work = (call) => call.success({});
    const to = address(), other = address(), visitor = peygir.visitor();
    const form = (await visitor.get(`/services/${ERRAND}`)).form(`/services/${ERRAND}`);
    const sent = [];
    for (const news_to of [to, to, other]) sent.push((await visitor.send(form, { ...GOOD, news_to })).location);
    assert.equal(sent[0], sent[1]);
    assert.notEqual(sent[0], sent[2]);
    await Promise.all([told(to, 1), told(other, 1)]);
    assert.equal(mailsTo(to).length, 1);
  });

  test('is told by a service whose values lie open, too', async () => {
    const to = address(), visitor = peygir.visitor();
    await visitor.requestJson('open', { ...OCR_DATA, news_to: to });
    assert.equal(subject(await told(to, 1)), words('en').result_ready.subject);
  });
});

describe('The field for an address', () => {
  test('is an input for e-mail, may stay empty, and takes nothing but an address', async () => {
    work = (call) => call.success({});
    const visitor = peygir.visitor(), page = await visitor.get(`/services/${ERRAND}`);
    assert.match(page.html, /<input class="input" type="email" id="f-news_to" name="news_to"/);
    const refused = await visitor.submit(ERRAND, { ...GOOD, news_to: 'a@b\r\nBcc: c@d' });
    assert.equal(refused.status, 422);
    assert.match(refused.html, /id="f-news_to-error"/);
    const { hash } = await request();
    await peygir.status(hash, 'completed');
    assert.equal(await peygir.redis.hexists(`{local_request:${hash}}:guard`, 'listeners'), 0);
    assert.equal(await peygir.redis.exists(`peygir:mail:data:${hash}.mail.completed1`), 0);
  });

  test('must have the rule email and be the only one, or the service is refused', async () => {
    const definition = JSON.parse(fs.readFileSync(path.join(SOURCE, 'etc/services', `${CREDIT}.json`), 'utf8'));
    const wrong = [[[{ ...FIELD, rules: [] }], /rules: must have the rule email/], [[FIELD, { ...FIELD, name: 'other' }], /another field is of the type notify_email already/]];
    for (const [more, sentence] of wrong) {
      const file = path.join(peygir.dir, `${CREDIT}.json`);
      fs.writeFileSync(file, JSON.stringify({ ...definition, fields: [...definition.fields, ...more] }));
      const said = await program('peygir', ['--config', peygir.file('peygir.env'), 'service', 'check', file]);
      assert.equal(said.code, 1);
      assert.match(said.stdout + said.stderr, sentence);
    }
  });

  test('is for visitors: a program is told to name a callback_url instead', async () => {
    const { token } = await peygir.cliJson('token', 'create', '--role', 'api', 'program');
    const answer = await fetch(`${peygir.base}/api/local-requests`, {
      method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'accept-language': 'en' },
      body: JSON.stringify({ service: ERRAND, data: { ...GOOD, [FIELD.name]: address() } }),
    });
    assert.equal(answer.status, 422);
    assert.match((await answer.json()).detail, /callback_url/);
  });

  test('is a promise that a worker does not start without the means for', async () => {
    const none = path.join(peygir.dir, 'no-mail');
    fs.mkdirSync(none);
    fs.copyFileSync(path.join(SOURCE, 'etc/jobs/default.json'), path.join(none, 'default.json'));
    for (const [name, value, sentence] of [['MAIL_FROM', '', 'MAIL_FROM must be set'], ['PEYGIR_SITE_URL', '', 'PEYGIR_SITE_URL must be set'],
      ['PEYGIR_JOBS_DIR', none, 'there is no job type mail']]) {
      const said = await program('peygir-worker', ['--config', peygir.file('peygir.env'), `--set=${name}=${value}`, '--once', 'nothing']);
      assert.equal(said.code, 78);
      assert.ok(said.stderr.includes(`The service ${ERRAND} has a field notify_email`) && said.stderr.includes(sentence), said.stderr);
    }
  });
});

describe('A mail is not sent', () => {
  // The job of a mail that was sent, as its request would push it, with something changed.
  async function again(change) {
    work = (call) => call.success({});
    const to = address(), { hash } = await request(to);
    await told(to, 1);
    const line = await peygir.redis.hget(`{local_request:${hash}}:guard`, 'listeners'), id = `${hash}.mail.completed2`;
    const payload = {
      listener: JSON.parse(line.replace(/^mail /, '')),
      event: { type: 'request.completed', timestamp: new Date().toISOString(), data: { hash, service_slug: ERRAND, status: 'completed' } },
    };
    await peygir.redis.hset(`peygir:mail:data:${id}`, { type: 'mail', payload: JSON.stringify(change(payload)), status: 'pending' });
    await peygir.redis.lpush('peygir:mail:queue', id);
    const job = await mailJob(hash, 'completed2');
    assert.equal(mailsTo(to).length, 1);
    return job;
  }

  test('when what it tells of is over', async () => {
    const job = await again((payload) => ({ ...payload, event: { ...payload.event, timestamp: '2020-01-01T00:00:00.000Z' } }));
    assert.match(job.error, /too_late/);
  });

  test('to an address that was left with another request', async () => {
    const job = await again((payload) => {
      payload.event.data.hash = `req_${'0'.repeat(26)}`;
      return payload;
    });
    assert.match(job.error, /unreadable/);
  });

  test('to what is no address, whoever pushed it', async () => {
    for (const to of ['a@b\r\nBcc: c@d', 'a@b>\r\nRCPT TO:<c@d', ['a@b'], null])
      assert.match((await again((payload) => ({ ...payload, listener: { to, locale: 'en' } }))).error, /invalid_payload.*no e-mail address/);
  });

  test('for a payload that is none', async () => {
    for (const event of [null, {}, { type: 'request.processing', timestamp: '2020-01-01T00:00:00Z', data: { hash: 'x' } }])
      assert.match((await again((payload) => ({ ...payload, event }))).error, /invalid_payload/);
  });
});
