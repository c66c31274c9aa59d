// services.test.mjs: a service is one file. The README's example is added here as it stands there; wrong files stop the start.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { SOURCE, copyOfTree, environment, freePort, program, runCommand, start, tempDir } from '../lib/peygir.mjs';

const OCR = JSON.parse(fs.readFileSync(path.join(SOURCE, 'etc/services/document-ocr.json'), 'utf8'));

// The example of the README, "Your first service in five minutes".
function exampleOfReadme() {
  const text = fs.readFileSync(path.join(SOURCE, 'README.md'), 'utf8');
  const [, json] = text.match(/`etc\/services\/horoscope\.json`[^]*?```json\n([^]*?)```/);
  return json;
}

describe('a third service is one file', () => {
  let peygir;
  let bot;
  before(async () => {
    bot = await new Bot().listen(await freePort());
    bot.on('horoscope', (call) => call.success({ text: `A good day, ${call.data.given_name}`, lucky_number: 7 }));
    bot.on('every-rule', (call) => call.success({ when: '2026-03-21', at: '2026-03-21T10:00:00Z', price: 1234567, site: 'https://example.org/a?b=1&c=2',
      bad: 'javascript:alert(1)', things: ['a', 'b'], deep: { inside: [{ name: 'found' }] } }));
    bot.on('plain', (call) => call.success({ sentence: 'As <b>it</b> came', visits: 1234567, parts: ['a', 'b'], fresh: true }));
    peygir = await start({
      env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url },
      services: (dir) => {
        overrideForm(path.resolve(dir, '../..'), 'plain');
        fs.writeFileSync(path.join(dir, 'plain.json'), JSON.stringify(PLAIN));
        fs.writeFileSync(path.join(dir, 'horoscope.json'), exampleOfReadme());
        fs.writeFileSync(path.join(dir, 'every-rule.json'), JSON.stringify(EVERY_RULE));
      },
    });
  });
  after(async () => {
    try {
      await peygir?.stop();
    } finally {
      await bot?.close();
    }
  });

  test('the example of the README works from the first page to the result', async () => {
    const visitor = peygir.visitor();
    assert.ok((await visitor.get('/')).links.includes('/services/horoscope'));
    const page = await visitor.get('/services/horoscope');
    assert.match(page.text, /Horoscope/);
    assert.match(page.text, /Given name/);
    const wrong = await visitor.submit('horoscope', { given_name: '', birthday: 'tomorrow' });
    assert.equal(wrong.status, 422);
    assert.deepEqual(wrong.mistakes.map(({ href }) => href), ['#f-given_name', '#f-birthday']);
    const hash = await visitor.request('horoscope', { given_name: 'Sara', birthday: '1990-05-17' });
    await peygir.status(hash, 'completed');
    const result = await visitor.get(`/services/horoscope/result/${hash}`);
    assert.match(result.text, /Today A good day, Sara/);
    assert.match(result.text, /Lucky number 7/);
    const persian = peygir.visitor({ language: 'fa' });
    assert.match((await persian.get('/services/horoscope')).text, /فال روزانه/);
    const { services } = await visitor.json('/api/services');
    assert.ok(services.some(({ slug }) => slug === 'horoscope'));
  });

  const GOOD = { text: 'abc', short: 'ab', digits: '12345', number: '7', choice: 'b', mail: 'a@example.org', secret: 'same', secret_confirmation: 'same',
    agreed: '1', day: '2024-02-29', post: '1234567891', iban: 'IR062960000000100324200001', card: '6037991234567893' };
  const bad = [
    ['text', ''], ['short', 'a'], ['short', 'abcdef'], ['digits', '1234'], ['digits', '12a45'], ['number', '11'], ['number', '0'], ['number', '7.5'],
    ['number', 'x'], ['choice', 'z'], ['mail', 'a@'], ['mail', 'a b@example.org'], ['secret', 'other'], ['agreed', ''], ['day', '2023-02-29'], ['day', '1/2/2024'],
    ['post', '0234567891'], ['post', '12345'], ['iban', 'IR062960000000100324200002'], ['iban', 'DE062960000000100324200001'], ['card', '6037991234567890'],
  ];

  test('every rule lets the right value pass and names its field when it does not', async () => {
    const visitor = peygir.visitor();
    const fine = await visitor.submit('every-rule', GOOD);
    assert.equal(fine.status, 303, JSON.stringify(fine.mistakes));
    for (const [field, value] of bad) {
      const answer = await visitor.submit('every-rule', { ...GOOD, [field]: value });
      assert.equal(answer.status, 422, `${field} = ${value}`);
      assert.deepEqual(answer.mistakes.map(({ href }) => href), [`#f-${field}`], `${field} = ${value}`);
    }
  });

  test('every format of a result is shown as what it is', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request('every-rule', GOOD);
    await peygir.status(hash, 'completed');
    const page = await visitor.get(`/services/every-rule/result/${hash}`);
    assert.match(page.text, /Day 21 March 2026/);
    assert.match(page.text, /Price 1,234,567 rials/);
    assert.match(page.html, /<a href="https:\/\/example\.org\/a\?b=1&amp;c=2" rel="[^"]*noopener/);
    assert.doesNotMatch(page.html, /href="javascript/);
    assert.match(page.html, /<li><bdi>a<\/bdi><\/li>/);
    assert.match(page.text, /Deep found/);
    const persian = await visitor.get(`/services/every-rule/result/${hash}?lang=fa`);
    assert.match(persian.text, /۱ فروردین ۱۴۰۵/, 'the Persian calendar');
  });

  test('a result that no layout describes is a plain table of its members', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request('plain', { word: 'a' });
    await peygir.status(hash, 'completed');
    const page = await visitor.get(`/services/plain/result/${hash}`);
    assert.match(page.text, /sentence As <b>it<\/b> came visits 1,234,567 parts a b fresh yes/);
    assert.ok(!page.html.includes('<b>it'));
  });

  test('a template of its own takes the place of the page, for that service only', async () => {
    const visitor = peygir.visitor();
    assert.match((await visitor.get('/services/plain')).text, new RegExp(`${OWN_WORDS} Plain`));
    const other = await visitor.get('/services/horoscope');
    assert.equal(other.status, 200);
    assert.ok(!other.text.includes(OWN_WORDS));
  });
});

