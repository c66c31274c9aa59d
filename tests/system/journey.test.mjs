// journey.test.mjs: the main job, from the form to the result, as a visitor and as what stands in Redis.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as demo from '../lib/demo.mjs';
import { CREDIT, GOOD, WRONG_CODE, enter, misdeed, otpPath, progressPath, resultPath } from '../lib/demo.mjs';
import { start, waitFor } from '../lib/peygir.mjs';

const HALF_HOUR_S = 1800;

let peygir;

const untilCode = (visitor, values) => demo.untilCode(peygir, visitor, values);
const whileWorkerSleeps = (action) => demo.whileWorkerSleeps(peygir, action);

async function pressButton(visitor, hash, name, page = otpPath(hash)) {
  const answer = await visitor.open(page);
  return visitor.send(answer.form(`/${name}/`));
}

describe('the journey of a request', () => {
  before(async () => {
    peygir = await start({ env: { WORKER_BACKOFF: '1' } });
  });
  after(() => peygir?.stop());

  test('a visitor goes from the form by progress and code to the result', async () => {
    const visitor = peygir.visitor();
    const home = await visitor.get('/');
    assert.ok(home.links.includes(`/services/${CREDIT}`), 'the first page leads to the form');

    const hash = await visitor.request(CREDIT, GOOD);
    const progress = await visitor.get(progressPath(hash));
    if (progress.status === 200) {
      assert.match(progress.html, /<progress\b[^>]*max="100"/);
      assert.match(progress.text, /Signing in to the inquiry system/);
    }
    await peygir.status(hash, 'otp_required');
    const code = await visitor.get(progressPath(hash));
    assert.equal(code.status, 303, 'progress moves on to the code page by itself');
    assert.equal(code.location, otpPath(hash));

    const page = await visitor.get(otpPath(hash));
    assert.match(page.html, /autocomplete="one-time-code"/);
    assert.match(page.text, /the code is 12345/);
    const sent = await visitor.send(page.form('/otp/'), { otp: '12345' });
    assert.equal(sent.status, 303);
    assert.equal(sent.location, progressPath(hash));

    await peygir.status(hash, 'completed');
    const result = await visitor.open(sent.location);
    assert.equal(new URL(result.url).pathname, resultPath(hash));
    assert.match(result.text, /Your result is ready/);
    assert.match(result.text, /742/);
    assert.match(result.text, /1,250,000,000 rials/);
    assert.match(result.text, /No returned cheque on record/);
    assert.ok(result.text.includes(hash), 'a reference to quote');
  });

  test('a program goes the same way by JSON', async () => {
    const visitor = peygir.visitor();
    const made = await visitor.postJson('/api/local-requests', { service: CREDIT, data: GOOD });
    assert.equal(made.status, 202);
    const { hash } = made.json;
    assert.equal(made.headers.get('location'), `/api/local-requests/${hash}/status`);
    assert.match(made.headers.get('retry-after'), /^[1-9]\d*$/);

    const waiting = await waitFor(async () => {
      const view = await visitor.view(hash);
      return view.requires_otp && view;
    });
    assert.equal(waiting.status, 'otp_required');
    assert.equal(waiting.redirect_url, otpPath(hash));
    assert.equal(waiting.otp.length, 5);
    assert.equal(waiting.otp.attempts_left, 3);
    assert.ok(waiting.otp.expires_in > 60 && waiting.otp.expires_in <= 120);
    assert.ok(waiting.otp.resend_in > 0 && waiting.otp.resend_in <= 60);
    assert.ok(Date.parse(waiting.otp.expires_at) > Date.parse(waiting.otp.resend_at));

    const early = await visitor.get(`/api/local-requests/${hash}/result`);
    assert.equal(early.status, 409);
    const sent = await visitor.act(hash, 'otp', { otp: '12345' });
    assert.equal(sent.status, 202);
    const done = await waitFor(async () => {
      const view = await visitor.view(hash);
      return view.is_completed && view;
    });
    assert.equal(done.progress, 100);
    assert.equal(done.estimated_remaining_time, 0);
    assert.equal(done.redirect_url, resultPath(hash));
    const result = await visitor.json(`/api/local-requests/${hash}/result`);
    assert.deepEqual(Object.keys(result), ['hash', 'service_slug', 'result', 'completed_at']);
    assert.equal(result.result.score, 742);
    assert.ok(Date.parse(result.completed_at));
  });

  test('the public view has exactly the fields of the contract', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    const view = await visitor.view(hash);
    assert.deepEqual(Object.keys(view).sort(), ['hash', 'service_slug', 'status', 'step', 'progress', 'current_message',
      'estimated_duration', 'revision', 'updated_at', 'requires_otp', 'is_completed', 'is_failed', 'is_cancelled', 'error',
      'otp', 'expires_at', 'estimated_remaining_time', 'queue_position', 'redirect_url'].sort());
    assert.deepEqual(Object.keys(view.otp).sort(),
      ['expires_at', 'resend_at', 'attempts_left', 'length', 'expires_in', 'resend_in'].sort());
    const left = (Date.parse(view.expires_at) - Date.now()) / 1000;
    assert.ok(left > HALF_HOUR_S - 60 && left <= HALF_HOUR_S + 1, 'expires_at comes from the TTL');
  });

  test('digits may be Persian or Arabic, in the form and in the code', async () => {
    const visitor = peygir.visitor({ language: 'fa' });
    const hash = await visitor.request(CREDIT, { mobile: '۰۹۱۲۱۲۳۴۵۶۷', national_code: '٠٤٩٩٣٧٠٨٩٩' });
    const document = await peygir.status(hash, 'otp_required');
    assert.deepEqual(document.request_data, GOOD);
    assert.equal((await enter(visitor, hash, '۱۲۳٤٥')).status, 303);
    await peygir.status(hash, 'completed');
    const result = await visitor.get(resultPath(hash));
    assert.match(result.text, /۷۴۲/, 'numbers are shown in Persian digits');
  });

  test('a service without a code goes straight to its result', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request('document-ocr', { file_id: 'scan-1', language: 'en' });
    const document = await peygir.status(hash, 'completed');
    assert.equal(document.otp_data, null);
    const result = await visitor.get(resultPath(hash, 'document-ocr'));
    assert.match(result.text, /Two boxes of saffron/);
    assert.match(result.text, /0\.97/);
  });

  test('a wrong code leads back to the code page, says so and counts', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    assert.equal((await enter(visitor, hash, WRONG_CODE)).status, 303);
    await waitFor(async () => (await peygir.document(hash)).otp_data.attempts === 1);
    const page = await visitor.open(progressPath(hash));
    assert.equal(new URL(page.url).pathname, otpPath(hash));
    assert.match(page.mistakes[0].text, /wrong/);
    assert.match(page.text, /Tries left: 2/);
    assert.ok(!page.html.includes(WRONG_CODE), 'the code is not shown again');
    assert.equal((await enter(visitor, hash, '12345')).status, 303);
    await peygir.status(hash, 'completed');
  });

  test('a code of the wrong form is refused where it was typed, without counting', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    for (const otp of ['', '1234', '123456', '12a45', '１２３４５']) {
      const answer = await enter(visitor, hash, otp);
      assert.equal(answer.status, 422, `"${otp}"`);
      assert.match(answer.text, /The code has 5 digits/);
      assert.equal(answer.mistakes[0].href, '#f-otp');
      assert.equal((await visitor.act(hash, 'otp', { otp })).status, 422);
    }
    for (const body of [{}, { otp: 12345 }, { otp: null }, [], '"12345"']) {
      assert.equal((await visitor.act(hash, 'otp', body)).status, 422, JSON.stringify(body));
    }
    assert.equal((await visitor.view(hash)).otp.attempts_left, 3);
  });

  test('the length of the code is what the bot says', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('sixDigits'));
    assert.equal((await visitor.view(hash)).otp.length, 6);
    assert.equal((await enter(visitor, hash, '12345')).status, 422);
    assert.equal((await enter(visitor, hash, '123456')).status, 303);
    await peygir.status(hash, 'completed');
  });

  test('another code inside the cool-down is 429 with Retry-After', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    const byJson = await visitor.act(hash, 'resend-otp');
    assert.equal(byJson.status, 429);
    assert.equal(byJson.type, 'application/problem+json');
    const seconds = Number(byJson.headers.get('retry-after'));
    assert.ok(seconds >= 1 && seconds <= 60, `Retry-After: ${seconds}`);
    const byPage = await visitor.send((await visitor.get(otpPath(hash))).form('/resend-otp/'));
    assert.equal(byPage.status, 429);
    assert.ok(Number(byPage.headers.get('retry-after')) >= 1);
    assert.match(byPage.text, /wait/i);
    assert.equal((await peygir.document(hash)).otp_data.resends, 0);
  });

  test('a code that the bot holds on for is checked in the same call', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('held'));
    await enter(visitor, hash, WRONG_CODE);
    await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2, { what: 'the wrong code to count' });
    assert.equal((await enter(visitor, hash, '12345')).status, 303);
    await peygir.status(hash, 'completed');
    assert.equal((await peygir.redis.keys(`*task:data:${hash}*`)).length, 1, 'no second job was needed');
  });

  // --- cancelling ---

  test('a request is cancelled while it waits, and no bot is called', async () => {
    const visitor = peygir.visitor();
    const hash = await whileWorkerSleeps(async () => {
      const waiting = await visitor.request('document-ocr', { file_id: 'never', language: 'fa' });
      const answer = await pressButton(visitor, waiting, 'cancel', progressPath(waiting, 'document-ocr'));
      assert.equal(answer.status, 303);
      assert.equal(answer.location, resultPath(waiting, 'document-ocr'));
      return waiting;
    });
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}`, 'status')) === 'cancelled');
    const statuses = (await peygir.history(hash)).map(([, , status]) => status);
    assert.deepEqual(statuses, ['pending', 'cancelled']);
  });

  test('a request is cancelled while a bot works on it', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('hang'));
    await waitFor(async () => (await peygir.document(hash)).progress === 30);
    assert.equal((await visitor.act(hash, 'cancel')).status, 200);
    const data = `peygir:task:data:${hash}`;
    await waitFor(async () => (await peygir.redis.hget(data, 'status')) === 'cancelled', { timeout: 1500, what: 'the job to end' });
    assert.equal(await peygir.redis.hget(data, 'attempts') ?? '0', '0');
    assert.equal((await peygir.document(hash)).status, 'cancelled');
  });

  test('a request is cancelled while its code is waited for', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    const answer = await pressButton(visitor, hash, 'cancel');
    assert.equal(answer.status, 303);
    const result = await visitor.open(answer.location);
    assert.match(result.text, /The request was cancelled/);
    assert.ok(result.links.includes(`/services/${CREDIT}?again=${hash}`));
    assert.deepEqual(await peygir.redis.lrange(`{local_request:${hash}}:otp`, 0, -1), ['{"cancelled":true}'], 'a waiting bot hears of it');
  });

  test('a request is cancelled while its code is being checked', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    await waitFor(async () => !(await peygir.redis.zscore('peygir:task:active', hash)), { what: 'the first leg to be over' });
    await whileWorkerSleeps(async () => {
      assert.equal((await enter(visitor, hash, '12345')).status, 303);
      assert.equal((await peygir.document(hash)).status, 'otp_verifying');
      assert.equal((await visitor.act(hash, 'cancel')).json.is_cancelled, true);
    });
    await waitFor(async () => (await peygir.redis.hget(`peygir:task:data:${hash}.1`, 'status')) === 'cancelled');
    assert.equal((await peygir.document(hash)).result_data, null);
  });

  test('what has ended is not cancelled', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request('document-ocr', { file_id: 'file-now', language: 'fa' });
    await waitFor(async () => (await visitor.view(hash)).is_completed);
    const answer = await visitor.act(hash, 'cancel');
    assert.equal(answer.status, 409);
    assert.equal((await peygir.document(hash)).status, 'completed');
    const token = (await visitor.get('/services/document-ocr')).csrf;
    const button = await visitor.post(`/services/document-ocr/cancel/${hash}`, { _token: token });
    assert.equal(button.location, resultPath(hash, 'document-ocr'), 'the button leads to how it ended');
  });

  // --- failing ---

  test('a failure says what happened and starts again with the same values', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('fail'));
    await peygir.status(hash, 'failed');
    const page = await visitor.open(progressPath(hash));
    assert.equal(new URL(page.url).pathname, resultPath(hash));
    assert.match(page.text, /The request did not succeed/);
    assert.match(page.text, /Nothing was found for these values/);
    assert.match(page.text, /What you can do now/);
    assert.match(page.text, /NOT_FOUND/);
    const { error, result } = await visitor.json(`/api/local-requests/${hash}/result`);
    assert.deepEqual(error, { code: 'NOT_FOUND', message: 'Nothing was found for these values.', retryable: false });
    assert.equal(result, undefined);

    const again = page.links.find((link) => link.includes('again='));
    const form = (await visitor.get(again)).form(`/services/${CREDIT}`);
    assert.equal(form.fields.mobile, GOOD.mobile);
    assert.equal(form.fields.national_code, misdeed('fail').national_code);
    const next = await visitor.send(form, { national_code: GOOD.national_code });
    assert.equal(next.status, 303);
    assert.ok(!next.location.includes(hash), 'it is another request');
    const stranger = (await peygir.visitor().get(again)).form(`/services/${CREDIT}`);
    assert.equal(stranger.fields.mobile, '', 'nobody else sees the values');
  });

  test('a bot that is busy is asked again, and the visitor sees it', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('retry'));
    await peygir.status(hash, 'otp_required');
    const messages = (await peygir.history(hash)).map(([, , , , , message]) => message);
    assert.ok(messages.includes('messages.retrying'));
    assert.equal(await peygir.redis.hget(`peygir:task:data:${hash}`, 'attempts'), '2');
  });

  test('progress never goes back within a run', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('backwards'));
    const seen = [];
    await waitFor(async () => {
      const view = await visitor.view(hash);
      seen.push(view.progress);
      return view.requires_otp;
    });
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  });

  // --- language ---

  test('the language follows link, cookie and browser, and the page stays', async () => {
    const visitor = peygir.visitor({ language: 'de' });
    const first = await visitor.get('/services/document-ocr');
    assert.match(first.html, /<html lang="fa" dir="rtl">/, 'Persian when nothing else is said');
    assert.equal(first.headers.get('content-language'), 'fa');
    const link = first.links.find((href) => href.includes('lang=en'));
    assert.ok(link.startsWith('/services/document-ocr?') || link.startsWith('?'), link);
    const second = await visitor.get(new URL(link, first.url).href);
    assert.match(second.html, /<html lang="en" dir="ltr">/);
    assert.equal(visitor.cookies.get('peygir_lang'), 'en');
    assert.match((await visitor.get('/requests')).html, /<html lang="en"/, 'the cookie remembers');
    const browser = await peygir.visitor({ language: 'en-GB,en;q=0.8,fa;q=0.5' }).get('/');
    assert.match(browser.html, /<html lang="en"/);
    const weights = await peygir.visitor({ language: 'en;q=0.2, fa-IR;q=0.9' }).get('/');
    assert.match(weights.html, /<html lang="fa"/);
    const unknown = await peygir.visitor().get('/?lang=xx');
    assert.match(unknown.html, /<html lang="en"/, 'an unknown language is not one');
  });

  test('a request keeps the language it was made in', async () => {
    const visitor = peygir.visitor({ language: 'fa' });
    const hash = await visitor.request(CREDIT, misdeed('fail'));
    const document = await peygir.status(hash, 'failed');
    assert.equal(document.locale, 'fa');
    assert.match((await visitor.get(resultPath(hash))).text, /پیدا نشد/);
  });

  // --- coming back ---

  test('the requests page leads back to what the visitor made, newest first, and to nothing else', async () => {
    const visitor = peygir.visitor();
    const empty = await visitor.get('/requests');
    assert.match(empty.text, /You have no requests yet/);
    const first = await visitor.request('document-ocr', { file_id: 'one', language: 'fa' });
    const second = await untilCode(visitor);
    await peygir.status(first, 'completed');
    const page = await visitor.get('/requests');
    const links = page.links.filter((href) => href.includes('req_'));
    assert.ok(page.html.indexOf(second) < page.html.indexOf(first));
    assert.ok(links.includes(otpPath(second)), 'where it is now');
    assert.ok(links.includes(resultPath(first, 'document-ocr')));
    assert.equal((await peygir.visitor().get('/requests')).html.includes('req_'), false);
  });

  test('the place in the queue is shown and counts down', async () => {
    const visitor = peygir.visitor();
    const hashes = await whileWorkerSleeps(async () => {
      const made = [];
      for (const id of ['a', 'b', 'c']) made.push(await visitor.request('document-ocr', { file_id: id, language: 'fa' }));
      const views = await Promise.all(made.map((hash) => visitor.view(hash)));
      assert.deepEqual(views.map((view) => view.queue_position), [1, 2, 3]);
      assert.match((await visitor.get(progressPath(made[2], 'document-ocr'))).text, /place in the queue: 3/);
      return made;
    });
    for (const hash of hashes) await peygir.status(hash, 'completed');
    assert.equal((await visitor.view(hashes[0])).queue_position, null);
  });

  test('a page refreshes by itself only where the visitor chose it', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('hang'));
    const page = await visitor.get(progressPath(hash));
    assert.equal(page.headers.get('refresh'), null);
    assert.doesNotMatch(page.html, /http-equiv="refresh"/i);
    const chosen = page.links.find((href) => href.includes('auto=1'));
    assert.ok(chosen);
    assert.match((await visitor.get(chosen)).headers.get('refresh'), /^\d+/);
    await visitor.act(hash, 'cancel');
  });

  // --- what stands in Redis ---

  test('document, guard, history and list stand in Redis as the contract says', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    await visitor.act(hash, 'otp', { otp: '12345' });
    const document = await peygir.status(hash, 'completed');
    assert.deepEqual(Object.keys(document).sort(), ['hash', 'service_slug', 'status', 'step', 'progress', 'current_message',
      'estimated_duration', 'request_data', 'otp_data', 'result_data', 'error_data', 'user_id', 'owner', 'locale', 'revision',
      'started_at', 'updated_at', 'expires_at', 'completed_at'].sort());
    assert.deepEqual(Object.keys(document.otp_data).sort(),
      ['hash', 'expires_at', 'message', 'length', 'attempts', 'resends', 'resent_at'].sort());
    assert.equal(document.hash, hash);
    assert.match(hash, /^req_[0-9A-HJKMNP-TV-Z]{26}$/);
    for (const name of ['started_at', 'updated_at', 'expires_at', 'completed_at']) {
      assert.match(document[name], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, name);
    }
    const history = await peygir.history(hash);
    assert.equal(history.length, document.revision);
    assert.deepEqual(history.map(([revision]) => revision), history.map((entry, i) => i + 1));
    const guard = await peygir.guard(hash);
    assert.equal(guard.status, 'completed');
    assert.equal(guard.revision, String(document.revision));
    assert.equal(guard.owner, document.owner);
    assert.ok(Number(guard.run) >= 1);
    const list = await peygir.redis.lrange('local_requests_list', 0, 0);
    assert.deepEqual(list, [hash], 'newest first');
    for (const key of [`local_request:${hash}`, `{local_request:${hash}}:guard`, `{local_request:${hash}}:events`, 'local_requests_list']) {
      const ttl = await peygir.redis.ttl(key);
      assert.ok(ttl > HALF_HOUR_S - 60 && ttl <= HALF_HOUR_S, `${key}: ${ttl} s`);
    }
  });

  test('a look of its owner renews the life of a request, a stranger does not', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    const keys = [`local_request:${hash}`, `{local_request:${hash}}:guard`, `{local_request:${hash}}:events`];
    const left = () => Promise.all(keys.map((key) => peygir.redis.ttl(key)));
    for (const key of keys) await peygir.redis.expire(key, 100);
    await peygir.visitor().get(`/api/local-requests/${hash}/status`);
    assert.ok(Math.max(...(await left())) <= 100);
    await visitor.view(hash);
    await waitFor(async () => Math.min(...(await left())) > HALF_HOUR_S - 60, { what: 'a full life' });
  });

  test('every change is told on the channel with the stored part of the public view', async () => {
    const visitor = peygir.visitor();
    const hash = await whileWorkerSleeps(() => visitor.request('document-ocr', { file_id: 'file-hang', language: 'fa' }));
    const messages = await peygir.messages(hash);
    await waitFor(async () => (await peygir.document(hash)).progress > 0, { what: 'the bot to be at work' });
    await visitor.act(hash, 'cancel');
    const last = await waitFor(() => messages.find(({ status }) => status === 'cancelled'));
    assert.deepEqual(Object.keys(last).sort(), ['hash', 'service_slug', 'status', 'step', 'progress', 'current_message',
      'estimated_duration', 'revision', 'updated_at', 'requires_otp', 'is_completed', 'is_failed', 'is_cancelled', 'error',
      'otp'].sort());
    assert.equal(last.revision, (await peygir.history(hash)).length);
    assert.equal(last.is_cancelled, true);
  });

  test('a bot that writes over owner, user and revision changes nothing of them', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('meddle'));
    const view = await visitor.view(hash);
    assert.equal(view.status, 'otp_required', 'it is still theirs');
    const guard = await peygir.guard(hash);
    const document = await peygir.document(hash);
    assert.equal(document.revision, (await peygir.history(hash)).length);
    assert.notEqual(guard.owner, 'somebody-else');
    assert.equal(guard.user_id ?? '', '');
  });

  test('a code leaves no trace in documents, histories, jobs and logs', async () => {
    const visitor = peygir.visitor();
    const hashes = [];
    for (const values of [GOOD, misdeed('held')]) {
      const hash = await untilCode(visitor, values);
      hashes.push(hash);
      await enter(visitor, hash, WRONG_CODE);
      await waitFor(async () => (await visitor.view(hash)).otp?.attempts_left === 2);
      await enter(visitor, hash, '12345');
      await peygir.status(hash, 'completed');
    }
    const everything = await peygir.dump(), code = new RegExp(`(?<!\\d)${WRONG_CODE}(?!\\d)`); // a time may have its digits
    assert.ok(everything.includes('local_request:'));
    assert.doesNotMatch(everything, code);
    assert.doesNotMatch(peygir.logs(), code);
    for (const hash of hashes) assert.ok(!everything.includes(`{local_request:${hash}}:otp`), 'no mailbox is left');
  });

  test('logs carry no value that a visitor typed, no token and no cookie', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, { mobile: '09351112233', national_code: '0084575948' });
    await peygir.status(hash, 'otp_required');
    const logs = peygir.logs();
    for (const secret of ['09351112233', '0084575948', ...visitor.cookies.values(), await visitor.token()]) {
      assert.ok(!logs.includes(secret));
    }
  });
});
