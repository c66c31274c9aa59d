// openapi.test.mjs: the description of the JSON API is well-formed, names exactly the routes that there are, and answers are as it says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import { Bot } from '../lib/bot.mjs';
import { CREDIT, GOOD, OCR } from '../lib/demo.mjs';
import { exchange, request as fcgi } from '../lib/fcgi.mjs';
import { SOURCE, editServices, freePort, start, waitFor } from '../lib/peygir.mjs';
import { Visitor } from '../lib/visitor.mjs';

const WHERE = '/api/openapi.json';
const FILE = path.join(SOURCE, `www${WHERE}`);
const QUICK = 'quick'; // another code may be asked for soon
const SCAN = { file_id: 'scan-1', language: 'en' };
const CODE = '73519';
const NOBODY = `req_${'0'.repeat(26)}`;
const ROLES = ['site', 'bot', 'api'];
const ROLE_OF = { client: 'api', site: 'site', bot: 'bot' }; // by security scheme
const UNNAMED = [400, 405, 413, 415, 500, 502, 504]; // what stands in the document's own description, and any route may say

// --- the document ---

const document = JSON.parse(fs.readFileSync(FILE, 'utf8'));
const at = (pointer) => pointer.split('/').slice(1).reduce((value, name) => value[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
const resolved = (value) => (value?.$ref ? at(value.$ref.slice(1)) : value);

// By "GET /api/services": the operation, its method and path, and its parameters with those of the path.
const operations = new Map(
  Object.entries(document.paths).flatMap(([route, { parameters = [], ...item }]) =>
    Object.entries(item).map(([method, operation]) => [
      `${method.toUpperCase()} ${route}`,
      { ...operation, method: method.toUpperCase(), route, parameters: [...parameters, ...(operation.parameters ?? [])].map(resolved) },
    ]),
  ),
);
const names = [...operations.keys()];
const having = (status) => names.filter((name) => operations.get(name).responses[status]);
const schemes = (name) => operations.get(name).security.flatMap((one) => Object.keys(one));

// Every object with members is closed, so that a member that is not described is found.
function closed(value) {
  if (Array.isArray(value)) return value.map(closed);
  if (value === null || typeof value !== 'object') return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]));
  return copy.type === 'object' && copy.properties ? { additionalProperties: false, ...copy } : copy;
}

const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
ajv.addVocabulary([...Object.keys(document), 'example']); // OpenAPI's own words
ajv.addFormat('uri', (text) => URL.canParse(text));
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
ajv.addSchema(closed(document), 'document', false, false);
const schemaOf = (...place) => ajv.getSchema(`document#/${place.map((name) => encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`);

function assertMatches(value, schema, what) {
  assert.ok(schema(value), `${what}: ${ajv.errorsText(schema.errors)}\n${JSON.stringify(value)}`);
}

// Where something of the document stands, behind a reference if there is one.
const placeOf = (value, ...place) => (value.$ref ? value.$ref.slice(2).split('/') : place);

const seen = new Set(); // "GET /api/services 200"

function assertEvents(text, place) {
  assertMatches(text, schemaOf(...place), 'the stream');
  const events = [...text.matchAll(/^id: (\d+)\nevent: update\ndata: (.*)$/gm)].map(([, id, data]) => [Number(id), JSON.parse(data)]);
  assert.ok(events.length > 0, text);
  for (const [id, view] of events) {
    assertMatches(view, schemaOf('components', 'schemas', 'View'), 'an event');
    assert.equal(view.revision, id);
  }
}

