// lib.mjs: a house with one Peygir and one browser, people who visit it, and a walk through every page it has.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { PASSWORD, forgive, user } from '../lib/admin.mjs';
import { SOURCE, editServices, start, tempDir, waitFor } from '../lib/peygir.mjs';

export const LANGUAGES = ['fa', 'en'];
export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

const POLL_MS = 5_000; // how often a page looks, told by issue and contract
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

// Inputs of the demonstration bot; its README lists more.
export const MOBILE = '09121234567';
export const NATIONAL_CODE = '0499370899';
export const HANGS = 'file-hang';
export const CODE = '12345';
const HOSTILE_WORDS = '<b>{{csrf}}</b></bdi><script src=x> "\'&';
const HOSTILE_AGENT = '<script>alert(1)</script> Firefox/128.0 "\'&';

// --- words ---

const catalogues = Object.fromEntries(
  LANGUAGES.map((language) => [
    language,
    JSON.parse(fs.readFileSync(path.join(SOURCE, `www/locales/${language}.json`), 'utf8')),
  ]),
);

export const digits = (language, text) =>
  language === 'fa' ? String(text).replace(/\d/g, (digit) => '۰۱۲۳۴۵۶۷۸۹'[digit]) : String(text);

// A sentence of the catalogue, filled in: words('fa', 'otp.attempts', { count: 2 }).
export function words(language, key, values = {}) {
  const text = key.split('.').reduce((node, name) => node?.[name], catalogues[language]);
  assert.equal(typeof text, 'string', `${language}.json has no ${key}`);
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? digits(language, values[name]) : all));
}

const service = (slug) => JSON.parse(fs.readFileSync(path.join(SOURCE, `etc/services/${slug}.json`), 'utf8'));
export const services = { 'credit-score-rating': service('credit-score-rating'), 'document-ocr': service('document-ocr') };
export const title = (language, slug) => services[slug].title[language];
export const label = (language, slug, name) => services[slug].fields.find((field) => field.name === name).label[language];
export const stepLabel = (language, slug, id) => services[slug].steps.find((step) => step.id === id).label[language];

export const escaped = (text) => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));

// --- the house ---

