// admin.mjs: administrators of an instance, made as an administrator makes them.
import { execFile } from 'node:child_process';

export const PASSWORD = 'orange lamp 7 river';

// peygir user VERB NAME with a password on its standard input: what it printed.
export const user = (peygir, verb, name, password = PASSWORD) =>
  new Promise((resolve, reject) => {
    const child = execFile(peygir.file('peygir'), ['user', verb, name], (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)));
    child.stdin.on('error', () => {}); // a verb that asks for none may end before
    child.stdin.end(password);
  });

// Failures to sign in are forgotten, as if time had passed; with fields: their counters stand so.
export async function forgive(peygir, kind = '*', fields) {
  for (const key of await peygir.redis.keys(`peygir:limit:sign-in-${kind}:*`)) {
    if (fields) await peygir.redis.hset(key, fields);
    else await peygir.redis.del(key);
  }
}