// An answer { status, type, text, header(name) } is one of those that the document has for the operation.
function assertDescribed(name, { status, type, text, header }) {
  const { responses, method, route } = operations.get(name);
  const key = responses[status] ? status : 'default';
  const what = `${name} ${status}`;
  assert.ok(responses[status] || UNNAMED.includes(status), `${what} is not described: ${text}`);
  const place = placeOf(responses[key], 'paths', route, method.toLowerCase(), 'responses', key);
  const { content = {}, headers = {} } = resolved(responses[key]);
  for (const [title, value] of Object.entries(headers)) {
    const { required = false, schema } = resolved(value), said = header(title);
    assert.ok(said || !required, `${what} without ${title}`);
    if (said) assertMatches(schema.type === 'integer' ? Number(said) : said, schemaOf(...placeOf(value, ...place, 'headers', title), 'schema'), `${what} ${title}`);
  }
  seen.add(what);
  const base = type?.split(';')[0];
  if (Object.keys(content).length === 0) return assert.equal(text, '', what);
  if (content['*/*'] && status < 400) return undefined; // bytes of any type
  assert.ok(content[base], `${what} is of type ${type}`);
  const body = [...place, 'content', base, 'schema'];
  if (base === 'text/event-stream') return assertEvents(text, body);
  assertMatches(JSON.parse(text), schemaOf(...body), what);
  if (status >= 400) assert.equal(JSON.parse(text).status, status);
}

describe('The document', () => {
  test('is OpenAPI 3.1, and every reference in it leads somewhere', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors, null, 2));
    for (const [, pointer] of JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)) assert.ok(at(pointer), pointer);
  });

  test('has nothing among its components that nothing refers to', () => {
    const text = JSON.stringify(document);
    for (const [kind, components] of Object.entries(document.components)) {
      for (const name of Object.keys(components)) {
        const used = kind === 'securitySchemes' ? names.some((one) => schemes(one).includes(name)) : text.includes(`"#/components/${kind}/${name}"`);
        assert.ok(used, `${kind}/${name}`);
      }
    }
  });

  test('has good schemas, which its examples match', () => {
    let examples = 0;
    (function walk(value, ...place) {
      if (value === null || typeof value !== 'object') return;
      if (place.at(-1) === 'schema' || place.at(-2) === 'schemas') assert.ok(schemaOf(...place), place.join('/'));
      if (value.example !== undefined && value.type && !value.in) {
        assertMatches(value.example, schemaOf(...place), place.join('/'));
        examples++;
      }
      for (const [name, member] of Object.entries(value)) if (name !== 'example') walk(member, ...place, name);
    })(document);
    assert.ok(examples > 5);
  });

  test('names each operation once, says who may, and describes every piece of its path', () => {
    assert.equal(new Set([...operations.values()].map(({ operationId }) => operationId)).size, operations.size);
    for (const [name, { route, security, tags, parameters }] of operations) {
      assert.ok(security.length > 0 && document.tags.some((tag) => tag.name === tags[0]), name);
      const pieces = [...route.matchAll(/\{(\w+)\}/g)].map(([, piece]) => piece);
      assert.deepEqual(parameters.filter((one) => one.in === 'path').map((one) => one.name), pieces, name);
    }
  });

  test('has the routes of web and push below /api, the two of health, and no other', () => {
    const table = fs.readFileSync(path.join(SOURCE, 'src/web/route.c'), 'utf8');
    const web = [...table.matchAll(/^ *\{ METHOD_([A-Z]+), "([^"]+)"/gm)].map(([, method, pattern]) => `${method} ${pattern}`);
    const door = fs.readFileSync(path.join(SOURCE, 'src/push/door.c'), 'utf8');
    const push = [...door.matchAll(/^ *\{ "(\/api\/[^"]+)", "([^"]+)", \w+_begin \},$/gm)].map(([, from, to]) => `GET ${from}{hash}${to}`);
    assert.equal(push.length, 2);
    const wanted = web.filter((one) => /^[A-Z]+ (\/api\/|\/healthz$|\/readyz$)/.test(one));
    assert.deepEqual([...names].sort(), [...wanted, ...push].sort());
  });
});

// --- a running instance ---

let peygir, bot, visitor;
const program = {}; // by role, and `none`: a token that nobody made
const held = new Map(); // by hash: the call that the bot has not answered yet

