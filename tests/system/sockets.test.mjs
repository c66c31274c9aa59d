// sockets.test.mjs: WebSockets: one connection that hears of requests, tasks and a user's notifications, by the same rights as the JSON API.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { CODE, CREDIT, enter, misdeed, untilCode } from '../lib/demo.mjs';
import { isAlive, start, waitFor } from '../lib/peygir.mjs';
import { bearers, signedIn } from '../lib/programs.mjs';
import { connect } from '../lib/sockets.mjs';
import { Visitor } from '../lib/visitor.mjs';

const topicOf = (hash) => `request:${hash}`;
const updates = (line, hash) => line.of(topicOf(hash)).map(({ id }) => id);
const span = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const UNKNOWN = 'req_00000000000000000000000000';
const MOST_TOPICS = 64;
const MOST_BYTES = 4096;

let peygir, bearer;

before(async () => {
  peygir = await start();
  bearer = await bearers(peygir);
});
after(() => peygir?.stop());

const user = (id) => signedIn(peygir, bearer, id);

async function hanging(visitor) {
  const hash = await visitor.request(CREDIT, misdeed('hang'));
  await peygir.status(hash, 'processing');
  return hash;
}

const refuses = (visitor, options, status) => assert.rejects(connect(visitor, options), (error) => {
  assert.equal(error.status, status, error.message);
  return true;
});

describe('A WebSocket', () => {
  test('confirms a request, shows it as it is, tells each change once and in order, and says when there is no more', async () => {
    const visitor = peygir.visitor();
    const hash = await untilCode(peygir, visitor);
    const line = await connect(visitor);
    await line.subscribe(topicOf(hash));
    const first = await line.until(({ topic }) => topic === topicOf(hash));
    assert.equal(first.event, 'update');
    const view = await visitor.view(hash);
    for (const each of [first.data, view]) {
      delete each.expires_at;
      delete each.otp.expires_in;
      delete each.otp.resend_in;
    }
    assert.deepEqual(first.data, view);
    await enter(visitor, hash, CODE);
    await line.until(({ ended }) => ended === topicOf(hash));
    assert.deepEqual(updates(line, hash), span(first.id, (await peygir.document(hash)).revision));
    assert.equal(line.of(topicOf(hash)).at(-1).data.status, 'completed');
    assert.equal(line.closed, null, 'the connection stays for other topics');
    line.close();
  });

  test('carries several topics, and leaves one without the others noticing', async () => {
    const visitor = peygir.visitor();
    const [one, two] = [await hanging(visitor), await hanging(visitor)];
    const line = await connect(visitor);
    await line.subscribe(topicOf(one), topicOf(two));
    line.say({ unsubscribe: [topicOf(one)] });
    await line.until(({ unsubscribed }) => unsubscribed === topicOf(one));
    const before = updates(line, one).length;
    await visitor.act(one, 'cancel');
    await visitor.act(two, 'cancel');
    await line.until(({ ended }) => ended === topicOf(two));
    assert.equal(updates(line, one).length, before);
    await line.subscribe(topicOf(one)); // again: it is final, so that is all
    await line.until(({ ended }) => ended === topicOf(one));
    line.close();
  });

  test('subscribing twice is confirmed twice and told once', async () => {
    const visitor = peygir.visitor();
    const hash = await hanging(visitor);
    const line = await connect(visitor);
    await line.subscribe(topicOf(hash));
    await line.subscribe(topicOf(hash));
    await visitor.act(hash, 'cancel');
    await line.until(({ ended }) => ended === topicOf(hash));
    assert.equal(new Set(updates(line, hash)).size, updates(line, hash).length);
    line.close();
  });

  test('speaks the language of who connects', async () => {
    const persian = peygir.visitor({ language: 'fa' });
    const hash = await hanging(persian);
    const line = await connect(persian);
    await line.subscribe(topicOf(hash));
    await persian.act(hash, 'cancel');
    await line.until(({ ended }) => ended === topicOf(hash));
    assert.match(line.of(topicOf(hash)).at(-1).data.current_message, /[\u0600-\u06ff]/);
    line.close();
  });

  test('answers a ping of the protocol and one in words, and pings by itself', async () => {
    const line = await connect(peygir.visitor());
    let pong = null;
    line.ws.on('pong', (data) => (pong = String(data)));
    line.ws.ping('are you there');
    await waitFor(() => pong === 'are you there', { what: 'a pong' });
    line.say({ ping: { any: ['thing', 1] } });
    assert.deepEqual((await line.until(({ pong: p }) => p)).pong, { any: ['thing', 1] });
    line.close();
  });
});

