/* seal.h: a value sealed at rest: XChaCha20-Poly1305 (libsodium) under a key that is derived from PEYGIR_SECRET_FILE.
 *
 *   {"sealed":"v1:KEYID:BASE64URL(nonce, ciphertext, tag)"}
 *
 * The first key seals, all open; KEYID says which one it was and tells nothing about it. A sealed value belongs to one field of one
 * request and opens nowhere else. No Redis here. */
#ifndef PEYGIR_SEAL_H
#define PEYGIR_SEAL_H

#include "core/secret.h"

/* Has it the form above, of this version or another? Whether it opens is another question. */
bool seal_is(struct span json);
/* Append `json`, sealed for `field` of request `hash`. */
void seal_add(struct str *out, const struct secret *s, struct span hash, const char *field, struct span json);
/* Append a sealed value as bytes, without base64: a quarter less; any other as it stands. And back. */
void seal_pack(struct str *out, struct span json);
void seal_unpack(struct str *out, struct span packed);
/* Append what was sealed. 1; 0: it is plain, nothing is appended; -1 (ERR_FAILED): it cannot be opened, and nothing is appended. The
 * sentence names request, field and key, never a value. s NULL: no key is known. */
int seal_open(struct str *out, const struct secret *s, struct span hash, const char *field, struct span json, struct err *err);

#endif
