// account.test.mjs: a user of the host site in a browser: comes in by a link, looks after devices, deletes data; with and without
// JavaScript.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { House, LANGUAGES, PHONE, saveScreenshot, visit } from './lib.mjs';

const OCR = 'document-ocr';

let house;
before(async () => (house = await House.open()));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, action);
const devices = (page) => page.locator('main li.card');

for (const javascript of [true, false]) {
  describe(`A user ${javascript ? 'with' : 'without'} JavaScript`, () => {
    for (const language of LANGUAGES) {
      test(`comes in by a link and keeps what was asked for before (${language})`, as({ language, javascript }, async (person) => {
        const { page } = person;
        const hash = await person.requestHanging();
        await page.goto(await house.signIn('keeper'));
        await page.getByRole('heading', { name: person.words('account.heading') }).waitFor();
        assert.equal(page.url(), `${person.peygir.base}/account/sessions`);
        assert.equal(await page.locator('main h2 bdi').first().getAttribute('dir'), language === 'fa' ? 'rtl' : 'ltr', 'names of programs turn the sentence round');
        await saveScreenshot(page, `account-${language}`);
        await page.getByRole('link', { name: person.words('nav.requests'), exact: true }).click();
        await page.getByText(hash).waitFor();
        await saveScreenshot(page, `requests-signed-in-${language}`);
      }));
    }

    test('signs another device out, all others, and at last this one', as({ javascript, viewport: PHONE, language: 'fa' }, async (person) => {
      const { page } = person, name = `devices-${javascript}`;
      const others = await Promise.all([house.browser.newContext({ baseURL: person.peygir.base }), house.browser.newContext({ baseURL: person.peygir.base }),
        house.browser.newContext({ baseURL: person.peygir.base })]);
      for (const other of others) await (await other.newPage()).goto(await house.signIn(name));
      await page.goto(await house.signIn(name));
      assert.equal(await devices(page).count(), 4);
      assert.equal(await page.getByText(person.words('account.this'), { exact: true }).count(), 1);
      await saveScreenshot(page, `devices-phone-${javascript}`);
      await devices(page).filter({ hasNot: page.getByText(person.words('account.this'), { exact: true }) }).first().getByRole('button').click();
      await page.waitForFunction(() => document.querySelectorAll('main li.card').length === 3).catch(() => {});
      assert.equal(await devices(page).count(), 3);
      await page.getByRole('button', { name: person.words('account.revoke_others') }).click();
      await page.getByRole('button', { name: person.words('account.revoke_others') }).waitFor({ state: 'detached' });
      assert.equal(await devices(page).count(), 1);
      for (const other of others) assert.equal((await other.request.get('/account/sessions')).status(), 403);
      await page.getByRole('button', { name: person.words('account.sign_out') }).click();
      await page.waitForURL(`${person.peygir.base}/`);
      assert.equal((await page.context().request.get('/account/sessions')).status(), 403);
      await Promise.all(others.map((other) => other.close()));
    }));

    test('deletes a request that still runs, and nothing of it is left to find', as({ javascript }, async (person) => {
      const { page, peygir } = person;
      const hash = await person.requestHanging();
      await peygir.status(hash, 'processing');
      await page.goto('/requests');
      await page.locator('li.card summary').click();
      await saveScreenshot(page, `requests-delete-${javascript}`);
      await page.getByRole('button', { name: person.words('requests.delete_confirm') }).click();
      await page.getByText(person.words('requests.deleted')).waitFor();
      assert.equal(await peygir.document(hash), null);
      assert.equal((await page.goto(`/services/${OCR}/result/${hash}`)).status(), 404);
    }));

    test('deletes a result from its own page', as({ javascript, language: 'fa' }, async (person) => {
      const { page, peygir } = person;
      const hash = await person.requestOcr();
      await peygir.status(hash, 'completed');
      await person.openRequest('result', hash, OCR);
      await page.locator('main summary').click();
      await saveScreenshot(page, `result-delete-${javascript}`);
      await page.getByRole('button', { name: person.words('requests.delete_confirm') }).click();
      await page.getByText(person.words('requests.deleted')).waitFor();
      assert.equal(await peygir.document(hash), null);
    }));
  });
}
