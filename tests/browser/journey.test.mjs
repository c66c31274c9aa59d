// journey.test.mjs: what a person does and sees, from the form to the result, on good and on bad days.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { waitFor } from '../lib/peygir.mjs';
import {
  CODE, HANGS, House, LANGUAGES, MOBILE, NATIONAL_CODE, digits, escaped, label, services, stepLabel, title, visit,
} from './lib.mjs';

const CREDIT = 'credit-score-rating';
const OCR = 'document-ocr';
const SLOW = '9990000131';
const COOLDOWN_S = 6;

let house;
before(async () => (house = await House.open({ code: { resend_cooldown: COOLDOWN_S } })));
after(() => house?.close());

const as = (options, action) => visit(() => house, options, action);
const bar = (page) => page.getByRole('progressbar');

// Where the forms sent to a path led.
function redirects(page) {
  const seen = [];
  page.on('response', (answer) => {
    if (answer.request().method() === 'POST') seen.push([new URL(answer.url()).pathname, answer.headers().location]);
  });
  return (path) => seen.filter(([from]) => from === path).map(([, to]) => to);
}

async function ownRequests(person) {
  await person.page.goto('/requests');
  return person.page.locator('main').getByText(/^req_/).allInnerTexts();
}

describe('The credit score journey', { concurrency: 4 }, () => {
  for (const language of LANGUAGES) {
    test(`moves on by itself from the form to the code and to the result (${language})`, as({ language }, async (person) => {
      const { page } = person, led = redirects(page);
      await person.openForm(CREDIT);
      await person.fillIn(CREDIT, { mobile: digits(language, MOBILE), national_code: digits(language, SLOW) });
      await person.submitButton(CREDIT).click();
      await page.waitForURL(/\/otp\/req_/);
      await person.sees('otp.heading');
      await page.getByText(/12345|۱۲۳۴۵/).first().waitFor(); // the demonstration bot tells its code
      await person.enterCode(digits(language, CODE));
      await page.waitForURL(/\/result\/req_/);
      await person.sees('result.heading_completed');
      const progress = `/services/${CREDIT}/progress/${person.hash}`, text = await person.text();
      assert.deepEqual(led(`/services/${CREDIT}`), [progress], 'the form leads to the progress page');
      assert.deepEqual(led(`/services/${CREDIT}/otp/${person.hash}`), [progress], 'the code leads back to it');
      assert.match(text, escaped(digits(language, 742)));
      assert.ok(text.includes(person.hash), 'the reference is shown');
      assert.deepEqual(await person.document(), { language, direction: language === 'fa' ? 'rtl' : 'ltr' });
    }));

    test(`works by forms and a Refresh link alone (${language})`, as({ language, javascript: false }, async (person) => {
      const { page, peygir } = person;
      const refreshed = async (place, status) => {
        await peygir.status(hash, status);
        if (!place.test(page.url())) await person.link('progress.refresh').click();
        await page.waitForURL(place);
      };
      const hash = await person.sendCredit(SLOW);
      await refreshed(/\/otp\//, 'otp_required');
      await person.sees('otp.heading');
      await person.enterCode();
      await refreshed(/\/result\//, 'completed');
      await person.sees('result.heading_completed');
      assert.match(await person.text(), escaped(digits(language, 742)));
      assert.equal(await person.button('result.print').isVisible(), false, 'what needs a script is not offered');
    }));
  }

  test('the progress page moves on without anybody touching it', as({ language: 'fa' }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.sendOcr(HANGS);
    await person.sees('progress.heading');
    await bar(page).waitFor();
    await peygir.status(hash, 'processing');
    await person.act(hash, 'cancel');
    await page.waitForURL(/\/result\//);
    await person.sees('result.heading_cancelled');
  }));

  test('refreshes by itself without JavaScript only where the visitor chose it', as({ javascript: false }, async (person) => {
    const { page } = person;
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    assert.equal(person.answer.headers().refresh, undefined);
    await person.link('progress.auto').click();
    await page.waitForURL(/auto=1/);
    assert.ok(person.answer.headers().refresh, 'the page refreshes by itself');
    await person.act(hash, 'cancel');
    await page.waitForURL(/\/result\//);
    await person.sees('result.heading_cancelled');
  }));

  test('document-ocr goes from the form to the text without a code', as({ language: 'fa', clock: true }, async (person) => {
    await person.sendOcr();
    await person.lookUntil(/\/result\//);
    await person.sees('result.heading_completed');
    assert.match(await person.text(), /فاکتور ۱۰۴۲/);
  }));

  test('another code can be asked for as soon as the cool-down is over', as({}, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await person.openRequest('otp', hash, CREDIT);
    const button = person.button('otp.resend');
    await button.and(page.locator(':disabled')).waitFor();
    await page.getByText(person.words('otp.resend_in')).waitFor();
    await button.and(page.locator(':enabled')).click();
    await button.and(page.locator(':disabled')).waitFor();
    assert.equal((await peygir.document(hash)).otp_data.resends, 1);
    await person.enterCode();
    await page.waitForURL(/\/result\//);
  }));

  test('asking for another code too early is refused in words without JavaScript', as({ javascript: false }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await person.openRequest('otp', hash, CREDIT);
    await person.button('otp.resend').click();
    await page.getByRole('alert').getByText(/Please wait/).waitFor();
    assert.equal(person.answer.status(), 429);
    assert.equal(await page.locator('[aria-invalid], .has-error').count(), 0, 'nothing is wrong with the code');
    await page.getByRole('alert').getByRole('link').click();
    await page.locator('section:target').and(page.locator(':focus')).getByText(person.words('otp.not_received')).waitFor();
    await person.enterCode();
    await peygir.status(hash, 'completed');
  }));
});

describe('On the way', { concurrency: 3 }, () => {
  test('a wrong code is told with the tries left, and the right one then goes on', as({ clock: true }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await person.openRequest('otp', hash, CREDIT);
    await page.getByText(person.words('otp.attempts', { count: 3 })).waitFor();
    await person.enterCode('00000');
    await person.lookFor(page.getByRole('alert').getByText('That code was wrong. Enter it again.'));
    await page.getByText(person.words('otp.attempts', { count: 2 })).waitFor();
    assert.match(await page.title(), escaped(person.words('title.error')));
    assert.equal(await page.getByLabel(person.words('otp.label'), { exact: true }).inputValue(), '', 'the code is not shown again');
    await person.enterCode();
    await person.lookUntil(/\/result\//);
    await person.sees('result.heading_completed');
  }));

  test('a code that is too short stays on the page and says what is missing', as({ language: 'fa' }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await person.openRequest('otp', hash, CREDIT);
    await person.enterCode('۱۲');
    const mistake = page.getByRole('link', { name: person.words('otp.error_form', { length: 5 }), exact: true });
    await mistake.click();
    assert.equal(await page.evaluate(() => document.activeElement.name), 'otp');
    assert.equal((await peygir.document(hash)).status, 'otp_required');
  }));

  test('a code that expired is said to be so, and the page asks for another', as({ clock: true }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await page.route(/\/(status|events)$/, (route) => route.abort()); // only the page's own countdown: no news from before sets it back
    await person.openRequest('otp', hash, CREDIT);
    person.tolerate(/Failed to load resource: net::ERR_FAILED/);
    await page.getByText(person.words('otp.expires')).waitFor();
    await page.clock.runFor(121_000);
    await person.shown(person.words('otp.expired')).waitFor();
    await page.getByText(person.words('otp.expires')).waitFor({ state: 'hidden' });
    assert.equal(await person.button('otp.resend').isEnabled(), true);
    const isFirst = async (name) => (await person.button(name).getAttribute('class')).includes('button-primary');
    assert.deepEqual([await isFirst('otp.submit'), await isFirst('otp.resend')], [false, true]);
  }));

  test('the cancel button asks once more and then stops the work', as({}, async (person) => {
    const { page, peygir } = person;
    const hash = await person.sendOcr(HANGS);
    await peygir.status(hash, 'processing');
    await page.getByText(person.words('progress.cancel'), { exact: true }).click();
    await page.getByText(person.words('progress.cancel_question')).waitFor();
    await person.button('progress.cancel_confirm').click();
    await person.sees('result.heading_cancelled');
    assert.equal((await peygir.document(hash)).status, 'cancelled');
  }));

  test('cancelling works without JavaScript, from the code page too', as({ language: 'fa', javascript: false }, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    await person.openRequest('otp', hash, CREDIT);
    await page.getByText(person.words('progress.cancel'), { exact: true }).click();
    await person.button('progress.cancel_confirm').click();
    await person.sees('result.heading_cancelled');
  }));

  test('a failure says what to do, and starting again brings the values back', as({}, async (person) => {
    const { page } = person;
    const hash = await person.requestOcr('file-fail');
    await person.peygir.status(hash, 'failed');
    await person.openRequest('result', hash);
    await person.sees('result.heading_failed');
    await page.getByText(person.words('result.what_now')).waitFor();
    await person.link('result.again').click();
    await page.waitForURL(/\/services\/document-ocr\?again=/);
    assert.equal(await person.field(OCR, 'file_id').inputValue(), 'file-fail');
    assert.equal(await person.field(OCR, 'language').inputValue(), 'en');
    await person.field(OCR, 'file_id').fill('invoice-8');
    await person.submitButton(OCR).click();
    await page.waitForURL(/\/(progress|result)\/req_/);
    assert.notEqual(person.hash, hash, 'it is a new request');
  }));

  test('a cancelled request can be started again with its values', as({ language: 'fa' }, async (person) => {
    const hash = await person.requestCredit();
    await person.act(hash, 'cancel');
    await person.openRequest('result', hash, CREDIT);
    await person.link('result.again').click();
    await person.field(CREDIT, 'mobile').waitFor();
    assert.equal(await person.field(CREDIT, 'mobile').inputValue(), MOBILE);
    assert.equal(await person.field(CREDIT, 'national_code').inputValue(), NATIONAL_CODE);
  }));

  test('the page shows progress, step, message and title as the work goes on', as({ language: 'fa', clock: true }, async (person) => {
    const { page } = person;
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await house.report(hash, { progress: 50, step: 'recognizing', current_message: 'صفحه سوم از هفت' });
    await person.look();
    await person.shown('صفحه سوم از هفت').waitFor();
    assert.equal(await bar(page).getAttribute('value'), '50');
    assert.match(await page.title(), /^۵۰٪/);
    const step = page.locator('[aria-current=step]');
    assert.equal(await step.count(), 1);
    assert.match(await step.innerText(), escaped(stepLabel('fa', OCR, 'recognizing')));
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
  }));

  test('the live region says what is new, and not every percent', as({ clock: true }, async (person) => {
    const { page } = person;
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    const live = page.getByRole('status');
    await house.report(hash, { progress: 50, step: 'recognizing', current_message: 'Page three of seven' });
    await person.look();
    await live.getByText('Page three of seven').waitFor({ state: 'attached' });
    await house.report(hash, { progress: 51 });
    await person.look();
    await page.waitForFunction(() => document.querySelector('progress').value === 51);
    assert.doesNotMatch(await live.innerText(), /51/);
    await person.act(hash, 'cancel');
  }));

  test('a hidden page rests and catches up at once when it is seen again', as({ clock: true }, async (person) => {
    const { page } = person;
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    const looks = [];
    page.on('request', (request) => request.url().endsWith('/status') && looks.push(request));
    await setHidden(page, true);
    await page.clock.runFor(60_000);
    assert.equal(looks.length, 0, 'nobody looks, so nothing is asked');
    await person.act(hash, 'cancel');
    await setHidden(page, false);
    await page.waitForURL(/\/result\//);
  }));

  test('back and reload are harmless at every place', as({ clock: true }, async (person) => {
    const { page } = person, news = /\/(status|events)$/;
    await page.route(news, (route) => route.abort()); // the page moves on by itself after it was loaded again, not at that moment
    person.tolerate(/Failed to load resource: net::ERR_FAILED/);
    const hash = await person.sendOcr();
    await page.reload();
    await page.unroute(news);
    await person.lookUntil(/\/result\//);
    await page.reload();
    await person.sees('result.heading_completed');
    await page.goBack();
    await page.locator('form').first().waitFor();
    assert.equal(await person.field(OCR, 'file_id').inputValue(), 'invoice-7', 'the form still has its values');
    assert.equal(await person.submitButton(OCR).isEnabled(), true, 'and can be sent again');
    await page.goForward();
    await person.sees('result.heading_completed');
    assert.deepEqual(await ownRequests(person), [hash]);
  }));

  test('a form is sent once, however often the button is pressed', as({}, async (person) => {
    const { page } = person;
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await person.openForm(OCR);
    await person.fillIn(OCR, { file_id: 'invoice-7', language: 'en' });
    await page.route(`**/services/${OCR}`, async (route) => {
      await held;
      await route.continue();
    });
    const sent = await page.locator('main form button').first().evaluate(async (button) => {
      let allowed = 0;
      window.addEventListener('submit', (event) => (allowed += event.defaultPrevented ? 0 : 1));
      for (let i = 0; i < 3; i++) {
        button.click();
        button.form.requestSubmit();
        await new Promise((resolve) => setTimeout(resolve));
      }
      return allowed;
    });
    release();
    await page.waitForURL(/\/(progress|result)\/req_/);
    assert.equal(sent, 1);
    assert.equal((await ownRequests(person)).length, 1);
  }));

  test('a double click without JavaScript makes one request', as({ javascript: false }, async (person) => {
    const { page } = person;
    await person.openForm(OCR);
    await person.fillIn(OCR, { file_id: 'invoice-7', language: 'en' });
    await person.submitButton(OCR).dblclick({ noWaitAfter: true });
    await waitFor(() => person.hash, { what: 'the form to lead to a request' });
    await page.waitForLoadState();
    assert.equal((await ownRequests(person)).length, 1);
  }));

  test('the language switch keeps the page and what it shows', as({}, async (person) => {
    const { page, peygir } = person;
    const hash = await person.requestCredit();
    await peygir.status(hash, 'otp_required');
    const places = [
      ['/', () => person.words('home.heading')],
      [`/services/${CREDIT}`, () => title(person.language, CREDIT)],
      [`/services/${CREDIT}/otp/${hash}`, () => person.words('otp.heading')],
      ['/requests', () => person.words('requests.heading')],
    ];
    for (const [place, heading] of places) {
      for (const language of ['fa', 'en']) {
        if (language === 'fa') await page.goto(place);
        await page.getByRole('link', { name: language === 'fa' ? 'فارسی' : 'English', exact: true }).click();
        person.language = language;
        await person.heading(heading()).waitFor();
        assert.equal(new URL(page.url()).pathname, place);
        assert.deepEqual(await person.document(), { language, direction: language === 'fa' ? 'rtl' : 'ltr' });
      }
    }
    await page.getByRole('link', { name: 'فارسی', exact: true }).click();
    await page.goto('/');
    assert.equal((await person.document()).language, 'fa', 'the choice is remembered');
  }));

  test('the summary of mistakes takes the focus, and its links lead to the fields', as({ language: 'fa' }, async (person) => {
    const { page } = person;
    await person.openForm(CREDIT);
    await person.fillIn(CREDIT, { mobile: '123', national_code: '1234567890' });
    await person.submitButton(CREDIT).click();
    await page.getByRole('alert').waitFor();
    await page.waitForFunction(() => document.querySelector('[role=alert]').parentElement.closest(':focus:not(body, main)'));
    assert.equal(person.answer.status(), 422);
    assert.match(await page.title(), escaped(person.words('title.error')));
    for (const [name, rule] of [['mobile', 'iranian_mobile'], ['national_code', 'iranian_national_code']]) {
      const sentence = person.words(`validation.${rule}`, { field: label('fa', CREDIT, name) });
      await page.getByRole('alert').getByRole('link', { name: sentence, exact: true }).click();
      const field = await page.evaluate(() => ({
        name: document.activeElement.name,
        text: (document.activeElement.getAttribute('aria-describedby') ?? '')
          .split(' ')
          .map((id) => document.getElementById(id)?.textContent)
          .join(' '),
      }));
      assert.equal(field.name, name);
      assert.match(field.text, escaped(sentence), 'the field is described by its mistake');
    }
    assert.equal(await person.field(CREDIT, 'mobile').inputValue(), '123', 'what was typed is still there');
  }));

  test('an address that belongs to somebody else leads nowhere but to a new request', as({}, async (person) => {
    const other = await person.house.peygir.visitor().request(OCR, { file_id: 'invoice-7', language: 'en' });
    await person.openRequest('progress', other);
    assert.equal(person.answer.status(), 404);
    await person.sees('http.not_found.title');
    await person.page.locator('main').getByRole('link').first().click();
    await person.page.locator('form, main li').first().waitFor();
  }));

  test('a page asked for in the wrong state leads to the right one', as({ javascript: false }, async (person) => {
    const hash = await person.requestOcr();
    await person.peygir.status(hash, 'completed');
    for (const kind of ['progress', 'otp', 'result']) {
      await person.openRequest(kind, hash);
      assert.equal(new URL(person.page.url()).pathname, `/services/${OCR}/result/${hash}`);
    }
  }));
});

describe('On bad days', () => {
  test('the place in the queue is shown while nobody works', as({ language: 'fa', clock: true }, async (person) => {
    const { page } = person;
    await house.without('worker', async () => {
      await person.requestOcr('ahead');
      await person.sendOcr();
      await page.getByText(person.words('progress.queue', { position: 2 })).waitFor();
      await page.getByText(person.words('status.pending'), { exact: true }).waitFor();
    });
    await person.lookUntil(/\/result\//);
  }));

  test('the time that is left stands still as long as nobody works', as({ clock: true }, async (person) => {
    const { page, peygir } = person;
    await house.without('worker', async () => {
      await peygir.redis.del(`peygir:stats:service:${OCR}:runs`); // a time to tell, not the moment that other tests took
      await person.openRequest('progress', await person.requestOcr());
      const shown = page.locator('[data-part=time-value]'), before = await shown.innerText();
      assert.match(before, /\d/);
      await shown.evaluate((element) => {
        window.written = [];
        new MutationObserver(() => window.written.push(element.textContent)).observe(element, { childList: true, characterData: true });
      });
      for (let looks = 0; looks < 4; looks++) await person.look();
      assert.deepEqual(await page.evaluate(() => window.written), []);
      assert.equal(await shown.innerText(), before);
    });
  }));

  test('the page survives Redis standing still and catches up by itself', as({ clock: true }, async (person) => {
    const { page, peygir } = person;
    person.tolerate(/status of 503 .*\/(status|events)\)/);
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    await house.without('redis', async () => {
      assert.equal((await person.look()).status(), 503);
      await person.shown(person.words('progress.offline')).waitFor();
      await bar(page).waitFor();
    });
    await peygir.ready();
    await waitFor(
      async () => {
        await person.look();
        return (await person.shown(person.words('progress.offline')).count()) === 0;
      },
      { what: 'the page to notice that all is well again', timeout: 20_000 },
    );
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
  }));

  test('the page survives web being killed and reaches the result by itself', as({ clock: true }, async (person) => {
    const { peygir } = person;
    person.tolerate(/status of 50[234] .*\/status\)/);
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    const old = peygir.kill('web');
    await person.look();
    await peygir.ready();
    assert.notEqual(peygir.pid('web'), old);
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
    await person.sees('result.heading_cancelled');
  }));

  test('what was typed is kept while Redis is away, and can then be sent', as({}, async (person) => {
    const { page, peygir } = person;
    await person.openForm(CREDIT);
    await person.fillIn(CREDIT, { mobile: MOBILE, national_code: NATIONAL_CODE });
    await house.without('redis', async () => {
      await person.submitButton(CREDIT).click();
      await page.getByText(person.words('form.notice_away')).waitFor();
      assert.equal(person.answer.status(), 503);
      assert.ok(person.answer.headers()['retry-after']);
      assert.equal(await person.field(CREDIT, 'mobile').inputValue(), MOBILE);
      assert.equal(await person.field(CREDIT, 'national_code').inputValue(), NATIONAL_CODE);
    });
    await peygir.ready();
    await page.getByRole('button', { name: services[CREDIT].submit.en, exact: true }).click();
    await page.waitForURL(/\/(progress|otp)\/req_/);
  }));

  test('a page that stands still asks less and less often while nothing answers', as({ clock: true }, async (person) => {
    const { page } = person;
    person.tolerate(/net::ERR_FAILED/);
    const hash = await person.requestHanging();
    await person.openRequest('progress', hash);
    let looks = 0;
    await page.route(/\/status$/, (route) => (looks++, route.abort()));
    for (let i = 0; i < 24; i++) await page.clock.runFor(5_000);
    assert.ok(looks >= 3 && looks <= 9, `${looks} looks in two minutes`);
    await page.unroute(/\/status$/);
    await person.act(hash, 'cancel');
    await person.lookUntil(/\/result\//);
  }));
});

async function setHidden(page, hidden) {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    Object.defineProperty(document, 'visibilityState', { value: value ? 'hidden' : 'visible', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}
