// churn.test.mjs: connections of peygir-push in their hundreds: they come and go and leave nothing behind, one that never reads costs no more than it may,
// nginx counts them, and push itself may end while they are open.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, GOOD, enter, misdeed, untilCode } from '../lib/demo.mjs';
import { eventsPath, open } from '../lib/events.mjs';
import { connectionsOf, descriptorsOf, hasSanitizer, memoryOf } from '../lib/looks.mjs';
import { BUILD, LONG, isAlive, start, waitFor } from '../lib/peygir.mjs';
import { bearers, signedIn } from '../lib/programs.mjs';
import { connect } from '../lib/sockets.mjs';
import { Visitor } from '../lib/visitor.mjs';

const LONG_MS = 300_000;
const GROWTH_KIB = 512;

const times = (count, make) => Promise.all(Array.from({ length: count }, (_, i) => make(i)));
const span = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const topicOf = (hash) => `request:${hash}`;
const otpPath = (hash, wait) => `/api/internal/local-requests/${hash}/otp?wait=${wait}`;
const cookieOf = (visitor) => [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');

const cannotTell = () => hasSanitizer(path.join(BUILD, 'peygir-push'));

// A bot that waits: `answered` is a promise of the answer's status, or of null when the connection was cut.
function poll(peygir, bearer, hash, { wait = 60, direct } = {}) {
  const where = direct ? { socketPath: peygir.file('push.sock') } : { host: '127.0.0.1', port: peygir.port };
  const headers = { ...bearer.bot, ...(direct && { 'x-forwarded-for': '127.0.0.1' }) };
  const request = http.request({ ...where, path: otpPath(hash, wait), headers, agent: false });
  const answered = new Promise((resolve) => {
    request.on('error', () => resolve(null));
    request.on('response', (response) => response.resume().on('close', () => resolve(response.statusCode)));
  });
  request.end();
  return { answered, close: () => request.destroy() };
}

// A connection of its own making, straight to push: `bytes`, and when something was answered, `then`.
function raw(peygir, bytes, then) {
  const socket = net.connect({ path: peygir.file('push.sock'), allowHalfOpen: true });
  const gone = new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
  const heard = new Promise((resolve) => socket.once('data', resolve));
  socket.on('end', () => socket.end());
  socket.write(bytes);
  if (then) heard.then(() => socket.write(then));
  return { socket, heard, gone };
}

const upgrade = 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
const HALF_A_FRAME = Buffer.from([0x81, 0x90, 1, 2, 3, 4, 5]);

// A bot that knows nothing of Peygir but the keys.
async function report(peygir, hash, text) {
  const key = `local_request:${hash}`;
  const document = JSON.stringify({ ...JSON.parse(await peygir.redis.get(key)), current_message: text });
  await peygir.redis.setex(key, 1800, document);
  await peygir.redis.publish(`local_request_updates:${hash}`, document);
}

const connections = (peygir) => connectionsOf(peygir.file('push.sock'));
const channels = async (peygir) => (await peygir.redis.pubsub('CHANNELS')).sort();

// Those that are no connections to Redis: each thread has one as soon as it needs it, and keeps it.
async function ownDescriptors(peygir) {
  const clients = await peygir.redis.client('LIST');
  return descriptorsOf(peygir.pid('push')) - clients.split('\n').filter((line) => / user=peygir-push /.test(line)).length;
}

describe('connections that come and go', () => {
  const EACH = 40;
  let peygir;
  let bearer;
  let person;
  before(async () => {
    peygir = await start();
    bearer = await bearers(peygir);
    person = await signedIn(peygir, bearer, 'churn');
    assert.equal((await peygir.cli('queue', 'pause')).code, 0); // requests wait until they are cancelled
  });
  after(() => peygir?.stop());

  // Half of them by way of nginx, half straight.
  const way = (i) => (i % 2 ? { socket: peygir.file('push.sock') } : {});

  async function come(hash) {
    const streams = await times(EACH, (i) => open(person, hash, way(i)));
    const lines = await times(EACH, (i) => connect(person, way(i)));
    const polls = await times(EACH, (i) => poll(peygir, bearer, hash, { direct: i % 2 }));
    const get = `GET ${eventsPath(hash)} HTTP/1.1\r\nHost: x\r\nCookie: ${cookieOf(person)}\r\n`;
    const halves = [
      ...span(1, 8).map(() => raw(peygir, upgrade, HALF_A_FRAME)), ...span(1, 8).map(() => raw(peygir, `${get}\r\n`)), ...span(1, 8).map(() => raw(peygir, get)),
    ];
    await Promise.all(halves.slice(0, 16).map(({ heard }) => heard));
    await Promise.all(lines.map((line) => line.subscribe(topicOf(hash), `task:${hash}`, 'notifications')));
    await waitFor(() => connections(peygir) === 3 * EACH + halves.length, { what: 'all to be there', now: () => connections(peygir) });
    return { streams, lines, polls, halves };
  }

  async function hear(hash, { streams, lines }) {
    await report(peygir, hash, 'something');
    await peygir.redis.publish('peygir:notifications', JSON.stringify({ type: 'notification', message: hash }));
    await Promise.all(lines.map((line) => line.until(({ topic, data }) => topic === 'notifications' && data.message === hash)));
    await Promise.all(lines.map((line) => line.until(({ topic, id }) => topic === topicOf(hash) && id > 1)));
    await Promise.all(streams.map((stream) => stream.until((data, id) => id > 1)));
  }

  // A third is cut, a third says goodbye, a third hears that the request was cancelled; of the halves a third only stops speaking.
  async function go(hash, { streams, lines, polls, halves }) {
    const third = (list, n) => list.filter((_, i) => i % 3 === n);
    [streams, lines, polls].forEach((list) => third(list, 0).forEach((one) => one.close()));
    for (const line of third(lines, 1)) line.say({ unsubscribe: [topicOf(hash), 'notifications'] });
    await Promise.all(third(lines, 1).map((line) => line.until(({ unsubscribed }) => unsubscribed === 'notifications')));
    await person.act(hash, 'cancel');
    await Promise.all(third(lines, 2).map((line) => line.until(({ ended }) => ended === topicOf(hash))));
    await Promise.all([...third(streams, 1), ...third(streams, 2)].map((stream) => stream.end));
    const answers = await Promise.all([...third(polls, 1), ...third(polls, 2)].map(({ answered }) => answered));
    assert.ok(answers.every((status) => [200, 409].includes(status)), answers.join(' '));
    for (const { ws } of [...third(lines, 1), ...third(lines, 2)]) ws.close();
    halves.forEach(({ socket }, i) => (i % 3 ? socket.destroy() : socket.end()));
    await Promise.all(halves.map(({ gone }) => gone));
    await waitFor(() => connections(peygir) === 0, { what: 'all to be gone', now: () => connections(peygir) });
  }

  async function round() {
    const hash = await person.request(CREDIT, GOOD);
    const crowd = await come(hash);
    await hear(hash, crowd);
    await go(hash, crowd);
  }

  // Rounds as long as `goesOn` says so; after each the memory of push, in KiB.
  async function rounds(goesOn) {
    const pid = peygir.pid('push');
    const [descriptors, heard] = [await ownDescriptors(peygir), await channels(peygir)];
    const memory = [];
    while (goesOn(memory.length)) {
      await round();
      memory.push(memoryOf(pid).rss);
    }
    await waitFor(async () => (await ownDescriptors(peygir)) === descriptors, { what: `${descriptors} descriptors`, now: () => ownDescriptors(peygir) });
    await waitFor(async () => (await channels(peygir)).join() === heard.join(), { what: 'no subscriptions', now: () => channels(peygir) });
    assert.equal(peygir.pid('push'), pid);
    return memory;
  }

  // The highest of the second half against the highest of the first, which ends with what allocators and tables keep.
  function assertLevel(t, memory) {
    const [first, second] = [memory.slice(0, memory.length / 2), memory.slice(memory.length / 2)].map((half) => Math.max(...half));
    t.diagnostic(`${memory.length} rounds, ${memory.join(' ')} KiB`);
    if (!cannotTell()) assert.ok(second - first <= GROWTH_KIB, `${memory.join(' ')} KiB`);
  }

  test('hundreds leave no descriptor, no subscription and no memory behind', { timeout: 120_000 }, async (t) => {
    assertLevel(t, await rounds((count) => count < 24));
  });

  test('nor do they in five minutes', { skip: LONG, timeout: 3 * LONG_MS }, async (t) => {
    const end = performance.now() + LONG_MS;
    assertLevel(t, await rounds(() => performance.now() < end));
  });
});

describe('a WebSocket that reads nothing', () => {
  const TOPICS = 63; // and one of its own, which shows whether it is still there
  const KEEPS = 16; // that push keeps of each
  const BYTES = 8000;
  const topics = span(1, TOPICS).map((n) => `task:often-${n}`);
  let peygir;
  let person;
  before(async () => {
    peygir = await start({ env: { PEYGIR_DEMO: 'off' } });
    person = await signedIn(peygir, await bearers(peygir), 'often');
    const set = peygir.redis.pipeline();
    for (const topic of [...topics, 'task:alone']) set.hset(`peygir:task:data:${topic.slice(5)}`, 'status', 'pending', 'user_id', 'often');
    await set.exec();
  });
  after(() => peygir?.stop());

  const straight = () => connect(person, { socket: peygir.file('push.sock') });

  // So many messages of each topic, the next when the one who reads has all of those before.
  async function flood(quick, waves) {
    for (let i = 0; i < waves; i++) {
      quick.heard.length = 0;
      const tell = peygir.redis.pipeline();
      for (const topic of topics) tell.publish(`peygir:notifications:${topic}`, JSON.stringify({ wave: i, text: 'x'.repeat(BYTES) }));
      await tell.exec();
      await waitFor(() => quick.heard.length >= TOPICS, { what: `wave ${i}`, now: () => [quick.heard.length, quick.closed] });
      assert.deepEqual(quick.heard.map(({ topic, data }) => [topic, data.wave]).sort(), topics.map((topic) => [topic, i]).sort());
    }
  }

  async function stuckAndQuick() {
    const quick = await (await straight()).subscribe(...topics);
    const stuck = await (await straight()).subscribe(...topics, 'task:alone');
    stuck.ws.pause();
    return { quick, stuck };
  }

  const isThere = async () => (await peygir.redis.pubsub('NUMSUB', 'peygir:notifications:task:alone'))[1] === 1;

  test('costs what push keeps for it and no more, however much happens, and others miss nothing', { timeout: 60_000 }, async (t) => {
    const pid = peygir.pid('push');
    const { quick, stuck } = await stuckAndQuick();
    await flood(quick, 1);
    const before = memoryOf(pid).rss;
    await flood(quick, 2 * KEEPS);
    const full = memoryOf(pid).rss;
    await flood(quick, 6 * KEEPS);
    const then = memoryOf(pid).rss;
    t.diagnostic(`${before} ${full} ${then} KiB`);
    assert.equal(await isThere(), true, 'it was stuck all the time');
    if (!cannotTell()) assert.ok(then - before < (2 * TOPICS * KEEPS * BYTES) / 1024, `${before} ${full} ${then} KiB`);
    for (const line of [quick, stuck]) line.close();
    await waitFor(() => connections(peygir) === 0, { what: 'both to be gone' });
  });

  test('is dropped when it has not answered two pings, and others are not', { skip: LONG, timeout: 120_000 }, async () => {
    const { quick, stuck } = await stuckAndQuick();
    await flood(quick, KEEPS);
    await waitFor(() => quick.pings >= 2, { timeout: 60_000, what: 'two pings' });
    await waitFor(async () => !(await isThere()), { timeout: 20_000, what: 'the stuck one to be dropped' });
    await waitFor(() => connections(peygir) === 1, { timeout: 20_000, what: 'its connection to be closed' });
    await flood(quick, 1);
    assert.equal(quick.closed, null);
    for (const line of [quick, stuck]) line.close();
  });
});

describe('nginx', () => {
  // How many streams of one address it lets be open, and how many connections each of its processes may have.
  const bounds = (peygir) => {
    const text = fs.readFileSync(peygir.file('nginx.conf'), 'utf8');
    return [/limit_conn peygir_streams (\d+);/, /worker_connections (\d+);/].map((pattern) => Number(pattern.exec(text)[1]));
  };

  // The sentence of nginx, not of push, which would say what its limit is.
  function assertFull({ status, type, policy, body }) {
    assert.equal(status, 429);
    assert.equal(type, 'application/problem+json');
    assert.equal(JSON.parse(body).status, 429);
    assert.equal(policy, undefined);
  }

  async function fullSocket(visitor) {
    const error = await connect(visitor).then(() => assert.fail('it was let in'), (refused) => refused);
    assertFull({ status: error.status, type: error.headers['content-type'], policy: error.headers['ratelimit-policy'], body: error.body });
    assert.ok(Number(error.headers['retry-after']) >= 1);
  }

  async function fullStream(visitor, hash) {
    const stream = await open(visitor, hash);
    await stream.end;
    assertFull({ status: stream.status, type: stream.headers['content-type'], policy: stream.headers['ratelimit-policy'], body: stream.text });
  }

  test('counts streams and WebSockets of an address together, and one that ends makes room', async (t) => {
    const peygir = await start({ env: { PEYGIR_LIMIT_FACTOR: '0.006' } });
    t.after(() => peygir.stop());
    const [most] = bounds(peygir);
    assert.equal(most, 6);
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('hang'));
    const stream = await open(visitor, hash);
    assert.equal(stream.status, 200);
    const lines = await times(most - 1, () => connect(visitor));
    await fullSocket(visitor);
    await fullStream(visitor, hash);
    assert.equal((await visitor.get('/')).status, 200, 'pages are not counted');
    stream.close();
    const more = await waitFor(() => connect(visitor).catch(({ status }) => assert.equal(status, 429)), { what: 'room for one more' });
    await fullSocket(visitor);
    for (const line of [...lines, more]) line.close();
  });

  test('with the factor 0 refuses none, and keeps up with as many as one address may open at the highest', async (t) => {
    const [free, generous] = await Promise.all(['0', '1000'].map((factor) => start({ env: { PEYGIR_LIMIT_FACTOR: factor, PEYGIR_DEMO: 'off' } })));
    t.after(() => Promise.all([free.stop(), generous.stop()]));
    const visitor = free.visitor();
    const lines = await times(300, () => connect(visitor));
    for (const line of lines) line.close();
    const [streams, room] = bounds(generous);
    assert.ok(streams >= 60, `${streams} streams`);
    assert.ok(room - 2 * streams >= room / 4, `each takes two of ${room} connections, and ${streams} may be open: that leaves no room for pages`);
  });
});

