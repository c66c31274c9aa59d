/* submit.h: making a request out of validated values; shared by the form and the API. */
#ifndef PEYGIR_WEB_SUBMIT_H
#define PEYGIR_WEB_SUBMIT_H

#include "web/exchange.h"

/* The values of x->form against x->service. 1: good, *data is the JSON to store; 0: *wrong (made here, released by
 * the caller) has a sentence for each broken field, by name. */
int submit_check(struct exchange *x, struct str *data, struct json_object **wrong);
struct submission {
    struct span data;      /* from submit_check */
    struct span key;       /* absent or empty: every call makes a request of its own */
    bool exclusive;        /* a key that was used for other values is refused (ERR_STATE) */
    struct span listeners; /* who is told of it (listener.h); absent: nobody */
    const char *too_many;  /* out, with ERR_TOO_MANY: what is too much, a key of the catalogue with {time} */
};
/* Store the request, push its job, and turn a signed-cookie session into a stored one (an API client has none), all in one exchange. 0 and
 * the hash, the cookie is set when it is new; -1: x->err. */
int submit_request(struct exchange *x, struct submission *s, char hash[HASH_SIZE]);
/* A random submission key for a form. */
#define SUBMIT_KEY_SIZE 27
void submit_new_key(char out[SUBMIT_KEY_SIZE]);

#endif