const OWN_WORDS = 'The form of';

// What ships, and a sentence above it.
function overrideForm(tree, slug) {
  const www = path.join(tree, 'www'), own = path.join(www, 'templates/services', slug);
  fs.rmSync(www);
  fs.cpSync(path.join(SOURCE, 'www'), www, { recursive: true });
  fs.mkdirSync(own, { recursive: true });
  const form = fs.readFileSync(path.join(www, 'templates/form.mustache'), 'utf8');
  fs.writeFileSync(path.join(own, 'form.mustache'), `<p>${OWN_WORDS} {{#service}}{{title}}{{/service}}</p>\n${form}`);
}

const text = (en) => ({ en, fa: en });
const field = (name, ...rules) => ({ name, label: text(name), rules });
const PLAIN = { slug: 'plain', title: 'Plain', estimated_duration: 1, fields: [field('word', 'required')] };
const EVERY_RULE = {
  slug: 'every-rule',
  title: text('Every rule'),
  estimated_duration: 1,
  fields: [
    field('text', 'required', 'string'),
    field('short', 'min:2', 'max:5'),
    field('digits', 'required', 'digits:5'),
    field('number', 'required', 'integer', 'between:1,10'),
    { ...field('choice', 'required', 'in:a,b'), type: 'select', choices: ['a', 'b'].map((value) => ({ value, label: text(value) })) },
    field('mail', 'email'),
    { ...field('secret', 'required', 'confirmed'), type: 'password' },
    { ...field('agreed', 'accepted'), type: 'checkbox' },
    { ...field('day', 'date'), type: 'date' },
    field('post', 'iranian_postal_code'),
    field('iban', 'iranian_iban'),
    field('card', 'bank_card'),
  ],
  result: [
    { path: 'when', label: text('Day'), format: 'date' },
    { path: 'at', label: text('Time'), format: 'date' },
    { path: 'price', label: text('Price'), format: 'money' },
    { path: 'site', label: text('Site'), format: 'link' },
    { path: 'bad', label: text('Bad'), format: 'link' },
    { path: 'things', label: text('Things'), format: 'list' },
    { path: 'deep.inside.0.name', label: text('Deep') },
    { path: 'not.there', label: text('Nothing') },
  ],
};

