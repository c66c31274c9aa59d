// json.js: members of a JSON text found and replaced where they stand, so that what nobody sets stays byte for byte: a number that
// JavaScript cannot hold, an empty array that others would write as an object, bytes that are no UTF-8. Texts are therefore strings
// of bytes here, one character a byte ("latin1").

export const toBytes = (text) => Buffer.from(text, 'utf8').toString('latin1');
export const fromBytes = (bytes) => Buffer.from(bytes, 'latin1').toString('utf8');

// NUL and half a surrogate pair are what readers written in C do not take.
const clean = (text) => Buffer.from(text.replaceAll('\0', '\ufffd'), 'utf8').toString('utf8');

/** A text as JSON; null and undefined are null. */
export const quote = (text) => (text === null || text === undefined ? 'null' : toBytes(JSON.stringify(clean(String(text)))));

/** Any value as JSON; undefined when it has none. */
export function encode(value) {
  const json = JSON.stringify(value, (key, part) => (typeof part === 'string' ? clean(part) : part));
  return json === undefined ? undefined : toBytes(json);
}

const LEVELS_MAX = 32, MEMBERS_MAX = 256;

function isPlain(value, levels) {
  if (typeof value === 'string') return !/[\0\p{Cs}]/u.test(value);
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0 || (!Array.isArray(value) && Object.keys(value).length > MEMBERS_MAX)) return false;
  return Object.entries(value).every(([name, part]) => isPlain(name, levels) && isPlain(part, levels - 1));
}

/** Whether Peygir takes it for JSON (json_check of base/json.c, but for names that stand twice). */
export function isSound(raw) {
  try {
    return isPlain(JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(raw, 'latin1'))), LEVELS_MAX);
  } catch {
    return false;
  }
}

/** Bytes of a message or step: one that is reported; one that a bot wrote past the guard. */
export const TEXT_MAX = 500, WRITTEN_MAX = 16_384;

/** A text cut to so many bytes, not inside a character. */
export function clip(text, max) {
  const bytes = toBytes(text);
  let end = Math.min(max, bytes.length);
  while (end < bytes.length && end > 0 && (bytes.charCodeAt(end) & 0xc0) === 0x80) end--;
  return fromBytes(bytes.slice(0, end));
}

function skipSpace(text, at) {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at++;
  return at;
}

// `at` stands behind the opening quote; -1: the string does not end.
function stringEnd(text, at) {
  for (let quoteAt = text.indexOf('"', at); quoteAt >= 0; quoteAt = text.indexOf('"', quoteAt + 1)) {
    let first = quoteAt;
    while (first > at && text[first - 1] === '\\') first--;
    if ((quoteAt - first) % 2 === 0) return quoteAt + 1;
  }
  return -1;
}

// Brackets are counted, not paired.
function nestedEnd(text, at) {
  const marks = /["{}[\]]/g;
  let depth = 0;
  marks.lastIndex = at;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    if (mark[0] === '"') {
      marks.lastIndex = stringEnd(text, marks.lastIndex);
      if (marks.lastIndex <= 0) return -1;
    } else if (mark[0] === '{' || mark[0] === '[') {
      depth++;
    } else if (--depth === 0) {
      return marks.lastIndex;
    }
  }
  return -1;
}

function valueEnd(text, at) {
  if (text[at] === '"') return stringEnd(text, at + 1);
  if (text[at] === '{' || text[at] === '[') return nestedEnd(text, at);
  const scalar = /[A-Za-z0-9+.-]+/y;
  scalar.lastIndex = at;
  return scalar.test(text) ? scalar.lastIndex : -1;
}

// The key of a member: as it stands when it has no escapes.
function keyOf(raw) {
  if (!raw.includes('\\')) return raw;
  try {
    return toBytes(JSON.parse(`"${fromBytes(raw)}"`));
  } catch {
    return null;
  }
}

/** [{ key, start, end }] of the top-level members, with the places of their values; null: it is no object. */
export function members(text) {
  const list = [];
  let at = skipSpace(text, 0);
  if (text[at] !== '{') return null;
  at = skipSpace(text, at + 1);
  while (text[at] !== '}') {
    if (list.length > 0) {
      if (text[at] !== ',') return null;
      at = skipSpace(text, at + 1);
    }
    if (text[at] !== '"') return null;
    const keyEnd = stringEnd(text, at + 1), colon = keyEnd < 0 ? -1 : skipSpace(text, keyEnd);
    if (colon < 0 || text[colon] !== ':') return null;
    const start = skipSpace(text, colon + 1), end = valueEnd(text, start);
    if (end < 0) return null;
    list.push({ key: keyOf(text.slice(at + 1, keyEnd - 1)), start, end });
    at = skipSpace(text, end);
  }
  return skipSpace(text, at + 1) === text.length ? list : null;
}

/** The raw values of these members, in an object; null: it is no object. A key that stands twice counts as its last. */
export function pick(text, keys) {
  const list = text === undefined ? null : members(text);
  if (!list) return null;
  const found = {};
  for (const { key, start, end } of list) if (keys.includes(key)) found[key] = text.slice(start, end);
  return found;
}

/** The text with these members set: replaced where they stand, new ones behind the last. `values` maps a key to JSON text. */
export function set(text, values) {
  const list = members(text), seen = new Set();
  let out = '', done = 0;
  for (const { key, start, end } of list) {
    if (!values.has(key)) continue;
    out += text.slice(done, start) + values.get(key);
    done = end;
    seen.add(key);
  }
  const after = list.length > 0 ? list.at(-1).end : text.indexOf('{') + 1;
  const added = [...values].filter(([key]) => !seen.has(key)).map(([key, value]) => `"${key}":${value}`);
  if (added.length > 0 && list.length > 0) added.unshift('');
  return out + text.slice(done, after) + added.join(',') + text.slice(after);
}

/** The text of a raw string; null: it is none. */
export function stringOf(raw) {
  if (raw?.[0] !== '"') return null;
  try {
    return JSON.parse(fromBytes(raw));
  } catch {
    return null;
  }
}

/** A raw number, whole. */
export function intOf(raw, fallback) {
  if (raw === undefined || raw.length >= 64 || !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(raw)) return fallback;
  const number = Math.trunc(Number(raw));
  return Number.isSafeInteger(number) ? number : fallback;
}

/** ms of a raw RFC 3339 time; 0: it is none. */
export const timeOf = (raw) => Date.parse(stringOf(raw) ?? '') || 0;
