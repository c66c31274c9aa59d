// visitor.mjs: a small HTTP client that behaves like a person's browser: keeps cookies, does not follow redirects by
// itself, fills in forms as they came. What it gives back is what the server said.
import assert from 'node:assert/strict';

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'", '#x2F': '/', '#x60': '`', '#x3D': '=' };

export const unescapeHtml = (text) =>
  text.replace(/&(#?\w+);/g, (all, name) => ENTITIES[name] ?? (name[0] === '#' ? String.fromCodePoint(Number(name.slice(1))) : all));

const attribute = (tag, name) => {
  const found = tag.match(new RegExp(`\\s${name}="([^"]*)"`));
  return found ? unescapeHtml(found[1]) : undefined;
};

// What a person reads: without tags, white space made one.
export const textOf = (html) =>
  unescapeHtml(
    html
      .replace(/<(script|style|head)\b[^]*?<\/\1>/g, ' ')
      .replace(/<[^>]*>/g, ' '),
  )
    .replace(/\s+/g, ' ')
    .trim();

function fieldsOf(html) {
  const fields = {};
  for (const [tag] of html.matchAll(/<input\b[^>]*>/g)) {
    const type = attribute(tag, 'type') ?? 'text';
    if (type === 'checkbox' && !/\schecked/.test(tag)) continue;
    if (attribute(tag, 'name')) fields[attribute(tag, 'name')] = attribute(tag, 'value') ?? '';
  }
  for (const [, tag, inside] of html.matchAll(/(<select\b[^>]*>)([^]*?)<\/select>/g)) {
    const options = [...inside.matchAll(/<option\b[^>]*>/g)].map(([option]) => option);
    const chosen = options.find((option) => /\sselected/.test(option)) ?? options[0];
    fields[attribute(tag, 'name')] = attribute(chosen, 'value') ?? '';
  }
  for (const [, tag, inside] of html.matchAll(/(<textarea\b[^>]*>)\n?([^]*?)<\/textarea>/g)) {
    fields[attribute(tag, 'name')] = unescapeHtml(inside);
  }
  return fields;
}

// One answer, its body read.
export class Answer {
  constructor(url, response, body) {
    this.url = url;
    this.status = response.status;
    this.headers = response.headers;
    this.body = body;
    this.html = body.toString('utf8');
  }

  get location() {
    return this.headers.get('location');
  }

  get type() {
    return this.headers.get('content-type');
  }

  get json() {
    return JSON.parse(this.html);
  }

  get text() {
    return textOf(this.html);
  }

  get title() {
    return unescapeHtml(this.html.match(/<title>([^]*?)<\/title>/)?.[1] ?? '');
  }

  get csrf() {
    return this.html.match(/<meta name="csrf-token" content="([^"]*)"/)?.[1];
  }

  get forms() {
    return [...this.html.matchAll(/(<form\b[^>]*>)([^]*?)<\/form>/g)].map(([, tag, inside]) => ({
      action: attribute(tag, 'action'),
      method: attribute(tag, 'method') ?? 'get',
      fields: fieldsOf(inside),
    }));
  }

  get links() {
    return [...this.html.matchAll(/<a\b[^>]*>/g)].map(([tag]) => attribute(tag, 'href'));
  }

  // The form whose address contains this text.
  form(part) {
    const form = this.forms.find(({ action }) => action.includes(part));
    assert.ok(form, `no form for ${part} on ${this.url}:\n${this.text}`);
    return form;
  }

  // What stands in the error summary: [{ href, text }].
  get mistakes() {
    const summary = this.html.match(/<div class="error-summary"[^]*?<\/ul>/)?.[0] ?? '';
    return [...summary.matchAll(/<a href="([^"]*)">([^]*?)<\/a>/g)].map(([, href, text]) => ({ href, text: textOf(text) }));
  }
}

// Debian 12's Node.js has a fetch without getSetCookie(); none of our cookies has a comma in it.
function setCookies(headers) {
  if (headers.getSetCookie) return headers.getSetCookie();
  return headers.get('set-cookie')?.split(/,\s*/) ?? [];
}

export class Visitor {
  constructor(base, { language = 'en', headers = {} } = {}) {
    this.base = base;
    this.cookies = new Map();
    this.setCookies = []; // every Set-Cookie line ever received
    this.headers = { 'accept-language': language, ...headers };
  }

  async fetch(path, { method = 'GET', headers = {}, body, signal } = {}) {
    const url = new URL(path, this.base).href;
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method,
      body,
      redirect: 'manual',
      headers: { ...this.headers, ...(cookie && { cookie }), ...headers },
      signal: signal ?? AbortSignal.timeout(30_000),
    });
    this.keep(setCookies(response.headers));
    return new Answer(url, response, Buffer.from(await response.arrayBuffer()));
  }

  keep(lines) {
    for (const line of lines) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      this.setCookies.push(line);
      this.cookies.set(name, value);
    }
  }

  // --- pages ---

  get(path, headers) {
    return this.fetch(path, { headers });
  }

  post(path, fields = {}, headers = {}) {
    const body = typeof fields === 'string' || Buffer.isBuffer(fields) ? fields : new URLSearchParams(fields).toString();
    return this.fetch(path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', ...headers },
    });
  }

  // A page after at most five redirects.
  async open(path) {
    let answer = await this.get(path);
    for (let i = 0; i < 5 && answer.status >= 300 && answer.status < 400; i++) answer = await this.get(answer.location);
    return answer;
  }

  // Fill in the form of a page and send it.
  send(form, values = {}) {
    return this.post(form.action, { ...form.fields, ...values });
  }

  // Open the form of a service, fill it in, send it: the answer.
  async submit(service, values) {
    const page = await this.get(`/services/${service}`);
    assert.equal(page.status, 200, page.text);
    return this.send(page.form(`/services/${service}`), values);
  }

  // The same, and it must succeed: the hash of the request.
  async request(service, values) {
    const answer = await this.submit(service, values);
    assert.equal(answer.status, 303, answer.text);
    const [, hash] = answer.location.match(/\/progress\/(req_[0-9A-HJKMNP-TV-Z]{26})$/);
    return hash;
  }

  // --- JSON ---

  async token() {
    this.csrf ??= (await this.get('/services/document-ocr')).csrf;
    return this.csrf;
  }

  async postJson(path, value, headers = {}) {
    const body = value === undefined ? undefined : typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
    return this.fetch(path, {
      method: 'POST',
      body,
      headers: {
        'x-csrf-token': await this.token(),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
    });
  }

  // A JSON route that must answer 200: the value.
  async json(path) {
    const answer = await this.get(path);
    assert.equal(answer.status, 200, answer.html);
    return answer.json;
  }

  view(hash) {
    return this.json(`/api/local-requests/${hash}/status`);
  }

  async requestJson(service, data, headers) {
    const answer = await this.postJson('/api/local-requests', { service, data }, headers);
    assert.equal(answer.status, 202, answer.html);
    return answer.json.hash;
  }

  act(hash, what, value) {
    return this.postJson(`/api/local-requests/${hash}/${what}`, value);
  }
}
