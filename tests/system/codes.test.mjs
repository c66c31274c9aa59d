// codes.test.mjs: codes that run out: of time, of tries, of resends.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as demo from '../lib/demo.mjs';
import { CREDIT, WRONG_CODE, enter, misdeed, otpPath, progressPath, resultPath } from '../lib/demo.mjs';
import { LONG, editServices, start, waitFor } from '../lib/peygir.mjs';

let peygir;

const untilCode = (visitor, values) => demo.untilCode(peygir, visitor, values);

// A copy of the credit service that gives another code soon.
const quick = (definition) => ({ ...definition, code: { ...definition.code, resend_cooldown: 1, resends: 2 } });

describe('codes that run out', () => {
  before(async () => {
    peygir = await start({ env: { WORKER_BACKOFF: '1' }, services: editServices({ [CREDIT]: quick }) });
  });
  after(() => peygir?.stop());

  const coolDownOver = (visitor, hash) => waitFor(async () => (await visitor.view(hash)).otp.resend_in === 0);

  test('an expired code is 410, and another one works', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('shortCode'));
    await waitFor(async () => (await visitor.view(hash)).otp.expires_in === 0, { what: 'the code to expire' });
    const late = await visitor.act(hash, 'otp', { otp: '12345' });
    assert.equal(late.status, 410);
    assert.equal(late.type, 'application/problem+json');
    const page = await enter(visitor, hash, '12345');
    assert.equal(page.status, 410);
    assert.match(page.text, /This code has expired/);
    assert.equal((await visitor.view(hash)).status, 'otp_required');

    const resent = await visitor.send(page.form('/resend-otp/'));
    assert.equal(resent.status, 303);
    assert.equal(resent.location, otpPath(hash));
    assert.equal((await peygir.document(hash)).otp_data.resends, 1);
    assert.ok((await visitor.view(hash)).otp.expires_in > 0);
    assert.equal((await enter(visitor, hash, '12345')).status, 303);
    await peygir.status(hash, 'completed');
  });

  test('a bot that says expired leads back to the code page until another code was asked for', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('lateCode'));
    await enter(visitor, hash, '12345');
    await waitFor(async () => (await peygir.history(hash)).filter(([, , status]) => status === 'otp_required').length > 1);
    const page = await visitor.open(progressPath(hash));
    assert.match(page.text, /expired/);
    await coolDownOver(visitor, hash);
    assert.equal((await visitor.act(hash, 'resend-otp')).status, 202);
    assert.equal((await enter(visitor, hash, '12345')).status, 303);
    await peygir.status(hash, 'completed');
  });

  test('after the last resend there is no other', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    for (const count of [1, 2]) {
      await coolDownOver(visitor, hash);
      assert.equal((await visitor.act(hash, 'resend-otp')).status, 202);
      assert.equal((await peygir.document(hash)).otp_data.resends, count);
    }
    assert.equal((await visitor.view(hash)).otp.resend_in, null);
    assert.equal((await visitor.act(hash, 'resend-otp')).status, 429);
    assert.match((await visitor.get(otpPath(hash))).text, /No further code can be sent/);
  });

  test('three wrong codes use a code up, five a request', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor);
    const wrong = async (tries) => {
      assert.equal((await enter(visitor, hash, WRONG_CODE)).status, 303);
      await waitFor(async () => Number((await peygir.guard(hash)).tries) === tries, { what: `${tries} wrong codes` });
    };
    for (const tries of [1, 2, 3]) await wrong(tries);
    assert.equal((await visitor.view(hash)).otp.attempts_left, 0);
    assert.equal((await visitor.act(hash, 'otp', { otp: '12345' })).status, 429);
    await coolDownOver(visitor, hash);
    assert.equal((await visitor.act(hash, 'resend-otp')).status, 202);
    await wrong(4);
    await wrong(5);
    const document = await peygir.status(hash, 'failed');
    assert.equal(document.error_data.code, 'otp_tries');
    assert.match((await visitor.get(resultPath(hash))).text, /Wrong codes were entered too many times/);
  });

  test('wrong codes that a holding bot reports count too', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('held'));
    for (const tries of [1, 2, 3]) {
      assert.equal((await enter(visitor, hash, WRONG_CODE)).status, 303);
      await waitFor(async () => {
        await visitor.view(hash);
        return Number((await peygir.guard(hash)).tries) === tries;
      });
    }
    assert.equal((await visitor.act(hash, 'otp', { otp: '12345' })).status, 429);
  });

  test('nobody asks for another code for a minute: the request fails and says so', { skip: LONG }, async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(visitor, misdeed('shortCode'));
    const document = await waitFor(async () => {
      const now = await peygir.document(hash);
      return now.status === 'failed' && now;
    }, { timeout: 90_000 });
    assert.equal(document.error_data.code, 'otp_expired');
    assert.match((await visitor.get(resultPath(hash))).text, /not entered in time/);
  });
});