export class House {
  static async open({ code, env } = {}) {
    const changes = code && { 'credit-score-rating': (definition) => Object.assign(definition.code, code) && undefined };
    const few = { PEYGIR_LIMIT_FACTOR: '1000' }; // limits that nobody reaches who is not put there
    const peygir = await start({ env: { WORKER_BACKOFF: '1', ...few, ...env }, services: changes && editServices(changes) });
    const profile = tempDir('peygir-browser');
    try {
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: FLAGS,
        env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
      });
      return Object.assign(new House(), { peygir, browser, profile });
    } catch (error) {
      await peygir.stop();
      throw error;
    }
  }

  async close() {
    await this.browser?.close();
    if (this.profile) fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    await this.peygir?.stop();
  }

  // A program that does nothing for the time of `action`.
  async without(name, action) {
    this.peygir.kill(name, 'SIGSTOP');
    try {
      return await action();
    } finally {
      this.peygir.kill(name, 'SIGCONT');
    }
  }

  // What the host site says to an internal route.
  async say(route, body, status) {
    this.site ??= (await this.peygir.cliJson('token', 'create', '--role', 'site', 'site')).token;
    const answer = await fetch(`${this.peygir.base}/api/internal/${route}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.site}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, status);
    return answer.json();
  }

  // The link by which the host site lets a user in, to the page of devices.
  async signIn(user_id) {
    return (await this.say('sessions', { user_id, email: 'sara@example.org', next: '/account/sessions' }, 201)).enter_url;
  }

  // A notification, kept.
  async notify(user_id, data) {
    const { id } = await this.say('notifications', { event: 'message', user_id, data }, 202);
    await waitFor(() => this.peygir.redis.hexists(`peygir:notifications:kept:${user_id}`, id), { what: 'the notification to be kept' });
  }

  // What a bot does that knows only Redis: read the document, change fields, write it back, publish.
  async report(hash, fields) {
    const document = { ...JSON.parse(await this.peygir.redis.get(`local_request:${hash}`)), ...fields, updated_at: new Date().toISOString() };
    const text = JSON.stringify(document);
    await this.peygir.redis.setex(`local_request:${hash}`, 1800, text);
    await this.peygir.redis.publish(`local_request_updates:${hash}`, text);
  }
}

// --- people ---

// A page that moves on by itself at the very moment somebody goes elsewhere ends that going: a person would click once more.
function goOnce(page) {
  const go = page.goto.bind(page);
  page.goto = (...where) => go(...where).catch((error) => {
    if (!/ERR_ABORTED|interrupted by another navigation/.test(error.message)) throw error;
    return go(...where);
  });
  return page;
}

// A test in which one person with a browser of their own does something: test(name, visit(() => house, {...}, action)).
// It fails too when a page broke its Content-Security-Policy or wrote an error to the console.
export function visit(house, options, action) {
  return async (t) => {
    const person = await Person.arrive(house(), options);
    try {
      await action(person, t);
      person.assertNoTrouble();
    } catch (error) {
      await saveScreenshot(person.page, `failed-${t.name}`).catch(() => {});
      throw error;
    } finally {
      await person.leave();
    }
  };
}

// Only with SCREENSHOTS=DIRECTORY.
export async function saveScreenshot(page, name) {
  const dir = process.env.SCREENSHOTS;
  if (dir) await page.screenshot({ path: path.join(dir, `${name.replace(/[^\p{L}\p{N}.-]+/gu, '-')}.png`), fullPage: true });
}

export class Person {
  // clock: the page's own clock can be put forward, so that nobody waits for the next poll.
  static async arrive(house, { language = 'en', javascript = true, viewport = DESKTOP, clock = false, dark = false } = {}) {
    const context = await house.browser.newContext({
      baseURL: house.peygir.base,
      locale: language,
      javaScriptEnabled: javascript,
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
      viewport,
    });
    context.setDefaultTimeout(20_000);
    if (clock) await context.clock.install();
    const page = goOnce(await context.newPage());
    const person = Object.assign(new Person(), { house, peygir: house.peygir, context, page, language, javascript });
    await person.listen();
    return person;
  }

  leave() {
    return this.context.close();
  }

  // --- what goes wrong in the browser ---

  async listen() {
    this.trouble = [];
    this.tolerated = [];
    this.page.on('pageerror', (error) => this.trouble.push(`error in a script: ${error.stack}`));
    this.page.on('console', (message) => this.console(message));
    this.page.on('dialog', (dialog) => {
      this.trouble.push(`a dialog appeared: ${dialog.message()}`);
      dialog.dismiss();
    });
    this.page.on('response', (response) => {
      if (response.request().isNavigationRequest() && response.frame() === this.page.mainFrame()) this.answer = response;
    });
    if (!this.javascript) return;
    await this.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`Content-Security-Policy: ${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`);
      });
    });
  }

  // A page that is itself an answer like 404 or 422 makes the browser say so; that is no trouble.
  console(message) {
    if (message.type() !== 'error') return;
    const text = message.text(), url = message.location().url;
    if (/^Failed to load resource: the server responded with a status of [45]\d\d/.test(text) && url === this.answer?.url()) return;
    this.trouble.push(`console: ${text} (${url})`);
  }

  // Troubles that belong to the test, such as polls while a program is away.
  tolerate(pattern) {
    this.tolerated.push(pattern);
  }

  assertNoTrouble() {
    const left = this.trouble.filter((text) => !this.tolerated.some((pattern) => pattern.test(text)));
    assert.deepEqual(left, []);
  }

  // --- reading ---

  words(key, values) {
    return words(this.language, key, values);
  }

  get hash() {
    return this.page.url().match(/req_[0-9A-Z]{26}/)?.[0];
  }

  heading(text) {
    return this.page.getByRole('heading', { level: 1, name: text, exact: true });
  }

  async sees(key, values) {
    await this.heading(this.words(key, values)).waitFor();
  }

  async document() {
    return this.page.evaluate(() => ({ language: document.documentElement.lang, direction: document.documentElement.dir }));
  }

  // A text that everybody can see; the live region is for those who listen.
  shown(text) {
    return this.page.getByText(text, { exact: true }).and(this.page.locator(':not([role=status])')).filter({ visible: true }).first();
  }

  text() {
    return this.page.locator('main').innerText();
  }

  // --- doing ---

  button(key) {
    return this.page.getByRole('button', { name: this.words(key), exact: true });
  }

  link(key) {
    return this.page.getByRole('link', { name: this.words(key), exact: true });
  }

  field(slug, name) {
    return this.page.getByLabel(label(this.language, slug, name));
  }

  submitButton(slug) {
    return this.page.getByRole('button', { name: services[slug].submit[this.language], exact: true });
  }

  async openForm(slug) {
    await this.page.goto(`/services/${slug}`);
  }

  async fillIn(slug, values) {
    for (const [name, value] of Object.entries(values)) {
      const field = this.field(slug, name);
      if ((await field.evaluate((element) => element.tagName)) === 'SELECT') await field.selectOption(value);
      else await field.fill(value);
    }
  }

  // From the form to the progress page (or, when that moved on already, to where it leads).
  async send(slug, values) {
    await this.openForm(slug);
    await this.fillIn(slug, values);
    await this.submitButton(slug).click();
    await this.page.waitForURL(/\/(progress|otp|result)\/req_/);
    return this.hash;
  }

  sendCredit(nationalCode = NATIONAL_CODE) {
    return this.send('credit-score-rating', { mobile: MOBILE, national_code: nationalCode });
  }

  sendOcr(fileId = 'invoice-7') {
    return this.send('document-ocr', { file_id: fileId, language: this.language });
  }

  // On the form that is open.
  async signIn(name, password = PASSWORD) {
    await this.page.getByLabel(this.words('sign_in.name'), { exact: true }).fill(name);
    await this.page.getByLabel(this.words('sign_in.password'), { exact: true }).fill(password);
    await this.button('sign_in.submit').click();
  }

  async enterCode(code = CODE) {
    await this.page.getByLabel(this.words('otp.label'), { exact: true }).fill(code);
    await this.button('otp.submit').click();
  }

  // A request without its form, for tests about what comes after.
  async request(slug, data) {
    const { hash } = await this.postJson('/api/local-requests', { service: slug, data });
    return hash;
  }

  requestCredit(nationalCode = NATIONAL_CODE) {
    return this.request('credit-score-rating', { mobile: MOBILE, national_code: nationalCode });
  }

  requestOcr(fileId = 'invoice-7') {
    return this.request('document-ocr', { file_id: fileId, language: this.language });
  }

  // A request whose bot has reported 30 percent and says nothing more until it is cancelled.
  async requestHanging() {
    const hash = await this.requestOcr(HANGS);
    const reported = async () => (await this.peygir.document(hash)).progress === 30;
    await waitFor(reported, { what: 'the bot to report', now: () => this.peygir.document(hash) });
    return hash;
  }

  async openRequest(kind, hash, slug = 'document-ocr') {
    await this.page.goto(`/services/${slug}/${kind}/${hash}`);
  }

  act(hash, what, data) {
    return this.postJson(`/api/local-requests/${hash}/${what}`, data);
  }

  async postJson(url, data) {
    const form = this.token ? null : await this.context.request.get('/services/document-ocr');
    this.token ??= (await form.text()).match(/name="csrf-token" content="([^"]+)"/)[1];
    const headers = { 'X-CSRF-Token': this.token, 'Accept-Language': this.language };
    const answer = await this.context.request.post(url, { headers, ...(data && { data }) });
    assert.ok(answer.ok(), `${url} answered ${answer.status()}: ${await answer.text()}`);
    return answer.json();
  }

  // --- time ---

  // The page's clock goes on until the page has looked at the status once more. Needs { clock: true }.
  async look() {
    let seen = false;
    const answer = this.page.waitForResponse(/\/status$/).finally(() => (seen = true));
    while (!seen) {
      await this.page.clock.runFor(POLL_MS).catch(() => {}); // a page that moves on meanwhile has a new clock
      await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200))]);
    }
    return answer;
  }

  // The page looks again and again until it has moved on to `url`.
  lookUntil(url) {
    return this.lookWhile(() => this.page.waitForURL(url, { timeout: 500 }), url);
  }

  // The same until it shows something.
  lookFor(locator) {
    return this.lookWhile(() => locator.first().waitFor({ timeout: 500 }), locator);
  }

  lookWhile(wait, what) {
    const seen = async () => {
      if (await wait().then(() => true, () => false)) return true;
      return void (await this.page.clock.runFor(POLL_MS).catch(() => {}));
    };
    return waitFor(seen, { timeout: 30_000, what, now: () => this.page.url() });
  }
}

// --- every page ---

// Goes to every page there is, in this person's language, and calls look(name) on each.
export async function everyPage(person, look) {
  const { page, peygir } = person;
  const go = (name, url) => page.goto(url).then(() => look(name));
  const goTo = (name, kind, hash, slug = 'document-ocr') => go(name, `/services/${slug}/${kind}/${hash}`);

  await go('home', '/');
  await go('requests-empty', '/requests');
  await go('market-empty', '/data');
  await waitFor(async () => (await page.reload(), (await page.locator('polyline').count()) > 0), { what: 'the chart' });
  await look('market');
  await go('form', '/services/credit-score-rating');
  await person.submitButton('credit-score-rating').click();
  await page.locator('[aria-invalid=true]').first().waitFor();
  await look('form-errors');
  await go('form-select', '/services/document-ocr');

  const made = await makeRequests(person);
  await goTo('progress-processing', 'progress', made.hanging);
  await codePages(person, made, look, goTo);
  for (const [name, status] of Object.entries({ read: 'completed', html: 'completed', refused: 'failed', broken: 'failed' })) {
    await peygir.status(made[name], status);
    await goTo(`result-${name}`, 'result', made[name]);
  }
  await goTo('result-cancelled', 'result', made.cancelled);
  await goTo('result-unreadable', 'result', made.unreadable);
  await go('form-again', `/services/document-ocr?again=${made.refused}`);
  await person.house.without('worker', async () => {
    await goTo('progress-pending', 'progress', await person.requestOcr());
    await go('requests', '/requests');
  });
  await adminPages(person, look, go);
  await errorPages(person, made, look, go);
  await limitPage(person, look, go);
  await closedPages(person, look);
  await accountPages(person, look, go);
}

// One request for every state a page can show.
async function makeRequests(person) {
  const made = {
    hanging: await person.requestHanging(),
    read: await person.requestOcr(),
    refused: await person.requestOcr('file-fail'),
    broken: await person.requestOcr('file-garbage'),
    html: await person.requestOcr('file-html'),
    code: await person.requestCredit(),
    brief: await person.requestCredit('9990000204'),
    cancelled: await person.requestOcr(HANGS),
    unreadable: await person.requestOcr(HANGS),
  };
  await person.act(made.cancelled, 'cancel');
  await person.house.report(made.unreadable, { status: 'completed', result_data: { sealed: 'v1:00000000:AAAA' } });
  return made;
}

async function codePages(person, made, look, goTo) {
  const { peygir, page } = person, slug = 'credit-score-rating';
  const leave = () => page.goto('/'); // a page that is open would move on by itself, in the middle of the next step

  await peygir.status(made.code, 'otp_required');
  await goTo('otp', 'otp', made.code, slug);
  await person.enterCode('12');
  await page.locator('[aria-invalid=true]').waitFor();
  await look('otp-too-short');
  await page.locator('form[action*="/resend-otp/"]').evaluate((form) => form.submit()); // its button waits for the cool-down
  await page.waitForURL(/\/resend-otp\//);
  await look('otp-429');
  await leave();
  await person.act(made.code, 'otp', { otp: '00000' });
  await peygir.status(made.code, 'otp_required');
  await goTo('otp-wrong', 'otp', made.code, slug);
  await peygir.redis.hset(`{local_request:${made.code}}:guard`, 'resends', 99);
  await goTo('otp-no-resend', 'otp', made.code, slug);
  await leave();
  await person.act(made.code, 'otp', { otp: CODE });
  const brief = await peygir.status(made.brief, 'otp_required');
  await waitFor(() => Date.parse(brief.otp_data.expires_at) < Date.now(), { what: 'the code to expire' });
  await goTo('otp-expired', 'otp', made.brief, slug);
  await peygir.status(made.code, 'completed');
  await goTo('result-credit', 'result', made.code, slug);
}

// What administrators see, the form with every complaint included; signed out again in the end.
async function adminPages(person, look, go) {
  const { page, peygir } = person, name = `sara-${person.language}`;

  await forgive(peygir);
  await user(peygir, 'add', name).catch(() => {}); // another walk has made her
  await go('admin-sign-in', '/admin/sign-in');
  await person.signIn(name, 'not her password');
  await page.locator('[aria-invalid=true]').first().waitFor();
  await look('admin-sign-in-wrong');
  await forgive(peygir, 'name', { count: 9, open_at: Date.now() + 60_000 });
  await person.signIn(name);
  await page.locator('.notice').waitFor();
  await look('admin-sign-in-wait');
  await forgive(peygir);
  await person.signIn(name);
  await page.waitForURL('/admin');
  await go('admin', '/admin');
  await peygir.cli('queue', 'pause', '--message', 'Back at noon');
  await go('admin-warning', '/admin?auto=1');
  await peygir.cli('queue', 'resume');
  await person.button('admin.sign_out').click();
  await page.waitForURL(/signed_out/);
  await look('admin-signed-out');
}

async function errorPages(person, made, look, go) {
  await go('error-404', '/services/document-ocr/progress/req_00000000000000000000000000');
  await forgedCancel(person, made.hanging);
  await look('error-403');
  await forgedForm(person);
  await look('form-403');
  await go('error-404-static', '/static/nothing');
  await go('error-414', `/?${'x'.repeat(9000)}`);

  await person.openForm('document-ocr');
  await person.fillIn('document-ocr', { file_id: 'kept-value', language: 'en' });
  await person.house.without('redis', async () => {
    await person.submitButton('document-ocr').click();
    await person.page.getByText(person.words('form.notice_away')).waitFor();
    await look('form-503');
    await go('error-503', `/services/document-ocr/result/${made.read}`);
  });
  await person.peygir.ready();
  await person.act(made.hanging, 'cancel');
}

// This person's session has asked too often.
async function limitPage(person, look, go) {
  const { value } = (await person.context.cookies()).find(({ name }) => name === 'peygir_session');
  const key = `peygir:limit:read:${createHash('sha256').update(value).digest('hex').slice(0, 32)}`;
  await person.peygir.redis.set(key, (Date.now() + 60_000) * 1000);
  await go('error-429', '/requests');
  await person.peygir.redis.del(key);
}

// The threads of web look by themselves whether a service is closed, so it is asked for until the next one knows.
async function closedPages(person, look) {
  const { page, peygir } = person, closed = page.getByText('Back at noon');
  const goUntilClosed = (url) => waitFor(async () => (await page.goto(url), closed.isVisible()), { what: `${url} to say that it is closed` });

  await peygir.cli('service', 'close', 'document-ocr', '--message', 'Back at noon');
  await goUntilClosed('/');
  await look('home-closed');
  await goUntilClosed('/services/document-ocr');
  await look('form-closed');
  await peygir.cli('service', 'open', 'document-ocr');
}

// Signed in on two devices; at the end everything is deleted.
async function accountPages(person, look, go) {
  await go('error-403-account', '/account/sessions');
  const link = await person.house.signIn('sara');
  await fetch(new URL(await person.house.signIn('sara'), person.peygir.base), { redirect: 'manual', headers: { 'user-agent': HOSTILE_AGENT } });
  await go('account', link);
  await go('error-410', link);
  await go('notifications-empty', '/notifications');
  await person.house.notify('sara', { title: HOSTILE_WORDS, text: HOSTILE_WORDS, link: '/requests' });
  await go('notifications', '/notifications');
  const readAll = person.page.locator('form[action="/notifications/read"]:not(:has([name=id]))');
  await readAll.locator('button').click();
  await readAll.waitFor({ state: 'detached' });
  await look('notifications-read');
  await go('requests-signed-in', '/requests');
  await person.page.locator('main > details > summary').click();
  await look('requests-delete-all');
  await person.page.locator('form[action="/requests/delete"] button').click();
  await person.page.getByText(person.words('requests.deleted')).waitFor();
  await look('requests-deleted');
}

// Forms with a token that is not theirs.
const spoilToken = (form) => form.locator('input[name=_token]').evaluate((input) => (input.value = '0'.repeat(64)));

async function forgedCancel(person, hash) {
  await person.openRequest('progress', hash);
  const form = person.page.locator('form[action*="/cancel/"]');
  await spoilToken(form);
  await form.evaluate((element) => element.submit());
  await person.page.waitForURL(/\/cancel\//);
}

async function forgedForm(person) {
  await person.openForm('document-ocr');
  await person.fillIn('document-ocr', { file_id: 'kept-value', language: 'en' });
  await spoilToken(person.page.locator('form[action$="/services/document-ocr"]'));
  await person.submitButton('document-ocr').click();
  await person.page.getByText(person.words('form.notice_csrf')).waitFor();
}