describe('push ends while many are connected', () => {
  const EACH = 60;
  let peygir;
  let bearer;
  before(async () => {
    peygir = await start();
    bearer = await bearers(peygir);
  });
  after(() => peygir?.stop());

  const way = (i) => (i % 2 ? { socket: peygir.file('push.sock') } : {});
  const listeners = async (hash) => (await peygir.redis.pubsub('NUMSUB', `local_request_updates:${hash}`))[1];
  const again = (action, what) => waitFor(() => action().catch(() => null), { what, timeout: 20_000 });

  // Pages, programs and bots, all of one request that waits for its code.
  async function crowd(visitor, hash) {
    const streams = await times(EACH, (i) => open(visitor, hash, way(i)));
    const lines = await times(EACH, (i) => connect(visitor, way(i)));
    await Promise.all(lines.map((line) => line.subscribe(topicOf(hash))));
    await Promise.all(streams.map((stream) => stream.until(() => true)));
    const polls = await times(EACH, (i) => poll(peygir, bearer, hash, { direct: i % 2 }));
    await waitFor(() => connections(peygir) === 3 * EACH, { what: 'all to be there', now: () => connections(peygir) });
    return { streams, lines, polls };
  }

  async function sentAway({ streams, lines, polls }) {
    await Promise.all(streams.map((stream) => stream.end));
    await Promise.all(lines.map((line) => line.end()));
    return Promise.all(polls.map(({ answered }) => answered));
  }

  const started = async (old) => {
    await waitFor(() => peygir.pid('push') !== old && isAlive(peygir.pid('push')), { what: 'push to be started again' });
    await peygir.ready();
  };

  test('killed: bots are sent away, pages go on where they were, WebSockets connect anew, and each hears how it ends', { timeout: 60_000 }, async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(peygir, visitor);
    await waitFor(async () => (await listeners(hash)) === 0, { what: 'the worker, which has done its part, to listen no more' });
    const all = await crowd(visitor, hash);
    assert.equal(await listeners(hash), 1);
    const killed = peygir.kill('push');
    const answers = await sentAway(all);
    assert.ok(answers.every((status) => status === null || status === 502), answers.join(' '));
    assert.ok(all.lines.every(({ closed }) => closed.code === 1006));
    await started(killed);
    const streams = await Promise.all(all.streams.map((stream, i) => again(async () => {
      const back = await open(visitor, hash, { lastId: stream.ids.at(-1), ...way(i) });
      assert.equal(back.status, 200, back.text);
      return back;
    }, 'the stream to open again')));
    const lines = await times(EACH, (i) => again(() => connect(visitor, way(i)), 'to connect again'));
    await Promise.all(lines.map((line) => line.subscribe(topicOf(hash))));
    await waitFor(async () => (await listeners(hash)) === 1, { what: 'one that listens, not two', now: () => listeners(hash) });
    await enter(visitor, hash, CODE);
    await Promise.all(lines.map((line) => line.until(({ ended }) => ended === topicOf(hash))));
    await Promise.all(streams.map((stream) => stream.end));
    const { revision } = await peygir.document(hash);
    all.streams.forEach((before, i) => assert.deepEqual([...before.ids, ...streams[i].ids], span(before.ids[0], revision), 'nothing twice, nothing missed'));
    assert.ok(lines.every((line) => line.of(topicOf(hash)).at(-1).data.status === 'completed'));
    lines.forEach((line) => line.close());
    await waitFor(async () => (await listeners(hash)) === 0, { what: 'nobody to listen', now: () => listeners(hash) });
  });

  test('killed: a bot that comes again gets the code that was entered meanwhile', async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('hang'));
    await peygir.status(hash, 'processing');
    await waitFor(async () => (await listeners(hash)) === 1, { what: 'the worker, whose call goes on, to listen' });
    const { answered } = poll(peygir, bearer, hash);
    await waitFor(async () => (await listeners(hash)) === 2, { what: 'the bot to wait' });
    const killed = peygir.kill('push');
    assert.equal(await answered, 502);
    await peygir.redis.rpush(`{local_request:${hash}}:otp`, JSON.stringify({ otp: CODE }));
    await started(killed);
    const bot = new Visitor(peygir.base, { headers: bearer.bot });
    const answer = await again(async () => {
      const one = await bot.get(otpPath(hash, 10));
      return one.status === 200 && one;
    }, 'the code');
    assert.deepEqual(answer.json, { otp: CODE });
    await visitor.act(hash, 'cancel');
  });

  test('stopped: all are closed, also those who have just asked for something, and it ends at once with 0', { timeout: 60_000 }, async () => {
    const visitor = peygir.visitor();
    const hash = await visitor.request(CREDIT, misdeed('hang'));
    await peygir.status(hash, 'processing');
    const all = await crowd(visitor, hash);
    const idle = await times(EACH, (i) => connect(visitor, way(i)));
    const stuck = await connect(visitor, way(1));
    await stuck.subscribe(topicOf(hash));
    stuck.ws.pause();
    const said = peygir.run.said.stderr.length;
    for (const line of idle) line.say({ subscribe: [topicOf(hash), ...span(1, 9).map((n) => `task:none-${n}`)] });
    const pid = peygir.kill('push', 'SIGTERM');
    const answers = await sentAway({ ...all, lines: [...all.lines, ...idle] });
    assert.ok(answers.every((status) => [null, 204, 502, 503].includes(status)), answers.join(' '));
    for (const { closed } of [...all.lines, ...idle]) assert.ok([1001, 1006].includes(closed.code), JSON.stringify(closed));
    await waitFor(() => !isAlive(pid), { what: 'push to end' });
    await started(pid);
    assert.match(peygir.run.said.stderr.slice(said), /push ended with status 0;/);
    stuck.close();
    (await again(() => connect(visitor), 'to connect again')).close();
    await visitor.act(hash, 'cancel');
  });
});
