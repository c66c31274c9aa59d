// admin.test.mjs: an administrator signs in, looks, and signs out.
import { after, before, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { forgive, user } from '../lib/admin.mjs';
import { House, LANGUAGES, PHONE, visit } from './lib.mjs';

let house;
before(async () => {
  house = await House.open();
  await user(house.peygir, 'add', 'sara');
});
after(() => house?.close());
beforeEach(() => forgive(house.peygir));

const as = (options, action) => visit(() => house, options, action);

describe('An administrator', () => {
  for (const language of LANGUAGES) {
    for (const javascript of [true, false]) {
      test(`signs in, sees how Peygir is, and signs out (${language}, ${javascript ? 'with' : 'without'} JavaScript)`, as({ language, javascript }, async (person) => {
        const { page } = person;
        await page.goto('/admin');
        await person.sees('sign_in.heading');
        await person.signIn('sara', 'not her password');
        await page.locator('#f-name-error').waitFor();
        assert.equal(await page.getByLabel(person.words('sign_in.password'), { exact: true }).inputValue(), '');
        await forgive(house.peygir);
        await person.signIn('Sara');
        await person.sees('admin.heading');
        const text = await person.text();
        assert.ok(text.includes(person.words('admin.state.ok')), text);
        assert.deepEqual((await person.document()).direction, language === 'fa' ? 'rtl' : 'ltr');
        await person.link('admin.refresh').click();
        await person.sees('admin.heading');
        await person.button('admin.sign_out').click();
        await person.shown(person.words('sign_in.signed_out')).waitFor();
      }));
    }
  }

  test('leaves nothing behind the back button (ASVS v4.0.3-3.3.1, 8.2.1)', as({}, async (person) => {
    const { page } = person;
    await page.goto('/admin');
    await person.signIn('sara');
    await person.sees('admin.heading');
    await person.button('admin.sign_out').click();
    await page.waitForURL(/signed_out/);
    await page.goBack();
    await person.sees('sign_in.heading');
    assert.ok(!(await page.content()).includes(person.words('admin.heading')));
  }));

  test('comes back after signing in to the page that was asked for, which then refreshes by itself', as({}, async (person) => {
    const { page } = person;
    await page.goto('/admin?auto=1');
    await person.signIn('sara');
    await page.waitForURL(/\/admin\?auto=1$/);
    await person.link('admin.manual').waitFor();
    assert.equal((await page.reload()).headers().refresh, '10');
    await person.link('admin.manual').click();
    await page.waitForURL(/\/admin$/);
  }));

  test('needs the keyboard alone', as({ viewport: PHONE }, async (person) => {
    const { page } = person;
    await page.goto('/admin/sign-in');
    await page.locator('#f-name').focus();
    await page.keyboard.type('sara');
    await page.keyboard.press('Tab');
    await page.keyboard.type('orange lamp 7 river');
    await page.keyboard.press('Enter');
    await person.sees('admin.heading');
    const tables = page.getByRole('group', { name: person.words('admin.queues'), exact: true });
    await tables.focus();
    assert.ok(await tables.evaluate((element) => element === document.activeElement));
    await person.button('admin.sign_out').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/signed_out/);
  }));
});
