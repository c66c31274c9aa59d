/* source.h: sources of external data, one JSON file each, etc/sources/{source}.json (contract 6; etc/schemas/source.json describes the
 * members). Read at start, checked with file and path in every error, then read-only. What is fetched lies in the cache (core/cache.h)
 * under the name that source_add_name() gives. This layer makes no call: the worker does (worker/handler_fetch.c). */
#ifndef PEYGIR_SOURCE_H
#define PEYGIR_SOURCE_H

#include "core/app.h"
#include "core/locale.h"
#include "core/rules.h"
#include "core/text.h"

#define SOURCE_PARAMETERS 16  /* of a method, at most */
#define SOURCE_VALUE_MAX 128  /* bytes of a value */
#define SOURCE_BODY_MAX (4 * 1024 * 1024)

struct source_parameter {
    char *name;           /* as visitors and jobs give it */
    char *as;             /* what the source calls it in a query */
    bool in_path;         /* the path has a place for it; else it goes into the query */
    struct rules *rules;
    char *fallback;       /* NULL: none */
};
/* A part of the query that is a moment: so many seconds from when it is fetched, as seconds since 1970. Not part of the name. */
struct source_time {
    char *name;
    int64_t after_s;      /* < 0: before */
};
struct source_method {
    const struct source *source;
    char *name, *path;    /* the path with {parameter} in it */
    char *query;          /* what never changes, escaped: "order=asc&page=1"; NULL: nothing */
    struct source_parameter *parameters; /* by name, ascending */
    size_t parameter_count;
    struct source_time *times;
    size_t time_count;
    int64_t fresh_s, stale_s;
    char **tags;          /* NULL-terminated; NULL: none */
    struct source_call *refresh; /* what is fetched by the clock */
    size_t refresh_count;
};
struct source {
    char *name;
    struct text *title;
    char *address;        /* NULL: address_option tells */
    size_t address_option;
    bool private_network; /* it may lie in a private network */
    char *key_header, *key_query, *key_scheme; /* where the key goes; both NULL: it has none. "Bearer"; NULL: the key alone */
    char *key_file;       /* NULL: key_option tells */
    size_t key_option;
    char **headers;       /* "Name: value", NULL-terminated; NULL: none */
    int64_t per_count, per_s; /* so many fetches in so many seconds at most; 0: no limit */
    struct source_method *methods;
    size_t method_count;
};

/* A method with values for its parameters. NULL: not given, and without a default. */
struct source_call {
    const struct source_method *method;
    char *value[SOURCE_PARAMETERS];
};

struct sources;
/* Every *.json in dir. ERR_CONFIG with file, path inside it and reason. */
int sources_load(const char *dir, struct sources **out, struct err *err);
void sources_free(struct sources *s);
size_t sources_count(const struct sources *s);
const struct source *sources_at(const struct sources *s, size_t index); /* by name, ascending */
const struct source *sources_find(const struct sources *s, struct span name); /* NULL: none */
const struct source_method *source_find_method(const struct source *s, struct span name); /* NULL: none */
/* One file, for `peygir source check`. */
int source_load(const char *file, struct source **out, struct err *err);
void source_free(struct source *s);

/* --- one call --- */

struct source_given {
    struct span name, value;
};
/* 1: good, *call is filled (source_call_clear). 0: something is not: `broken` is called for each with the parameter's name and a sentence,
 * both borrowed for the call; *call is empty. Values are tidied, empty ones count as absent. A name that the method does not declare is broken. broken and
 * locale NULL: nothing is said. */
typedef void (*source_broken)(void *ctx, struct span name, const char *sentence);
int source_call_read(struct source_call *call, const struct source_method *method, const struct source_given given[], size_t count,
                     const struct locale *locale, source_broken broken, void *ctx);
void source_call_clear(struct source_call *call);
/* The same from the payload of a job, {"source", "method", "params"}; ERR_INVALID says what is wrong with it. 0 or -1. */
int source_call_of_payload(struct source_call *call, const struct sources *sources, struct span payload, const struct locale *locale,
                           struct err *err);
/* That payload. */
void source_add_payload(const struct source_call *call, struct str *out);
/* Its name in the cache: "crypto_list_page=1,vs_currency=usd", values escaped, in order of the parameters' names. One that would be longer than
 * SOURCE_NAME_MAX ends in the digest of its parameters instead. */
#define SOURCE_NAME_MAX 128
void source_add_name(const struct source_call *call, struct str *out);

/* --- where it is, as the administrator says --- */

/* Append its base, without a final slash. */
void source_add_address(const struct source *s, const struct settings *settings, struct str *out);
/* Has somebody said where it is: its file, or the administrator by the option? Then it is fetched by the clock as well. */
bool source_is_set(const struct source *s, const struct settings *settings);
/* May it lie in a private network? Its file says so, or the administrator set the address. */
bool source_may_be_private(const struct source *s, const struct settings *settings);

/* What the worker sends. An API key may be in it: it comes into no log, error or name. */
struct source_request {
    struct str url;
    struct str header;    /* the one with the key; empty: none */
};
/* 0, or -1 (ERR_CONFIG): the file of the key cannot be read. now_s: since 1970. */
int source_request(const struct source_call *call, const struct settings *settings, int64_t now_s, struct source_request *out, struct err *err);
void source_request_free(struct source_request *r);

#endif
