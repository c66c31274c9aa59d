/* keyspace.h: how many keys of which kind Redis holds, guessed from some that it picks at random: nothing is scanned, however many they are. */
#ifndef PEYGIR_KEYSPACE_H
#define PEYGIR_KEYSPACE_H

#include "core/app.h"

#define KEYSPACE_SAMPLE 256 /* so many are asked for in each database; a kind that has p of the keys is off by about sqrt(p (1 - p) / 256) */
#define KEYSPACE_FAMILIES 32

struct keyspace_family {
    char name[32];   /* "requests", "jobs", "queues", "sessions", "limit", …; "other": not Peygir's */
    int64_t count;   /* guessed */
};
struct keyspace {
    int64_t total;   /* counted, of all databases */
    struct keyspace_family family[KEYSPACE_FAMILIES]; /* the largest first */
    size_t families;
};
/* Of the databases of requests, sessions and cache; one that is away counts for nothing. 0; -1: the main one is away. A round trip each. */
int keyspace_guess(struct app *app, struct keyspace *out, struct err *err);
/* What a key is, by its name: the last part of a family's name that it falls into. For keyspace.c and its test. */
void keyspace_family(const struct house *h, struct span key, char out[32]);

#endif