before(async () => {
  bot = await new Bot().listen(await freePort());
  for (const slug of [CREDIT, OCR, QUICK]) {
    bot.on(slug, (call) => held.set(call.hash, call));
    for (const what of ['cancel', 'resend-otp']) bot.on(`/api/services/${slug}/${what}`, (call) => call.reply({ status: 'success' }));
  }
  bot.on('/crypto/coins/markets?order=market_cap_desc&page=1&per_page=50&vs_currency=usd', (call) => call.reply([{ id: 'bitcoin' }]));
  const credit = JSON.parse(fs.readFileSync(path.join(SOURCE, `etc/services/${CREDIT}.json`), 'utf8'));
  const services = editServices({ [QUICK]: () => ({ ...credit, slug: QUICK, code: { ...credit.code, resend_cooldown: 1 } }) });
  peygir = await start({ services, env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, CRYPTO_API_URL: `${bot.url}/crypto`, WORKER_BACKOFF: '0' } });
  for (const role of ROLES) program[role] = bearer((await peygir.cliJson('token', 'create', '--role', role, role)).token);
  program.none = bearer('pgr_nobody');
  visitor = peygir.visitor();
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
  }
});

const bearer = (token, base = peygir.base) => new Visitor(base, { headers: { authorization: `Bearer ${token}` } });

// A path of the operation with its pieces filled in.
const pathOf = (name, pieces = {}, query = '') =>
  operations.get(name).route.replace(/\{(\w+)\}/g, (all, piece) => pieces[piece] ?? { hash: NOBODY, id: 'nothing', key: 'page:nothing', source: 'crypto', method: 'list' }[piece]) + query;

async function answerOf(name, who, { query, body, headers = {}, method = operations.get(name).method, ...pieces } = {}) {
  const token = !who.headers.authorization && schemes(name).includes('csrf') ? { 'x-csrf-token': await who.token() } : {};
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  return who.fetch(pathOf(name, pieces, query), {
    method, body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body), headers: { ...token, ...json, ...headers },
  });
}

const described = (name, answer) => assertDescribed(name, { status: answer.status, type: answer.type, text: answer.html, header: (title) => answer.headers.get(title) });

// Ask and be answered as the document says, with this status.
async function ask(name, status, who, options) {
  const answer = await answerOf(name, who, options);
  assert.equal(answer.status, status, `${name}: ${answer.html}`);
  described(name, answer);
  const { requestBody, route, method } = operations.get(name);
  if (status < 300 && options?.body !== undefined && requestBody.content['application/json']) {
    assertMatches(options.body, schemaOf('paths', route, method.toLowerCase(), 'requestBody', 'content', 'application/json', 'schema'), `the body of ${name}`);
  } else if (status < 300) {
    assert.ok(!requestBody?.required, name);
  }
  return answer;
}

const REQUESTS = 'POST /api/local-requests';
const OF = (what, method = 'GET') => `${method} /api/local-requests/{hash}/${what}`;
const BOT = (what) => `POST /api/internal/local-requests/{hash}/${what}`;
const STATE = 'GET /api/internal/local-requests/{hash}', WAIT = 'GET /api/internal/local-requests/{hash}/otp';
const JOBS = 'POST /api/internal/jobs', JOB = 'GET /api/internal/jobs/{id}', CANCEL = 'POST /api/internal/jobs/{id}/cancel';
const LIMIT = 'POST /api/internal/limits/{id}', PRESENCE = 'GET /api/internal/presence';
const CACHED = 'GET /api/internal/cache/{key}', KEEP = 'PUT /api/internal/cache/{key}', FORGET = 'DELETE /api/internal/cache/{key}';
const INVALIDATE = 'POST /api/internal/cache/invalidate';
const NOTIFY = 'POST /api/internal/notifications', NOTIFICATIONS = 'GET /api/notifications', READ = 'POST /api/notifications/{id}/read', READ_ALL = 'POST /api/notifications/read';
const REMIND = 'POST /api/internal/reminders', ANSWERED = 'DELETE /api/internal/reminders/{id}';
const COMMISSION = 'GET /api/internal/commission';
const SESSIONS = 'POST /api/internal/sessions', CURRENT = 'GET /api/internal/sessions/current', REVOKE = 'POST /api/internal/sessions/revoke';

const ended = async (hash, who = visitor) => (await ask(OF('status'), 200, who, { hash })).json;

// A request whose bot has been called.
async function called(service = OCR, data = SCAN, who = visitor) {
  const { hash } = (await ask(REQUESTS, 202, who, { body: { service, data } })).json;
  return waitFor(() => held.get(hash), { what: 'the bot to be called' });
}

