// siphash.js: SipHash-2-4 under the key of zeros, as the check of a document in its guard is made (core/document.c).

const mask = (n) => BigInt.asUintN(64, n);
const rotate = (n, by) => mask((n << by) | (n >> (64n - by)));

function round(v) {
  v[0] = mask(v[0] + v[1]); v[1] = rotate(v[1], 13n) ^ v[0]; v[0] = rotate(v[0], 32n);
  v[2] = mask(v[2] + v[3]); v[3] = rotate(v[3], 16n) ^ v[2];
  v[0] = mask(v[0] + v[3]); v[3] = rotate(v[3], 21n) ^ v[0];
  v[2] = mask(v[2] + v[1]); v[1] = rotate(v[1], 17n) ^ v[2]; v[2] = rotate(v[2], 32n);
}

function add(v, word) {
  v[3] ^= word;
  round(v);
  round(v);
  v[0] ^= word;
}

/** The hash of a string of bytes, as a BigInt of 64 bits. */
export function siphash(bytes) {
  const data = Buffer.from(bytes, 'latin1'), whole = data.length - (data.length % 8), last = Buffer.alloc(8);
  const v = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];
  for (let at = 0; at < whole; at += 8) add(v, data.readBigUInt64LE(at));
  data.copy(last, 0, whole);
  last[7] = data.length & 255;
  add(v, last.readBigUInt64LE(0));
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i++) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
