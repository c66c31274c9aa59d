/* news.h: a visitor who leaves an address is told by e-mail that a code is needed and that the request has ended. The address is no value of
 * the request: it lies with who listens (listener.h), sealed unless the service says that its values may lie open, and no bot and no
 * administrator sees it. The job that tells is of type `mail`. */
#ifndef PEYGIR_NEWS_H
#define PEYGIR_NEWS_H

#include "core/request.h"

/* Append a line for listeners of the request `hash`: `address` gets news in this language. */
void news_add_listener(const struct house *house, struct str *lines, const char *hash, const struct service *service, struct span address,
                       const char *locale);

/* What a job has to tell. */
struct news {
    struct str to, locale;
    const char *template;
    struct str data; /* JSON object: service, link, failed */
};
/* From the payload of a listener's job and the job's id. With *out zeroed; release with news_free. 1; 0: nothing is to be told (a cancellation;
 * a code after the first, for whoever entered that is here); -1: ERR_INVALID: it is no such payload; ERR_CONFIG: an option is missing;
 * ERR_EXPIRED: what it tells of is over; ERR_FAILED: the address cannot be opened. No sentence holds an address. */
int news_read(const struct house *house, struct span payload, const char *job_id, struct news *out, struct err *err);
void news_free(struct news *n);
/* The service whose form asks for an address; NULL: none does. */
const struct service *news_service(const struct services *s);

#endif