const report = (call, what, status, body) => ask(BOT(what), status, program.bot, { hash: call.hash, body, headers: { 'peygir-run': call.headers['peygir-run'] } });

describe('What is answered', () => {
  test('the document itself, to keep for a while', async () => {
    const answer = await visitor.get(WHERE);
    assert.equal(answer.status, 200);
    assert.equal(answer.type, 'application/json');
    assert.deepEqual(answer.json, document);
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=300');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    const posted = await visitor.fetch(WHERE, { method: 'POST', body: '{}' });
    assert.deepEqual([posted.status, posted.type, posted.json.status], [405, 'application/problem+json', 405]);
  });

  test('services, and how Peygir is', async () => {
    await ask('GET /api/services', 200, visitor);
    await ask('GET /healthz', 200, visitor);
    await ask('GET /readyz', 200, visitor);
  });

  test('data of a source: not there yet, kept, refused', async () => {
    const DATA = 'GET /api/data/{source}/{method}';
    await ask(DATA, 202, visitor);
    await waitFor(async () => (await answerOf(DATA, visitor)).status === 200, { what: 'it to be fetched' });
    await ask(DATA, 200, visitor, { query: '?lang=fa' });
    const { errors } = (await ask(DATA, 422, visitor, { query: '?vs_currency=gold&colour=blue' })).json;
    assert.deepEqual(errors.map(({ field }) => field), ['colour', 'vs_currency']);
    await ask(DATA, 404, visitor, { source: 'nothing' });
  });

  test('a request of a visitor from its beginning to its end', async () => {
    const call = await called(), { hash } = call;
    await ask(OF('result'), 409, visitor, { hash });
    await ask(STATE, 200, program.bot, { hash });
    await report(call, 'progress', 200, { progress: 30, step: 'reading', message: 'Reading.' });
    await ask(OF('status'), 200, visitor, { hash, query: '?lang=fa' });
    await report(call, 'completed', 200, { data: { text: 'read', pages: [1, 2] } });
    call.success({});
    const { revision } = await ended(hash);
    await ask(OF('events'), 200, visitor, { hash, headers: { 'last-event-id': '1' } });
    await ask(OF('events'), 204, visitor, { hash, headers: { 'last-event-id': String(revision) } });
    await ask(OF('result'), 200, visitor, { hash });
    await ask(OF('cancel', 'POST'), 409, visitor, { hash });
    await ask(OF('otp', 'POST'), 409, visitor, { hash, body: { otp: CODE } });
    await ask(OF('resend-otp', 'POST'), 409, visitor, { hash });
    for (const [what, body] of [['progress', { progress: 1 }], ['otp-required', {}], ['failed', {}]]) await report(call, what, 409, body);
    await report(call, 'completed', 200, {});
    await ask(WAIT, 409, program.bot, { hash });
  });

  test('a request of an API client that fails, and one that is made twice with one key', async () => {
    const call = await called(OCR, SCAN, program.api), { hash } = call;
    await report(call, 'failed', 200, { code: 'unreadable', message: 'Too dark.', retryable: true, data: {} });
    await report(call, 'completed', 409, { data: {} });
    call.error('unreadable');
    assert.ok((await ask(OF('result'), 200, program.api, { hash })).json.error.retryable);
    await ask(OF('events'), 200, program.api, { hash });
    const twice = { body: { service: OCR, data: SCAN }, headers: { 'idempotency-key': 'order-1' } };
    const made = await ask(REQUESTS, 202, program.api, twice);
    assert.equal((await ask(REQUESTS, 202, program.api, twice)).json.hash, made.json.hash);
    await ask(REQUESTS, 422, program.api, { ...twice, body: { service: OCR, data: { ...SCAN, file_id: 'other' } } });
    await ask(REQUESTS, 400, program.api, { ...twice, headers: { 'idempotency-key': 'x'.repeat(129) } });
    assert.ok((await ask(OF('cancel', 'POST'), 200, program.api, { hash: made.json.hash })).json.is_cancelled);
  });

  test('a code: wanted, not well-formed, sent again, entered, judged, given up', async () => {
    const call = await called(QUICK, GOOD), { hash } = call;
    await ask(WAIT, 204, program.bot, { hash, query: '?wait=0' });
    await report(call, 'otp-required', 200, { hash: { session: 7 }, expiry: 90, length: 5, message: 'A code was sent.' });
    assert.equal((await ended(hash)).otp.length, 5);
    await ask(OF('otp', 'POST'), 422, visitor, { hash, body: { otp: '1' } });
    await waitFor(async () => (await visitor.view(hash)).otp.resend_in === 0, { what: 'another code to be had' });
    await ask(OF('resend-otp', 'POST'), 202, visitor, { hash });
    assert.deepEqual((await ask(WAIT, 200, program.bot, { hash })).json, { resend: true });
    await report(call, 'otp-required', 200, {});
    await ask(OF('otp', 'POST'), 202, visitor, { hash, body: { otp: CODE } });
    assert.deepEqual((await ask(WAIT, 200, program.bot, { hash })).json, { otp: CODE });
    await report(call, 'otp-required', 200, { reason: 'wrong' });
    const poll = ask(WAIT, 200, program.bot, { hash });
    await ask(OF('cancel', 'POST'), 200, visitor, { hash });
    assert.deepEqual((await poll).json, { cancelled: true });
    await ask(OF('events'), 200, visitor, { hash, headers: { 'last-event-id': '1' } });
  });

  test('a code that is over, and another one asked for too soon', async () => {
    const call = await called(CREDIT, GOOD), { hash } = call;
    await report(call, 'otp-required', 200, { expiry: 1 });
    await ask(OF('resend-otp', 'POST'), 429, visitor, { hash });
    await waitFor(async () => (await visitor.view(hash)).otp.expires_in === 0, { what: 'the code to be over' });
    await ask(OF('otp', 'POST'), 410, visitor, { hash, body: { otp: CODE } });
    await ask(OF('cancel', 'POST'), 200, visitor, { hash });
  });

  test('jobs', async () => {
    const job = { type: 'default', queue: 'aside', payload: { a: 1 }, unique_key: 'k', unique_for: 60, id: 'job-1', priority: 7, delay: 0.5, tries: 2,
      timeout: 9, backoff: [1, 2], user_id: 42, parent: 'job-0' };
    await ask(JOBS, 201, program.site, { body: job });
    await ask(JOBS, 200, program.site, { body: job });
    await ask(JOBS, 201, program.bot, { body: { jobs: [job, { type: 'default', queue: 'aside', backoff: 5 }] } });
    await ask(JOBS, 422, program.site, { body: { jobs: [{ type: 'default' }, { type: 'nothing', colour: 'blue' }] } });
    await ask(JOB, 200, program.site, { id: 'job-1', query: '?queue=aside' });
    await ask(CANCEL, 200, program.site, { id: 'job-1', query: '?queue=aside' });
    await ask(CANCEL, 409, program.site, { id: 'job-1', query: '?queue=aside' });
    const { hash } = await called();
    assert.equal((await ask(JOB, 200, program.bot, { id: hash })).json.request_hash, hash);
    await ask(CANCEL, 200, program.bot, { id: hash });
  });

  test('limits, users and sessions', async () => {
    for (const allowed of [true, false]) {
      const body = { who: 'sara', count: 1, period: 3600, burst: 1 };
      assert.equal((await ask(LIMIT, 200, program.site, { id: 'mails', body })).json.allowed, allowed);
    }
    await ask(LIMIT, 200, program.site, { id: 'read', body: { who: 'sara' } });
    const signIn = { user_id: 42, role: 'member', email: 'sara@example.org', metadata: { plan: [1] }, next: '/requests' };
    const made = (await ask(SESSIONS, 201, program.site, { body: signIn })).json;
    await ask(SESSIONS, 201, program.site, { body: { user_id: '43' } });
    const session = { headers: { 'peygir-session': made.token } };
    assert.deepEqual((await ask(CURRENT, 200, program.site, session)).json.metadata, { plan: [1] });
    await peygir.visitor().open(made.enter_url);
    assert.ok((await ask(PRESENCE, 200, program.site, { query: '?users=42,nobody' })).json.users[42].online);
    for (const report of ['health', 'stats']) await ask(`GET /api/internal/${report}`, 200, program.site);
    await ask(REVOKE, 200, program.site, { body: { token: made.token } });
    await ask(REVOKE, 200, program.site, { body: { user_id: '43' } });
    await ask(CURRENT, 404, program.site, session);
    await ask(LIMIT, 404, program.site, { id: 'NO', body: { who: 'sara' } });
    await ask(PRESENCE, 422, program.site);
    for (const query of ['?amount=199.90', '?amount=7&decimals=2']) await ask(COMMISSION, 200, program.site, { query });
    await ask(COMMISSION, 422, program.site);
    await ask(WAIT, 422, program.bot, { query: '?wait=99' });
  });

  test('notifications of a user, and reminders', async () => {
    const { id } = (await ask(NOTIFY, 202, program.site, { body: { event: 'message', user_id: 42, data: { text: 'x' }, email: 'a@example.org', locale: 'fa', id: 'n-1' } })).json;
    await ask(NOTIFY, 202, program.site, { body: { event: 'message', users: [42, 'other'] } });
    await ask(NOTIFY, 422, program.site, { body: { event: 'nothing', vendor_id: 1 } });
    const user = peygir.visitor();
    await user.open((await ask(SESSIONS, 201, program.site, { body: { user_id: 42 } })).json.enter_url);
    await waitFor(async () => (await ask(NOTIFICATIONS, 200, user)).json.unread === 2, { what: 'both to be kept' });
    assert.ok((await ask(NOTIFICATIONS, 200, user, { query: '?limit=1' })).json.next);
    await ask(NOTIFICATIONS, 422, user, { query: '?limit=0' });
    assert.equal((await ask(READ, 200, user, { id })).json.unread, 1);
    await ask(READ, 404, user, { id: 'nothing' });
    await ask(READ_ALL, 200, user);
    const body = { message_id: 'm-1', vendor_id: 42, client_id: 'c', email: 'a@example.org', locale: 'fa', data: { client: 'Reza' }, alternatives: ['A', 2] };
    await ask(REMIND, 202, program.site, { body });
    await ask(REMIND, 202, program.site, { body });
    await ask(ANSWERED, 200, program.site, { id: 'm-1' });
    await ask(REMIND, 409, program.site, { body });
    await ask(ANSWERED, 404, program.site, { id: 'm-2' });
  });
});