describe('Who may hear what', () => {
  test('of a request only whoever made it: 404 for others, for strangers, for what does not exist and for names that are none', async () => {
    const [owner, other] = [peygir.visitor(), peygir.visitor()];
    const hash = await hanging(owner);
    await hanging(other);
    for (const visitor of [other, peygir.visitor()]) {
      const line = await connect(visitor);
      for (const topic of [topicOf(hash), topicOf(UNKNOWN), 'request:', 'request:x', 'nothing', '', `task:${hash}`, 'task:unknown']) assert.equal((await line.refusal(topic)).status, 404, topic);
      line.close();
    }
    await owner.act(hash, 'cancel');
  });

  test('an API client what its token made; a token of another role, or none of ours, nothing', async () => {
    const client = new Visitor(peygir.base, { headers: bearer.api });
    const made = await client.fetch('/api/local-requests', {
      method: 'POST', body: JSON.stringify({ service: CREDIT, data: misdeed('hang') }), headers: { 'content-type': 'application/json' },
    });
    assert.equal(made.status, 202, made.html);
    const { hash } = made.json;
    const line = await connect(client);
    await line.subscribe(topicOf(hash), `task:${hash}`);
    assert.equal((await line.refusal('notifications')).status, 403);
    for (const [headers, status] of [[bearer.bot, 403], [bearer.site, 403], [{ authorization: 'Bearer pgt_x' }, 401]]) {
      const stranger = await connect(new Visitor(peygir.base), { headers });
      assert.equal((await stranger.refusal(topicOf(hash))).status, status);
      stranger.close();
    }
    await peygir.cli('token', 'revoke', 'api');
    await line.until(({ ended }) => ended === topicOf(hash));
    line.close();
  });

  test('a page of another site is turned away, one of this site and a program without Origin are not', async () => {
    const visitor = peygir.visitor();
    await hanging(visitor);
    for (const origin of ['https://evil.example', 'null', peygir.base.replace('http', 'https'), `${peygir.base}.evil.example`]) await refuses(visitor, { origin }, 403);
    (await connect(visitor, { origin: peygir.base })).close();
    (await connect(visitor)).close();
  });

  test('a session that is revoked loses its topics', async () => {
    const person = await user('nasrin');
    const hash = await hanging(person);
    const line = await connect(person);
    await line.subscribe(topicOf(hash), 'notifications', `task:${hash}`);
    await peygir.cli('session', 'revoke-all', 'nasrin');
    for (const topic of [topicOf(hash), 'notifications', `task:${hash}`]) await line.until(({ ended }) => ended === topic);
    assert.equal((await line.refusal('notifications')).status, 403);
    line.close();
  });

  test('opening topics counts as opening streams', async () => {
    const strict = await start({ env: { PEYGIR_LIMIT_FACTOR: '0.1', PEYGIR_DEMO: 'off' } });
    try {
      const line = await connect(strict.visitor());
      await line.settled();
      const topics = span(1, 8).map((n) => `task:job-${n}`);
      line.say({ subscribe: topics });
      const answers = await waitFor(() => line.heard.filter(({ refused }) => refused).length === topics.length && line.heard.filter(({ refused }) => refused));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(8)].map(() => 404));
      const session = strict.visitor();
      await session.get('/services/document-ocr'); // a cookie that can be counted
      const counted = await connect(session);
      counted.say({ subscribe: topics });
      const refused = await waitFor(() => counted.heard.filter((m) => m.refused).length === topics.length && counted.heard.filter((m) => m.refused));
      assert.equal(refused.filter(({ status }) => status === 429).length, 2, 'six at once');
      line.close();
      counted.close();
    } finally {
      await strict.stop();
    }
  });
});

