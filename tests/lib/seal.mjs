// seal.mjs: opens the values that Peygir seals, written from their description (README, "Personal data") and not from its code:
// HMAC-SHA-256 for the key, HChaCha20 (draft-irtf-cfrg-xchacha-03) and ChaCha20-Poly1305 (RFC 8439) for the value.
import crypto from 'node:crypto';
import fs from 'node:fs';

const sha256 = (data) => crypto.createHash('sha256').update(data).digest();
const hmac = (key, data = '') => crypto.createHmac('sha256', key).update(data).digest();

// The key of a line for one purpose: each part of an HMAC is preceded by its length in eight bytes.
function derive(line, purpose) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(purpose.length));
  return hmac(hmac(sha256(line), Buffer.concat([length, Buffer.from(purpose)])));
}

function hchacha20(key, nonce) {
  const word = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
  for (let i = 0; i < 32; i += 4) word.push(key.readUInt32LE(i));
  for (let i = 0; i < 16; i += 4) word.push(nonce.readUInt32LE(i));
  const mix = (a, b, d, bits) => {
    word[a] = (word[a] + word[b]) >>> 0;
    const x = word[d] ^ word[a];
    word[d] = ((x << bits) | (x >>> (32 - bits))) >>> 0;
  };
  const quarter = (a, b, c, d) => {
    mix(a, b, d, 16);
    mix(c, d, b, 12);
    mix(a, b, d, 8);
    mix(c, d, b, 7);
  };
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i);
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4));
  }
  const out = Buffer.alloc(32);
  [...word.slice(0, 4), ...word.slice(12)].forEach((value, i) => out.writeUInt32LE(value, 4 * i));
  return out;
}

export const isSealed = (value) => /^v\d+:/.test(value?.sealed) && Object.keys(value).length === 1;

// What was sealed as `field` of request `hash`, with the keys of a secret file; null when it is of none of them. Throws when it was
// changed.
export function openSealed(secretFile, hash, field, value) {
  const [version, id, text] = value.sealed.split(':');
  const lines = fs.readFileSync(secretFile, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
  const line = lines.find((candidate) => derive(candidate, 'seal id').toString('hex').slice(0, 8) === id);
  if (version !== 'v1' || !line) return null;
  const bytes = Buffer.from(text, 'base64url'), nonce = bytes.subarray(0, 24), tag = bytes.subarray(-16);
  const subkey = hchacha20(derive(line, 'seal'), nonce.subarray(0, 16));
  const cipher = crypto.createDecipheriv('chacha20-poly1305', subkey, Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]), { authTagLength: 16 });
  cipher.setAAD(Buffer.from(`peygir v1\0${hash}\0${field}`), { plaintextLength: bytes.length - 40 });
  cipher.setAuthTag(tag);
  return JSON.parse(Buffer.concat([cipher.update(bytes.subarray(24, -16)), cipher.final()]).toString('utf8'));
}
