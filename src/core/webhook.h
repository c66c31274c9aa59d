/* webhook.h: API clients are called when a request of theirs needs a code or has ended, as Standard Webhooks 1.0.0 says
 * (standardwebhooks.com): POST of {"type", "timestamp", "data"} with the headers webhook-id, webhook-timestamp and webhook-signature.
 *
 * Where a client may be called is said when its token is made: a list of addresses, each whole, or a beginning when it ends with a slash.
 * Its secret follows from its token's digest and PEYGIR_SECRET_FILE and is stored nowhere; each key of that file signs, so that a client
 * has what it checks with replaced while the old key is still there (`peygir token secret`). */
#ifndef PEYGIR_WEBHOOK_H
#define PEYGIR_WEBHOOK_H

#include "core/secret.h"

#define WEBHOOK_URL_MAX 512
#define WEBHOOK_ADDRESSES_MAX 1024 /* bytes of a token's list */

/* NULL, or what is wrong with the address, to follow "It ". http or https with a host and a path, visible ASCII without blanks, quotes and
 * commas; no user, fragment, backslash, "." or ".." in its path, also not escaped. */
const char *webhook_url_wrong(struct span url);
/* Append scheme, host and port as they stand in a well-formed address: "https://host:8443". */
void webhook_add_origin(struct str *out, struct span url);
/* Addresses with commas between them, as a token keeps them, appended with blanks between. 0 or -1 (ERR_INVALID). */
int webhook_addresses(struct str *out, struct span given, struct err *err);
/* Is this well-formed address one of them? */
bool webhook_allows(struct span addresses, struct span url);

/* "whsec_" and base64, for the holder of the token with this digest, under key `index`. */
void webhook_add_secret(struct str *out, const struct secret *s, size_t index, const char *digest);
/* The value of webhook-signature: "v1,BASE64" for each key, with blanks between; HMAC-SHA-256 of "id.timestamp.body". */
void webhook_add_signatures(struct str *out, const struct secret *s, const char *digest, const char *id, int64_t timestamp_s, struct span body);

/* {"url": …, "token": digest}: what a request remembers of it (listener.h). And back; false: it is none. */
void webhook_add_listener(struct str *out, struct span url, const char *digest);
bool webhook_read_listener(struct span json, struct str *url, struct str *digest);

#endif
