/* house.h: a house on a private redis-server, for tests of core: demonstration services, locales, a secret, one connection. */
#ifndef PEYGIR_UNIT_HOUSE_H
#define PEYGIR_UNIT_HOUSE_H

#include "core/request.h"

#define HOUSE_OWNER SPAN("0123456789ABCDEFGHJKMNPQRS")

/* Group set-up and tear-down; before each test: empty databases, the clock as it is. */
int house_setup(void **state);
int house_teardown(void **state);
int house_fresh(void **state);

struct app *house_app(void);
const struct service *house_service(const char *slug);
/* A new request of HOUSE_OWNER under the submission key; its hash, which lies in `hash`. */
struct span house_request(const char *key, char hash[HASH_SIZE]);
/* The same, taken up under run 1. */
struct span house_processing(const char *key, char hash[HASH_SIZE]);
struct request house_read(struct span hash);
/* A field of the document, opened when it is sealed (caller frees). */
char *house_field(struct span hash, enum document_field field);
/* Words of a redis-cli command, NULL at the end; its raw answer (caller frees). */
char *house_cli(const char *command, ...) __attribute__((sentinel));

#endif