describe('Notifications', () => {
  const publish = (channel, message) => peygir.redis.publish(channel, typeof message === 'string' ? message : JSON.stringify(message));
  const heard = (line) => line.of('notifications').map(({ data }) => data.message);

  test('a signed-in user hears what is for them and what is for everybody, on all devices, and nothing else', async () => {
    const [sara, phone, ali] = [await user('sara'), await user('sara'), await user('ali')];
    const lines = [];
    for (const person of [sara, phone, ali]) lines.push(await (await connect(person)).subscribe('notifications'));
    await publish('peygir:notifications:user:sara', { type: 'notification', user_id: 'sara', message: 'for sara' });
    await publish('peygir:notifications', { type: 'notification', user_id: 'sara', message: 'for sara, on the channel of all' });
    await publish('peygir:notifications', { type: 'task_completed', task_id: 'x', user_id: null, message: 'of a task' });
    await publish('peygir:notifications', 'no JSON');
    await publish('peygir:notifications', '["no object"]');
    await publish('peygir:notifications', { type: 'notification', message: 'x'.repeat(20_000) });
    await publish('peygir:notifications', { type: 'notification', user_id: null, message: 'for everybody' });
    for (const line of lines) await line.until(({ data }) => data?.message === 'for everybody');
    assert.deepEqual(lines.map(heard), [['for sara', 'for everybody'], ['for sara', 'for everybody'], ['for everybody']]);
    for (const line of lines) line.close();
  });

  test('what happens to a user\'s jobs is told to the user, and of one task to whoever may', async () => {
    const person = await user('omid'), other = await user('reza');
    await peygir.redis.hset('peygir:task:data:job-omid', 'type', 'default', 'status', 'pending', 'user_id', 'omid', 'payload', '{}');
    const line = await (await connect(person)).subscribe('notifications', 'task:job-omid');
    assert.equal((await (await connect(other)).refusal('task:job-omid')).status, 404);
    await peygir.redis.lpush('peygir:task:queue', 'job-omid');
    for (const topic of ['notifications', 'task:job-omid']) {
      const message = await line.until((m) => m.topic === topic && m.data.type === 'task_processing');
      assert.equal(message.event, 'message');
      assert.equal(message.data.task_id, 'job-omid');
    }
    line.close();
  });

  test('a visitor who has not signed in hears of their own task', async () => {
    const visitor = peygir.visitor();
    const hash = await hanging(visitor);
    const line = await (await connect(visitor)).subscribe(`task:${hash}`);
    assert.equal((await line.refusal('notifications')).status, 403);
    await visitor.act(hash, 'cancel');
    await line.until(({ topic, data }) => topic === `task:${hash}` && data.type === 'task_cancelled');
    line.close();
  });

  test('go on after Redis was away', async () => {
    const person = await user('mina');
    const line = await (await connect(person)).subscribe('notifications');
    const listeners = async () => (await peygir.redis.pubsub('NUMSUB', 'peygir:notifications:user:mina'))[1];
    await peygir.redis.client('KILL', 'TYPE', 'PUBSUB');
    await waitFor(async () => (await listeners()) === 1 && (await peygir.redis.pubsub('NUMSUB', 'peygir:notifications'))[1] > 0, { what: 'push to listen again' });
    await publish('peygir:notifications:user:mina', { type: 'notification', message: 'again' });
    await line.until(({ data }) => data?.message === 'again');
    line.close();
  });
});

