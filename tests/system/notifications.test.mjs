// notifications.test.mjs: the host site notifies users; they find it kept, hear it on their sockets, and read it on a page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bot } from '../lib/bot.mjs';
import { OCR } from '../lib/demo.mjs';
import { copyOfTree, freePort, isAlive, start, tempDir, waitFor } from '../lib/peygir.mjs';
import { bearers, signedIn } from '../lib/programs.mjs';
import { connect } from '../lib/sockets.mjs';
import { Visitor } from '../lib/visitor.mjs';

const SITE = '/api/internal/notifications', OWN = '/api/notifications', PAGE = '/notifications', MAIN = 'https://site.example';
const SCAN = { file_id: 'scan-1', language: 'en' };
const MOST = 100, BATCH = 500;

let peygir, bot, bearer, dir;

before(async () => {
  bot = await new Bot().listen(await freePort());
  bot.on(OCR, (call) => call.success({ text: 'read' }));
  dir = tempDir();
  const tree = copyOfTree(dir, (services) => {
    const etc = path.join(services, '..');
    // Mails are pushed where there is a type for them; here they wait for somebody to look.
    fs.writeFileSync(path.join(etc, 'jobs/mail.json'), JSON.stringify({ handler: 'none', queue: 'mail' }));
    fs.writeFileSync(path.join(etc, 'notifications/parcel.json'), JSON.stringify({
      title: { en: 'Parcel {number}', fa: 'بستهٔ {number}' },
      text: { en: '{who}: {things} {missing}<{html}>', fa: '{who}: {things}' }, mail: 'reminder',
    }));
  });
  peygir = await start({ tree, env: { PEYGIR_DEMO: 'off', LOCAL_API_URL: bot.url, PEYGIR_SITE_URL: `${MAIN}/` } });
  bearer = await bearers(peygir);
});
after(async () => {
  try {
    await peygir?.stop();
  } finally {
    await bot?.close();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

const site = (headers = bearer.site) => new Visitor(peygir.base, { headers });
const send = (body, headers) => site(headers).fetch(SITE, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

async function notify(body) {
  const answer = await send(body);
  assert.equal(answer.status, 202, answer.html);
  return answer.json;
}

// What the user has, as soon as it is so many.
const inbox = (person, count, query = '') => waitFor(async () => {
  const { status, json, html } = await person.get(OWN + query);
  assert.equal(status, 200, html);
  return json.notifications.length === count && json;
}, { what: `${count} notifications`, now: async () => (await person.get(OWN + query)).json });

const act = async (person, action) => person.fetch(OWN + action, { method: 'POST', headers: { 'x-csrf-token': await person.token() } });
const field = (queue, id, name) => peygir.redis.hget(`peygir:${queue}:data:${id}`, name);
const ended = (id, queue = 'notification') => waitFor(async () => ['completed', 'failed', 'cancelled'].includes(await field(queue, id, 'status')) && field(queue, id, 'status'),
  { timeout: 20_000, what: `the job ${id} to end`, now: () => peygir.redis.hgetall(`peygir:${queue}:data:${id}`) });

function assertProblem(answer, status) {
  assert.equal(answer.status, status, answer.html);
  assert.equal(answer.type, 'application/problem+json');
  return answer.json;
}

describe('A user who is notified', () => {
  test('finds it kept, in the language that is asked for, with gaps where something is missing', async () => {
    const person = await signedIn(peygir, bearer, 'sara');
    const { id } = await notify({ event: 'parcel', user_id: 'sara', data: { number: 12345, who: 'Reza', things: ['tea', 7], html: '<b>"&' } });
    const { notifications: [one], unread, next } = await inbox(person, 1);
    assert.deepEqual({ ...one, created_at: null }, { id, event: 'parcel', title: 'Parcel 12,345', text: 'Reza: tea, 7 <<b>"&>',
      data: { number: 12345, who: 'Reza', things: ['tea', 7], html: '<b>"&' }, created_at: null, read: false });
    assert.match(one.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual([unread, next], [1, null]);
    const { notifications: [persian] } = (await person.get(`${OWN}?lang=fa`)).json;
    assert.deepEqual([persian.title, persian.text], ['بستهٔ ۱۲٬۳۴۵', 'Reza: tea، ۷']);
  });

  test('hears it on every socket, and others do not', async () => {
    const person = await signedIn(peygir, bearer, 'hearer'), other = await signedIn(peygir, bearer, 'other');
    const lines = [];
    for (const who of [person, person, other]) lines.push(await (await connect(who)).subscribe('notifications'));
    const { id } = await notify({ event: 'message', user_id: 'hearer', data: { title: 'News', text: 'It is here.' } });
    for (const line of lines.slice(0, 2)) {
      const { data } = await line.until((heard) => heard.data?.type === 'notification');
      const { timestamp, ...rest } = data;
      assert.deepEqual(rest, { type: 'notification', task_id: id, id, user_id: 'hearer', event: 'message', title: 'News', message: 'It is here.',
        texts: { en: { title: 'News', text: 'It is here.' }, fa: { title: 'News', text: 'It is here.' } }, data: { title: 'News', text: 'It is here.' }, unread: 1 });
      assert.ok(Number.isSafeInteger(timestamp));
    }
    assert.deepEqual((await lines[2].settled()).filter(({ topic }) => topic), []);
    lines.forEach((line) => line.close());
  });

  test('reads one, or all; what is read stays', async () => {
    const person = await signedIn(peygir, bearer, 'reader'), other = await signedIn(peygir, bearer, 'stranger');
    for (const text of ['one', 'two', 'three']) await notify({ event: 'message', user_id: 'reader', data: { text } });
    const { notifications } = await inbox(person, 3);
    const { id } = notifications.find(({ text }) => text === 'two');
    assertProblem(await act(other, `/${id}/read`), 404);
    assert.deepEqual((await act(person, `/${id}/read`)).json, { unread: 2 });
    assert.deepEqual((await act(person, `/${id}/read`)).json, { unread: 2 });
    const now = (await person.get(OWN)).json;
    assert.equal(now.unread, 2);
    assert.deepEqual(now.notifications.map(({ read, text }) => [text, read]).sort(), [['one', false], ['three', false], ['two', true]]);
    assert.deepEqual((await act(person, '/read')).json, { unread: 0 });
    assert.ok((await person.get(OWN)).json.notifications.every(({ read }) => read));
    assertProblem(await act(person, '/nothing/read'), 404);
  });

  test('has pages of them, newest first, and the newest 100 only', async () => {
    const person = await signedIn(peygir, bearer, 'many');
    const { notifications: sent } = await notify({ event: 'message', users: Array(MOST + 5).fill('many'), data: { text: 'x' } });
    for (const { id } of sent) await ended(id);
    const all = await inbox(person, MOST, `?limit=${MOST}`);
    assert.equal(all.unread, MOST);
    const seen = [];
    for (let after = ''; after !== null;) {
      const { notifications, next } = (await person.get(`${OWN}?limit=30${after && `&after=${after}`}`)).json;
      seen.push(...notifications);
      after = next;
    }
    assert.deepEqual(seen.map(({ id }) => id), all.notifications.map(({ id }) => id));
    const times = seen.map(({ created_at }) => created_at);
    assert.deepEqual(times, [...times].sort().reverse());
    assert.deepEqual((await person.get(`${OWN}?after=gone`)).json, { unread: MOST, notifications: [], next: null });
    for (const limit of ['0', '101', 'x', '-1']) assertProblem(await person.get(`${OWN}?limit=${limit}`), 422);
  });

  test('is told nothing twice when the same is sent again under an id of its own', async () => {
    const person = await signedIn(peygir, bearer, 'twice');
    const body = { event: 'message', user_id: 'twice', data: { text: 'once' }, id: 'order-7' };
    const first = await notify(body);
    assert.match(first.id, /^order-7\.[0-9a-f]{16}$/);
    await inbox(person, 1);
    assert.deepEqual(await notify(body), { ...first, existing: true });
    const { id } = await notify({ event: 'message', user_id: 'twice', data: { text: 'last' } });
    assert.deepEqual((await inbox(person, 2)).notifications.map((one) => one.id), [id, first.id]);
  });

  test('gets what others are told under the same id', async () => {
    const send = (users) => notify({ event: 'message', users, data: { text: 'all' }, id: 'order-8' });
    const one = await notify({ event: 'message', user_id: 'same-1', data: { text: 'all' }, id: 'order-8' });
    const { notifications } = await send(['same-2', 'same-1', 'same-3']);
    assert.deepEqual(notifications[1], one);
    assert.equal(new Set(notifications.map(({ id }) => id)).size, 3);
    const again = await send(['same-3', 'same-2', 'same-1']);
    assert.deepEqual(again.notifications.map(({ user_id }) => user_id), ['same-3', 'same-2', 'same-1']);
    for (const { id, user_id } of again.notifications) {
      assert.equal(await ended(id), 'completed');
      assert.deepEqual((await (await signedIn(peygir, bearer, user_id)).get(OWN)).json.notifications.map((kept) => kept.id), [id]);
    }
  });

  test('gets a mail where the event says so and the host site gave an address', async () => {
    const with_mail = await notify({ event: 'parcel', user_id: 'mailed', email: 'sara@example.org', locale: 'fa', data: { number: 5, who: 'R', link: '/x' } });
    await ended(`${with_mail.id}.mail`, 'mail');
    const silent = await notify({ event: 'message', user_id: 'mailed', email: 'sara@example.org', data: { text: 'x' } });
    const without = await notify({ event: 'parcel', user_id: 'mailed', data: {} });
    for (const { id } of [silent, without]) {
      await ended(id);
      assert.equal(await peygir.redis.exists(`peygir:mail:data:${id}.mail`), 0);
    }
    assert.doesNotMatch(peygir.logs(), /sara@example/);
    // The payload goes with the job's end, so it is looked at in one that waits.
    assert.equal((await peygir.cli('queue', 'pause', 'mail')).code, 0);
    for (const [link, mailed] of [['/x', { link: `${MAIN}/x` }], ['https://a.example/', { link: 'https://a.example/' }], ['//a.example', {}], ['javascript:x', {}], [7, {}]]) {
      const { id } = await notify({ event: 'parcel', vendor_id: 77, email: 'v@example.org', locale: 'fa', data: { number: 5, who: 'R', link } });
      const payload = await waitFor(() => field('mail', `${id}.mail`, 'payload'));
      assert.deepEqual(JSON.parse(payload), { to: 'v@example.org', template: 'reminder', locale: 'fa', data: { number: 5, who: 'R', ...mailed, title: 'بستهٔ ۵', about: 'R: ' } });
    }
    assert.equal((await peygir.cli('queue', 'resume', 'mail')).code, 0);
    const { notifications: kept } = await inbox(await signedIn(peygir, bearer, '77'), 5);
    assert.deepEqual(kept.map(({ data }) => data.email), Array(5).fill(undefined));
    assert.ok(kept.some(({ data }) => data.link === '/x'), 'on the page it is a path');
  });

  test('sees them on a page without JavaScript, right to left too, and marks them there', async () => {
    const person = await signedIn(peygir, bearer, 'pages');
    assert.match((await person.get(PAGE)).text, /There is nothing here yet/);
    await notify({ event: 'message', user_id: 'pages', data: { title: '<i>T', text: 'first', link: '/requests' } });
    await inbox(person, 1);
    await notify({ event: 'message', user_id: 'pages', data: { title: 'U', text: 'second', link: 'javascript:alert(1)' } });
    await inbox(person, 2);
    let page = await person.get(PAGE);
    assert.equal(page.status, 200);
    assert.match(page.text, /2 unread.*U.*second.*<i>T.*first/);
    assert.ok(!page.html.includes('<i>T'));
    assert.ok(page.links.includes('/requests'));
    assert.ok(page.links.every((link) => !link.startsWith('javascript')));
    assert.match(page.html, /<a href="\/notifications" aria-current="page">/);
    const one = page.forms.find(({ fields }) => fields.id);
    assert.equal((await person.send(one)).location, PAGE);
    page = await person.get(`${PAGE}?lang=fa`);
    assert.match(page.html, /<html lang="fa" dir="rtl">/);
    assert.match(page.text, /۱ خوانده‌نشده/);
    assert.equal((await person.send(page.forms.find(({ fields, action }) => action === `${PAGE}/read` && !fields.id))).status, 303);
    assert.equal((await inbox(person, 2)).unread, 0);
    assert.doesNotMatch((await person.get(`${PAGE}?lang=en`)).html, /<form[^>]*notifications/);
  });
});

describe('Whoever is no user', () => {
  test('has no notifications: a visitor, and programs', async () => {
    const visitor = peygir.visitor();
    await visitor.request(OCR, SCAN);
    assertProblem(await visitor.get(OWN), 403);
    assertProblem(await act(visitor, '/read'), 403);
    assert.equal((await visitor.get(PAGE)).status, 403);
    assert.equal((await visitor.get('/')).links.includes(PAGE), false);
    for (const role of ['site', 'bot', 'api']) assertProblem(await site(bearer[role]).get(OWN), 403);
  });

  test('cannot mark them for a user: the token of a page is needed', async () => {
    const person = await signedIn(peygir, bearer, 'target');
    assertProblem(await person.fetch(`${OWN}/read`, { method: 'POST' }), 403);
    assertProblem(await person.fetch(`${OWN}/read`, { method: 'POST', headers: { 'x-csrf-token': await peygir.visitor().token() } }), 403);
  });
});

describe('A host site', () => {
  test('is told which member is wrong, without its value', async () => {
    const event = 'message', user_id = 'u';
    for (const [body, ...fields] of [
      [{}, 'event'], [{ event }, 'user_id'], [{ event: 'nothing', user_id }, 'event'], [{ event: 7, user_id }, 'event'], [{ event, user_id: '' }, 'user_id'],
      [{ event, user_id: 'x'.repeat(129) }, 'user_id'], [{ event, user_id, vendor_id: 'v' }, 'vendor_id'], [{ event, user_id, users: ['v'] }, 'users'],
      [{ event, users: [] }, 'users'], [{ event, users: ['a', {}] }, 'users'], [{ event, users: Array(BATCH + 1).fill('u') }, 'users'], [{ event, user_id, data: [] }, 'data'],
      [{ event, user_id, data: { x: 'y'.repeat(4096) } }, 'data'], [{ event, user_id, email: 'secret' }, 'email'], [{ event, users: ['a'], email: 'a@b.c' }, 'email'],
      [{ event, user_id, locale: 'xx' }, 'locale'], [{ event, user_id, id: 'a b' }, 'id'], [{ event, user_id, id: 'req_1' }, 'id'], [{ event, user_id, colour: 1 }, 'colour'],
    ]) {
      const { errors } = assertProblem(await send(body), 422);
      assert.deepEqual(errors.map((one) => one.field), fields, JSON.stringify(body).slice(0, 100));
      assert.doesNotMatch(JSON.stringify(errors), /secret/);
    }
    assert.match(assertProblem(await send({ event: 'nothing', user_id }), 422).errors[0].detail, /Known are: .*message.*vendor_cart_add/);
    assertProblem(await send([]), 422);
  });

  test('needs a token of role site', async () => {
    for (const role of ['bot', 'api']) assertProblem(await send({}, bearer[role]), 403);
    assertProblem(await send({}, {}), 401);
  });

  test('pushes jobs of types that are events, for vendors and clients', async () => {
    for (const [type, to, words] of [['vendor_cart_add', 'vendor', /Reza has put Tea into the cart/], ['vendor_wishlist_add', 'vendor', /Reza has put Tea on the wish list/],
      ['response_reminder', 'vendor', /Reza has waited 8 hours/], ['alternative_vendor_recommendation', 'client', /Sara has not answered.*: A, B$/]]) {
      const ids = { vendor_id: `${type}-v`, client_id: `${type}-c` };
      const payload = { ...ids, client: 'Reza', service: 'Tea', vendor: 'Sara', hours: 8, alternatives: ['A', 'B'], email: 'x@example.org' };
      const pushed = await site().fetch('/api/internal/jobs', { method: 'POST', body: JSON.stringify({ type, payload }), headers: { 'content-type': 'application/json' } });
      assert.equal(pushed.status, 201, pushed.html);
      const { notifications: [one] } = await inbox(await signedIn(peygir, bearer, ids[`${to}_id`]), 1);
      assert.equal(one.event, type);
      assert.match(one.text.trim(), words);
      const { email, ...told } = payload;
      assert.deepEqual(one.data, told);
      assert.equal((await inbox(await signedIn(peygir, bearer, ids[to === 'vendor' ? 'client_id' : 'vendor_id']), 0)).unread, 0);
    }
  });

  test('finds a job failed, at once and with the reason, whose payload names nobody', async () => {
    const { id } = await peygir.cliJson('queue', 'push', 'vendor_cart_add', '--payload', '{"client_id": "c"}');
    assert.equal(await ended(id), 'failed');
    assert.match(await field('notification', id, 'error'), /must name a user: user_id or vendor_id/);
  });
});

describe('On a bad day', () => {
  test('a full Redis refuses new ones with 503, and what was accepted is kept when there is room', async () => {
    const person = await signedIn(peygir, bearer, 'full');
    assert.equal((await peygir.cli('queue', 'pause', 'notification')).code, 0);
    const { id } = await notify({ event: 'message', user_id: 'full', data: { text: 'accepted' } });
    await peygir.redis.config('SET', 'maxmemory', '1');
    try {
      assert.ok(Number(assertHeader(await send({ event: 'message', user_id: 'full' }))) > 0);
      assert.equal((await peygir.cli('queue', 'resume', 'notification')).code, 0);
      await waitFor(async () => Number(await field('notification', id, 'attempts')) > 0, { what: 'an attempt to fail' });
      assert.deepEqual((await person.get(OWN)).json.notifications, []);
    } finally {
      await peygir.redis.config('SET', 'maxmemory', '0');
    }
    await peygir.redis.zadd('peygir:notification:delayed', 'XX', 0, id); // its wait is over
    assert.equal((await inbox(person, 1)).notifications[0].text, 'accepted');
  });

  test('a worker that is killed loses none, and none is told twice', async () => {
    const person = await signedIn(peygir, bearer, 'killed');
    const line = await (await connect(person)).subscribe('notifications');
    const { notifications } = await notify({ event: 'message', users: Array(MOST).fill('killed'), data: { text: 'x' } });
    await waitFor(async () => (await person.get(OWN)).json.unread > 0, { what: 'the first to be kept' });
    const old = peygir.kill('worker');
    await waitFor(() => !isAlive(old), { what: 'the worker to be dead' });
    // What it ran is given back as soon as its leases are over.
    await waitFor(async () => {
      for (const id of await peygir.redis.zrange('peygir:notification:active', 0, -1)) await peygir.redis.zadd('peygir:notification:active', 'XX', 1, id);
      return (await person.get(OWN)).json.unread === MOST;
    }, { timeout: 30_000, what: 'all to be kept' });
    for (const { id } of notifications) await ended(id);
    await line.settled();
    // A slow reader is spared some; those it hears it hears once.
    const heard = line.heard.filter(({ data }) => data?.type === 'notification').map(({ data }) => data.id);
    assert.equal(new Set(heard).size, heard.length);
    assert.ok(heard.length > 0 && heard.every((id) => notifications.some((one) => one.id === id)));
    assert.deepEqual((await person.get(`${OWN}?limit=${MOST}`)).json.notifications.map(({ id }) => id).sort(), notifications.map(({ id }) => id).sort());
    line.close();
  });

  test('ten thousand of them do not delay a visitor', async () => {
    const worker = peygir.pid('worker');
    process.kill(worker, 'SIGSTOP');
    const waiting = Number((await peygir.redis.time())[0]) * 1000;
    let hash;
    try {
      for (let i = 0; i < 10_000; i += BATCH) await notify({ event: 'message', users: Array.from({ length: BATCH }, (_, n) => `crowd-${i + n}`), data: { text: 'x' } });
      const visitor = peygir.visitor();
      hash = (await visitor.fetch('/api/local-requests', { method: 'POST', body: JSON.stringify({ service: OCR, data: SCAN }), headers: { 'content-type': 'application/json', 'x-csrf-token': await visitor.token() } })).json.hash;
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    await peygir.status(hash, 'completed');
    const began = Number(await peygir.redis.hget(`peygir:task:data:${hash}`, 'started_at'));
    assert.equal((await peygir.cli('queue', 'pause', 'notification')).code, 0);
    const jobs = await peygir.redis.keys('peygir:*:data:*'); // whatever their queue
    const started = await Promise.all(jobs.map((key) => peygir.redis.hmget(key, 'type', 'started_at')));
    const before = started.filter(([type, at]) => type === 'notification' && at && Number(at) < began && Number(at) > waiting).length;
    assert.ok(jobs.length > 10_000);
    assert.ok(before < 1000, `${before} of them had begun before the visitor's job`);
    assert.equal((await peygir.cli('queue', 'clear', 'notification')).code, 0);
    assert.equal((await peygir.cli('queue', 'resume', 'notification')).code, 0);
  });
});

function assertHeader(answer) {
  assertProblem(answer, 503);
  return answer.headers.get('retry-after');
}