describe('a wrong file', () => {
  const wrong = [
    ['no JSON', '{"slug": "bad", ', /bad\.json/],
    ['an unknown member', { ...OCR, colour: 'red' }, /colour/],
    ['no title', { ...OCR, title: undefined }, /title/],
    ['a slug that is not the file name', { ...OCR, slug: 'other' }, /slug|other/],
    ['a duration in words', { ...OCR, estimated_duration: 'six' }, /estimated_duration/],
    ['a handler that does not exist', { ...OCR, handler: 'magic' }, /handler.*magic/],
    ['a field named otp', { ...OCR, fields: [field('otp', 'required')] }, /fields.*otp/],
    ['a field named requestHash', { ...OCR, fields: [{ ...field('x'), name: 'requestHash' }] }, /fields.*requestHash/],
    ['the same field twice', { ...OCR, fields: [field('a'), field('a')] }, /fields.*"?a"?/],
    ['an unknown rule', { ...OCR, fields: [field('a', 'must')] }, /fields.*rules.*must/],
    ['a rule without its number', { ...OCR, fields: [field('a', 'max:')] }, /fields.*rules.*max/],
    ['a regular expression that is none', { ...OCR, fields: [field('a', 'regex:(')] }, /fields.*rules/],
    ['a select without choices', { ...OCR, fields: [{ ...field('a'), type: 'select' }] }, /choices/],
    ['steps that go back', { ...OCR, steps: [{ id: 'a', label: 'a', progress: 50 }, { id: 'b', label: 'b', progress: 20 }] }, /steps.*progress/],
    ['progress beyond 100', { ...OCR, steps: [{ id: 'a', label: 'a', progress: 101 }] }, /steps.*progress/],
    ['a result of an unknown format', { ...OCR, result: [{ path: 'a', label: 'a', format: 'video' }] }, /result.*format.*video/],
    ['a code of two digits', { ...OCR, code: { length: 2 } }, /code.*length/],
  ];

  // A directory of services with one that is wrong.
  function servicesWith(content) {
    const dir = tempDir();
    const own = typeof content === 'string' ? content : JSON.stringify({ ...content, slug: content.slug === OCR.slug ? 'bad' : content.slug });
    fs.writeFileSync(path.join(dir, 'bad.json'), own);
    return dir;
  }

  for (const [what, content, said] of wrong) {
    test(`${what}: the check names file, place and reason; no program starts`, async () => {
      const dir = servicesWith(content);
      const check = await program('peygir', ['service', 'check', path.join(dir, 'bad.json')]);
      assert.equal(check.code, 1, check.stderr);
      assert.match(check.stdout, /bad\.json/);
      assert.match(check.stdout, said);
      const secret = path.join(dir, 'secret');
      fs.writeFileSync(secret, `${'a'.repeat(64)}\n`, { mode: 0o600 });
      const worker = await program('peygir-worker', ['--set=REDIS_URL=unix:///nowhere/redis.sock'], { PEYGIR_SERVICES_DIR: dir, PEYGIR_SECRET_FILE: secret });
      assert.equal(worker.code, 78, worker.stderr);
      assert.match(worker.stderr, /bad\.json/);
      fs.rmSync(dir, { recursive: true });
    });
  }

  test('it stops ./run with 78 and the same sentence', async () => {
    const dir = tempDir();
    const tree = copyOfTree(dir, (services) => fs.writeFileSync(path.join(services, 'bad.json'), JSON.stringify({ ...OCR, slug: 'bad', colour: 'red' })));
    const run = runCommand(await environment(path.join(dir, 'run')), { script: path.join(tree, 'run') });
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 78);
    assert.equal(stdout, '');
    assert.match(stderr, /bad\.json.*colour/s);
    fs.rmSync(dir, { recursive: true });
  });

  test('the schema for editors agrees with the two services that ship', () => {
    const schema = JSON.parse(fs.readFileSync(path.join(SOURCE, 'etc/schemas/service.json'), 'utf8'));
    for (const slug of ['document-ocr', 'credit-score-rating']) {
      const service = JSON.parse(fs.readFileSync(path.join(SOURCE, `etc/services/${slug}.json`), 'utf8'));
      for (const name of Object.keys(service)) assert.ok(name in schema.properties, name);
      for (const name of schema.required) assert.ok(name in service, name);
      assert.equal(service.slug, slug);
    }
  });
});