describe('What comes over a WebSocket', () => {
  const upgrade = 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
  const closedBy = async (message, options) => {
    const line = await connect(peygir.visitor());
    line.ws.send(message, options);
    return line.end();
  };

  test('what is no message is said to be so, and the connection stays', async () => {
    const line = await connect(peygir.visitor());
    const bad = ['', '{', 'null', '[]', '"x"', '{}', '{"subscribe":"x"}', '{"subscribe":[]}', '{"subscribe":[1]}', '{"subscribe":{}}', '{"unsubscribe":null}',
      '{"subscribe":["a"],"subscribe":["b"]}', `{"subscribe":[${'"t",'.repeat(MOST_TOPICS)}"t"]}`, '{"a":'.repeat(100)];
    for (const message of bad) {
      const before = line.heard.length;
      line.say(message);
      await waitFor(() => line.heard.length > before, { what: `an answer to ${message.slice(0, 40)}` });
      assert.ok(line.heard[before].error, JSON.stringify(line.heard[before]));
    }
    await line.settled();
    line.close();
  });

  test('a message may have 4096 bytes, in as many pieces as it likes; a longer one closes with 1009', async () => {
    const line = await connect(peygir.visitor());
    const longest = `{"ping":"${'x'.repeat(MOST_BYTES - 11)}"}`;
    assert.equal(longest.length, MOST_BYTES);
    line.say(longest);
    await line.until(({ pong }) => pong?.length > 4000);
    for (const piece of ['{"pi', 'ng":', '"pieces"']) line.ws.send(piece, { fin: false });
    line.ws.send('}', { fin: true });
    await line.until(({ pong }) => pong === 'pieces');
    line.close();
    assert.equal((await closedBy(`${longest} `)).code, 1009);
  });

  test('bytes that are no text close it: 1003 for binary, 1007 for what is no UTF-8', async () => {
    assert.equal((await closedBy(Buffer.from('{"ping":1}'), { binary: true })).code, 1003);
    assert.ok([1006, 1007].includes((await closedBy(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), { binary: false })).code));
  });

  test('at most 64 topics, and as many again when some are left', async () => {
    const person = await user('many');
    const line = await connect(person);
    const topics = span(1, MOST_TOPICS).map((n) => `task:many-${n}`);
    const set = peygir.redis.pipeline();
    for (const topic of [...topics, 'task:many-65']) set.hset(`peygir:task:data:${topic.slice(5)}`, 'status', 'pending', 'user_id', 'many');
    await set.exec();
    await line.subscribe(...topics);
    assert.equal((await line.refusal('task:many-65')).status, 429);
    line.say({ unsubscribe: ['task:many-1'] });
    await line.until(({ unsubscribed }) => unsubscribed === 'task:many-1');
    await line.subscribe('task:many-65');
    line.close();
  });

  test('who floods, or reads nothing, is closed, and the others do not notice', async () => {
    const strict = await start({ env: { PEYGIR_LIMIT_FACTOR: '1', PEYGIR_DEMO: 'off' } });
    try {
      const calm = await connect(strict.visitor()), flood = await connect(strict.visitor());
      for (let i = 0; i < 200; i++) flood.say({ ping: i });
      assert.equal((await flood.end()).code, 1008);
      await calm.settled();
      calm.close();
    } finally {
      await strict.stop();
    }
  });

  test('raw bytes that are no WebSocket break nothing', async () => {
    const socket = peygir.file('push.sock'), pid = peygir.pid('push');
    const sends = [Buffer.alloc(0), Buffer.from([0x81]), Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0x81, 0x02, 0x7b, 0x7d]),
      Buffer.from([0x88, 0x80, 0, 0, 0, 0]), Buffer.from([0x8f, 0x80, 1, 2, 3, 4]), ...[...Array(20)].map(() => crypto.randomBytes(300))];
    await Promise.all(sends.map((bytes) => new Promise((resolve) => {
      const raw = net.connect(socket);
      raw.on('error', resolve);
      raw.on('close', resolve);
      raw.once('data', () => raw.end(bytes));
      raw.write(upgrade);
    })));
    assert.equal(peygir.pid('push'), pid);
    assert.ok(isAlive(pid));
    (await connect(peygir.visitor())).close();
  });

  test('a connection without Upgrade is told so, another path is none, and a version that is not 13 is refused', async () => {
    const plain = await peygir.visitor().get('/ws');
    assert.equal(plain.status, 426);
    assert.equal(plain.type, 'application/problem+json');
    await refuses(peygir.visitor(), { path: '/ws/', socket: peygir.file('push.sock') }, 404);
    const old = await new Promise((resolve) => {
      let answer = '';
      const raw = net.connect(peygir.file('push.sock'), () => raw.write(upgrade.replace('Version: 13', 'Version: 7')));
      raw.on('data', (bytes) => (answer += bytes)).on('close', () => resolve(answer));
    });
    assert.doesNotMatch(old, /^HTTP\/1\.1 101/);
  });
});

describe('When push goes', () => {
  test('it closes sockets and comes again; who connects anew hears what is then', async () => {
    const visitor = peygir.visitor();
    const hash = await hanging(visitor);
    const line = await (await connect(visitor)).subscribe(topicOf(hash));
    const pid = peygir.kill('push', 'SIGTERM');
    await line.end();
    await waitFor(() => !isAlive(pid), { what: 'push to end' });
    await peygir.ready();
    const again = await waitFor(() => connect(visitor).catch(() => null), { what: 'push to be there again' });
    await again.subscribe(topicOf(hash));
    await visitor.act(hash, 'cancel');
    await again.until(({ ended }) => ended === topicOf(hash));
    again.close();
  });
});
