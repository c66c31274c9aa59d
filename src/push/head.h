/* head.h: what a visitor asked with: the head of a request, as nginx passes it on (nginx/peygir-locations.conf). Call it from the callback that
 * brings the request; the texts are copies. */
#ifndef PEYGIR_HEAD_H
#define PEYGIR_HEAD_H

#include "push/admit.h"
#include "push/lws.h"

#define HEAD_PATH_MAX 512

struct head {
    struct asker asker;
    const struct locale *locale;  /* ?lang=, the cookie, Accept-Language, as on every page */
    int64_t last_id;              /* Last-Event-ID; -1: none */
    char path[HEAD_PATH_MAX];
};
void head_read(struct lws *wsi, const struct house *house, struct span path, struct head *out);
void head_clear(struct head *head);

/* nginx asks with GET whatever the visitor asked with, and says so in a header of its own. */
bool head_is_get(struct lws *wsi);
/* A header into out of `size` bytes; absent, or too long, is "". One that libwebsockets does not know has its name in small letters, with
 * the colon. */
struct span head_known(struct lws *wsi, enum lws_token_indexes token, char *out, int size);
struct span head_own(struct lws *wsi, const char *name, char *out, int size);
/* A value of the query: 0 or more; -1: it is not there, -2: no such number. `name` with its "=". */
int64_t head_number(struct lws *wsi, const char *name);
/* May a page of this origin speak to us? One without (no browser), or the site's own (RFC 6455 10.2). */
bool head_same_origin(struct lws *wsi);

#endif
