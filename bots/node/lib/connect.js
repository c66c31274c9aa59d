// connect.js: a connection to Redis from the address that the programs of Peygir know (README.md, REDIS_URL).
import { Cluster, Redis } from 'ioredis';

// Redis's user for bots need not be allowed to tell the name of its library.
const COMMON = { connectionName: 'peygir-bot', disableClientInfo: true };

const decoded = (text) => (text ? decodeURIComponent(text) : undefined);
const database = (text) => Number(text) || 0;

// Hosts of sentinels and clusters stand in one list, which URL does not read: [user:pass@]h1:p,h2:p[/rest].
function readList(url, port) {
  const [, login = '', hosts, rest = ''] = /^[^:]+:\/\/(?:([^@/]*)@)?([^/?]+)\/?([^?]*)/.exec(url) ?? [];
  if (!hosts) throw new Error('REDIS_URL names no hosts');
  const [username, ...password] = login.split(':');
  const nodes = hosts.split(',').map((one) => {
    const [, host, own] = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(one);
    return { host, port: Number(own ?? port) };
  });
  return { nodes, rest, login: { username: decoded(username), password: decoded(password.join(':')) } };
}

const SCHEMES = {
  'unix:': (url) => {
    const { pathname, searchParams } = new URL(url);
    return new Redis({ ...COMMON, path: decodeURIComponent(pathname), db: database(searchParams.get('db')), username: searchParams.get('user') ?? undefined,
      password: searchParams.get('password') ?? undefined });
  },
  'redis:': (url) => new Redis(url, COMMON),
  'rediss:': (url) => new Redis(url, COMMON),
  'redis+sentinel:': (url) => {
    const { nodes, rest, login } = readList(url, 26_379), [name, db] = rest.split('/');
    return new Redis({ ...COMMON, ...login, sentinels: nodes, name: decoded(name), db: database(db) });
  },
  'redis+cluster:': (url) => {
    const { nodes, login } = readList(url, 6379);
    return new Cluster(nodes, { redisOptions: { ...COMMON, ...login } });
  },
};

function fromParts({ REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password, REDIS_DB: db }) {
  return new Redis({ ...COMMON, host: host || '127.0.0.1', port: Number(port || 6379), password: password && password !== 'null' ? password : undefined, db: database(db) });
}

/**
 * A connection: undefined is what the environment says, a string an address, an object without commands the options of ioredis. A client
 * of ioredis is used as it is, and whoever made it closes it.
 */
export function connect(redis, env = process.env) {
  if (typeof redis?.evalsha === 'function') return { client: redis, owned: false };
  const client = openClient(redis ?? env.REDIS_URL, env);
  client.on('error', () => {}); // commands tell it; without a listener ioredis writes it to the console
  return { client, owned: true };
}

function openClient(from, env) {
  if (!from) return fromParts(env);
  if (typeof from === 'object') return new Redis({ ...COMMON, ...from });
  const scheme = /^[a-z+]+:/.exec(from)?.[0];
  if (!SCHEMES[scheme]) throw new Error('REDIS_URL begins with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://');
  return SCHEMES[scheme](from);
}
