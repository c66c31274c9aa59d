// programs.mjs: what is on the other side of /api/internal: programs with a token, and users whom the host site signs in.
import assert from 'node:assert/strict';
import { Visitor } from './visitor.mjs';

// By role: the header that a program brings, with a token made now.
export async function bearers(peygir) {
  const bearer = {};
  for (const role of ['site', 'bot', 'api']) {
    const { token } = await peygir.cliJson('token', 'create', '--role', role, role);
    bearer[role] = { authorization: `Bearer ${token}` };
  }
  return bearer;
}

// A browser that comes in by a link of the host site.
export async function signedIn(peygir, bearer, user_id) {
  const person = peygir.visitor(), site = new Visitor(peygir.base, { headers: bearer.site });
  const made = await site.fetch('/api/internal/sessions', {
    method: 'POST', body: JSON.stringify({ user_id, next: '/' }), headers: { 'content-type': 'application/json' },
  });
  assert.equal(made.status, 201, made.html);
  assert.equal((await person.get(made.json.enter_url)).status, 303);
  return person;
}