describe('What is kept', () => {
  test('values in the cache', async () => {
    await ask(KEEP, 200, program.site, { key: 'page:1', query: '?ttl=60&stale=60&tags=menu', body: '<p>One</p>', headers: { 'content-type': 'text/html' } });
    const answer = await ask(CACHED, 200, program.site, { key: 'page:1' });
    assert.deepEqual([answer.type, answer.html], ['text/html', '<p>One</p>']);
    await ask(INVALIDATE, 200, program.site, { body: { tags: ['menu'] } });
    await ask(CACHED, 404, program.site, { key: 'page:1' });
    await ask(FORGET, 200, program.site, { key: 'page:1' });
    for (const name of [CACHED, KEEP, FORGET]) await ask(name, 422, program.site, { key: 'tag:menu' });
    await ask(KEEP, 413, program.site, { body: 'x'.repeat(1024 * 1024 + 1) });
  });
});

describe('What is refused', () => {
  // Whoever may, with everything but what the test is about.
  const entitled = (name) => {
    const role = schemes(name).map((scheme) => ROLE_OF[scheme]).find(Boolean);
    return role ? program[role] : visitor;
  };

  test('a token that nobody made, and none where there must be one', async () => {
    for (const name of having(401)) {
      await ask(name, 401, program.none);
      if (!schemes(name).includes('session')) await ask(name, 401, visitor);
    }
  });

  test('a token of each role that is not named, and a visitor without the token of a page', async () => {
    for (const name of having(403)) {
      const may = schemes(name).map((scheme) => ROLE_OF[scheme]);
      for (const role of ROLES.filter((one) => !may.includes(one))) await ask(name, 403, program[role]);
      if (schemes(name).includes('csrf')) {
        // Whose request it is comes first, where there is one.
        const { hash } = name === REQUESTS ? {} : await called();
        await ask(name, 403, visitor, { hash, body: {}, headers: { 'x-csrf-token': 'of nobody' } });
      }
    }
  });

  test('what is not there', async () => {
    const hashes = having(404).filter((name) => /\{hash\}|jobs\/\{id\}/.test(name));
    for (const name of hashes) await ask(name, 404, entitled(name), name.startsWith('POST') && operations.get(name).requestBody ? { body: {} } : {});
    for (const name of hashes.filter((one) => schemes(one).includes('session'))) await ask(name, 404, peygir.visitor());
  });

  test('internal routes from elsewhere', async () => {
    for (const name of names.filter((one) => one.includes(' /api/internal/') && one !== WAIT)) {
      const { status, headers, body } = await exchange(peygir.file('web.sock'), fcgi(operations.get(name).method, pathOf(name), { REMOTE_ADDR: '203.0.113.9' }));
      assert.equal(status, 404, name);
      assertDescribed(name, { status, type: headers['content-type'], text: body, header: (title) => headers[title.toLowerCase()] });
    }
  });

  test('bodies that are too large, no JSON, of another type, or no object', async () => {
    for (const name of names.filter((one) => operations.get(one).requestBody?.content['application/json'])) {
      const own = name === OF('otp', 'POST') ? (await called()).hash : undefined, who = own ? visitor : entitled(name);
      await ask(name, 413, who, { hash: own, body: 'x'.repeat(70_000) });
      await ask(name, 400, who, { hash: own, body: '{' });
      await ask(name, 415, who, { hash: own, body: 'x=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
      const { errors } = (await ask(name, 422, who, { hash: own, body: name === BOT('progress') ? { colour: 'blue' } : [] })).json;
      assert.equal(Boolean(errors), name === BOT('progress'));
    }
    const { errors } = (await ask(REQUESTS, 422, visitor, { body: { service: CREDIT, data: {} } })).json;
    assert.deepEqual(errors.map(({ field }) => field), ['mobile', 'national_code']);
  });

  test('another method', async () => {
    for (const name of names.filter((one) => one.includes(' /api/'))) await ask(name, 405, entitled(name), { method: 'PATCH' });
  });

  test('a service that is closed', async () => {
    assert.equal((await peygir.cli('service', 'close', OCR, '--message', 'Later.')).code, 0);
    await waitFor(async () => (await visitor.json('/api/services')).services.find(({ slug }) => slug === OCR).closed, { what: 'the service to be closed' });
    await ask('GET /api/services', 200, visitor);
    await ask(REQUESTS, 503, program.api, { body: { service: OCR, data: SCAN } });
    assert.equal((await peygir.cli('service', 'open', OCR)).code, 0);
  });

  test('too much, by each limit', async () => {
    const few = await start({ env: { PEYGIR_LIMIT_FACTOR: '0.01', CRYPTO_API_URL: `${bot.url}/crypto` } });
    try {
      const client = bearer((await few.cliJson('token', 'create', '--role', 'api', 'client')).token, few.base);
      for (const name of having(429)) {
        const answer = await waitFor(async () => {
          const one = await answerOf(name, client);
          return one.status === 429 && one.headers.get('ratelimit') && one;
        }, { what: `${name} to be too much` });
        assert.ok(answer.headers.get('ratelimit-policy') && answer.headers.get('retry-after'), name);
        described(name, answer);
      }
    } finally {
      await few.stop();
    }
  });

  test('everything that needs Redis while it is away', async () => {
    const pid = peygir.kill('redis', 'SIGSTOP');
    try {
      for (const name of having(503).filter((one) => one !== 'GET /api/services')) await ask(name, 503, entitled(name), { query: name === PRESENCE ? '?users=1' : undefined });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await peygir.ready();
  });

  test('and that is all that the document has, but for what takes other circumstances', () => {
    // A key that was lost (sealed.test.mjs), and more waiting than is served (hostile.test.mjs).
    const elsewhere = [`${OF('result')} 410`, 'GET /api/services 503'];
    const all = [...operations].flatMap(([name, { responses }]) => Object.keys(responses).filter((status) => status !== 'default').map((status) => `${name} ${status}`));
    assert.deepEqual(all.filter((one) => !seen.has(one) && !elsewhere.includes(one)), []);
  });
});
