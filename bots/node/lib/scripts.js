// scripts.js: the Lua scripts that the programs of Peygir run, the very same: their copies lie in lua/, put there by make. This module does
// in JavaScript what core/change.c does around them, so it is written for these versions and goes with no others.
import crypto from 'node:crypto';
import fs from 'node:fs';

const VERSIONS = {
  request_save: '8c4dcfc965222f1cc0f323626276eb9cefa366d9',
  mailbox_take: '49b3191c6dd7df1d30f592af689374aa11d35fdd',
  mailbox_return: '2ce41d7ba9dcd41f250dc155339c47ae7cad983a',
};

function load(name) {
  const file = new URL(`../lua/${name}.lua`, import.meta.url);
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`peygir-bot is not complete: lua/${name}.lua is missing; make puts it there`, { cause: error });
  }
  const sha = crypto.createHash('sha1').update(text).digest('hex');
  if (sha !== VERSIONS[name]) throw new Error(`lua/${name}.lua is not the version that this peygir-bot is written for: ${sha} instead of ${VERSIONS[name]}`);
  return { name, text, sha };
}

/** { name: { name, text, sha } } */
export const scripts = Object.fromEntries(Object.keys(VERSIONS).map((name) => [name, load(name)]));

/** What a script answers. Its keys are of one request, so a Cluster finds the node by the first. */
export async function runScript(redis, { text, sha }, keys, args) {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!String(error.message).startsWith('NOSCRIPT')) throw error;
    return redis.eval(text, keys.length, ...keys, ...args);
  }
}
