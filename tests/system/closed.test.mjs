// closed.test.mjs: what visitors see of services that an administrator has closed, and of queues that stand still.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CREDIT, OCR, misdeed, progressPath } from '../lib/demo.mjs';
import { start, waitFor } from '../lib/peygir.mjs';

const FORM = `/services/${OCR}`;
const SCAN = { file_id: 'scan-1', language: 'en' };
const WORDS = 'Back at <b>noon</b> & "better"';

let peygir;

const serviceOf = async (visitor, slug) => (await visitor.json('/api/services')).services.find((service) => service.slug === slug);

// One thread serves all, so that what one answer tells holds for the next.
const closedFor = (visitor, closed) =>
  waitFor(async () => (await serviceOf(visitor, OCR)).closed === closed, { what: `the service to be ${closed ? 'closed' : 'open'}` });

async function close(message = WORDS) {
  const { code, stderr } = await peygir.cli('service', 'close', OCR, '--message', message);
  assert.equal(code, 0, stderr);
}

async function open() {
  const { code, stderr } = await peygir.cli('service', 'open', OCR);
  assert.equal(code, 0, stderr);
  await closedFor(peygir.visitor(), false);
}

const earlier = {}; // what a visitor had before the service was closed

before(async () => {
  peygir = await start({ env: { WEB_THREADS: '1' } });
  earlier.visitor = peygir.visitor();
  earlier.form = (await earlier.visitor.get(FORM)).form(FORM);
  earlier.hash = await earlier.visitor.request(OCR, SCAN);
  await close();
  await closedFor(peygir.visitor(), true);
});
after(() => peygir?.stop());

describe('a closed service', () => {
  after(open);

  test('shows why instead of its form, with a way to the others', async () => {
    const page = await peygir.visitor().get(FORM);
    assert.equal(page.status, 503);
    assert.ok(Number(page.headers.get('retry-after')) > 0);
    assert.equal(page.headers.get('cache-control'), 'no-store');
    assert.match(page.html, /<h1>Document to text<\/h1>/);
    assert.ok(page.text.includes(WORDS), page.text);
    assert.ok(!page.html.includes('<b>noon'));
    assert.equal(page.forms.length, 0);
    assert.ok(page.links.includes('/'));
  });

  test('is marked in both lists, and the others are not', async () => {
    const visitor = peygir.visitor();
    const { closed, message } = await serviceOf(visitor, OCR);
    assert.deepEqual([closed, message], [true, WORDS]);
    const other = await serviceOf(visitor, CREDIT);
    assert.deepEqual([other.closed, other.message], [false, null]);
    const home = await visitor.get('/');
    assert.equal(home.status, 200);
    assert.equal(home.text.split('Closed at the moment').length, 2);
    assert.ok(home.text.includes(WORDS));
    assert.equal((await visitor.get(`/services/${CREDIT}`)).status, 200);
  });

  test('takes no form that was opened before, but keeps what was typed', async () => {
    const { visitor, form } = earlier;
    const refused = await visitor.send(form, { ...SCAN, file_id: 'typed-1' });
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.ok(refused.text.includes(WORDS));
    earlier.kept = refused.form(FORM);
    const { file_id, language, _key } = earlier.kept.fields;
    assert.deepEqual([file_id, language, _key], ['typed-1', 'en', form.fields._key]);
  });

  test('takes no request as JSON', async () => {
    const visitor = peygir.visitor();
    visitor.csrf = (await visitor.get(`/services/${CREDIT}`)).csrf;
    const answer = await visitor.postJson('/api/local-requests', { service: OCR, data: SCAN });
    assert.equal(answer.status, 503);
    assert.equal(answer.type, 'application/problem+json');
    assert.equal(answer.json.detail, WORDS);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  });

  test('goes on with the requests it has taken', async () => {
    const { visitor, hash } = earlier;
    assert.equal((await visitor.view(hash)).hash, hash);
    await peygir.status(hash, 'completed');
    assert.equal((await visitor.get((await visitor.view(hash)).redirect_url)).status, 200);
  });

  test("says it in the visitor's language when the message is a key of the catalogue", async () => {
    await close('messages.closed');
    const english = peygir.visitor();
    await waitFor(async () => /takes no new requests/.test((await english.get(FORM)).text), { what: 'the other message' });
    assert.match((await peygir.visitor({ language: 'fa' }).get(FORM)).text, /نمی‌پذیرد/);
  });
});

describe('a service that is open', () => {
  test('takes what was typed while it was closed', async () => {
    assert.equal((await earlier.visitor.send(earlier.kept)).status, 303);
  });

  test('stays so for newcomers while Redis does not answer', async () => {
    const pid = peygir.kill('redis', 'SIGSTOP');
    try {
      const page = await peygir.visitor().get(FORM);
      assert.equal(page.status, 200);
      assert.ok(page.form(FORM));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await peygir.ready();
  });
});

describe('a queue that stands still', () => {
  const pause = async (...words) => {
    const { code, stderr } = await peygir.cli('queue', 'pause', ...words);
    assert.equal(code, 0, stderr);
  };
  const resume = async () => assert.equal((await peygir.cli('queue', 'resume')).code, 0);

  test('tells who waits why, keeps their place, and promises no time', async () => {
    const visitor = peygir.visitor();
    const reason = 'The <i>scanner</i> is being mended.';
    await pause('--message', reason);
    try {
      const hash = await visitor.request(OCR, SCAN);
      const view = await visitor.view(hash);
      assert.deepEqual([view.status, view.current_message, view.estimated_remaining_time, view.queue_position], ['pending', reason, null, 1]);
      const page = await visitor.get(progressPath(hash, OCR));
      assert.ok(page.text.includes(reason));
      assert.match(page.html, /<h1[^>]*>Your request is waiting for its turn</);
      assert.ok(!page.html.includes('<i>scanner'));
      await resume();
      await peygir.status(hash, 'completed');
    } finally {
      await resume();
    }
  });

  test('has a sentence of its own in each language, and does not touch what runs', async () => {
    const visitor = peygir.visitor();
    const running = await visitor.request(CREDIT, misdeed('hang'));
    await peygir.status(running, 'processing');
    await pause();
    try {
      const waiting = await visitor.request(OCR, SCAN);
      assert.match((await visitor.view(waiting)).current_message, /keeps its turn/);
      const { current_message } = await visitor.json(`/api/local-requests/${waiting}/status?lang=fa`);
      assert.match(current_message, /نوبت شما محفوظ است/);
      assert.doesNotMatch((await visitor.json(`/api/local-requests/${running}/status?lang=en`)).current_message, /keeps its turn/);
    } finally {
      await resume();
    }
  });
});
