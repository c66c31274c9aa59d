/* secret.h: the keys of PEYGIR_SECRET_FILE and what is signed and sealed with them. The first key makes, all open. */
#ifndef PEYGIR_SECRET_H
#define PEYGIR_SECRET_H

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct secret;
/* One key a line, at least 32 characters each; # comments. Refuses a file that others may read or that is not there (ERR_CONFIG). */
int secret_load(const char *file, struct secret **out, struct err *err);
void secret_free(struct secret *s);

size_t secret_count(const struct secret *s);
/* A key of its own for `purpose`, made of key number `index`. It tells nothing about that key or other purposes. */
void secret_derive(const struct secret *s, size_t index, const char *purpose, uint8_t out[DIGEST_BYTES]);

/* HMAC of purpose and parts under the first key. `purpose` keeps uses apart ("csrf", "cookie", "submit", "seal"). */
void secret_sign(const struct secret *s, const char *purpose, const struct digest_part *parts, size_t count, uint8_t out[DIGEST_BYTES]);
/* Does mac match under any key? Constant time. */
bool secret_verify(const struct secret *s, const char *purpose, const struct digest_part *parts, size_t count, const uint8_t mac[DIGEST_BYTES]);
/* The same with the MAC as 64 lower-case hex digits. */
void secret_sign_hex(const struct secret *s, const char *purpose, struct span text, char out[DIGEST_HEX_SIZE]);
bool secret_verify_hex(const struct secret *s, const char *purpose, struct span text, struct span hex);

#endif
