/* service.h: services, one JSON file each (contract 6; etc/schemas/service.json describes the members). Read at start, checked
 * with file and path in every error, then read-only. */
#ifndef PEYGIR_SERVICE_H
#define PEYGIR_SERVICE_H

#include "core/locale.h"
#include "core/rules.h"
#include "core/text.h"

#define FIELD_NEWS "notify_email"
struct service_field {
    char *name;             /* [a-z][a-z0-9_]*, never requestHash, otp, otpData, sealed */
    struct text *label, *hint, *placeholder; /* hint, placeholder may be NULL */
    char *type;             /* text, tel, number, email, select, checkbox, textarea, date, password, notify_email */
    char *autocomplete;     /* HTML autocomplete token or NULL */
    bool personal;          /* masked wherever an administrator sees it */
    struct rules *rules;
    struct service_choice { char *value; struct text *label; } *choices; /* select */
    size_t choice_count;
};
struct service_step {
    char *id;
    struct text *label;
    int progress;
    bool repeat; /* false: once reached, never run again by itself */
};
enum result_format { RESULT_TEXT, RESULT_NUMBER, RESULT_MONEY, RESULT_DATE, RESULT_LIST, RESULT_LINK };
const char *service_format_name(enum result_format format); /* "text", "number"... */
struct service_result {
    char *path; /* dotted path inside the result */
    struct text *label;
    enum result_format format;
};
struct service_code {
    bool used;           /* false: this service never asks for a code */
    int length;          /* 5 */
    int seconds;         /* 120 */
    int tries_code;      /* 3 */
    int tries_request;   /* 5 */
    int cooldown_s;      /* 60 */
    int resends;         /* 3 */
};
enum service_seal {
    SERVICE_SEAL_ON,     /* form and result lie sealed in Redis; a result that a bot wrote there itself is sealed when it is seen */
    SERVICE_SEAL_OFF,
    SERVICE_SEAL_STRICT  /* such a result fails the request */
};
struct service {
    char *slug;
    struct text *title, *summary, *submit; /* summary, submit may be NULL */
    int estimated_duration_s;
    char *handler;       /* "http" */
    struct service_field *fields;
    size_t field_count;
    struct service_step *steps;
    size_t step_count;
    struct service_result *results; /* none: a plain table */
    size_t result_count;
    struct service_code code;
    bool calls_resend, calls_cancel; /* the bot has …/resend-otp and …/cancel */
    int timeout_s, call_timeout_s, tries; /* 0: by configuration */
    int backoff_s;       /* -1: by configuration */
    enum service_seal seal;
};

struct services;
/* Every *.json in dir. ERR_CONFIG with file, path inside it and reason. */
int services_load(const char *dir, struct services **out, struct err *err);
void services_free(struct services *s);
size_t services_count(const struct services *s);
const struct service *services_at(const struct services *s, size_t index); /* by slug, ascending */
const char *services_sealing(const struct services *s); /* slug of one that seals its values; NULL: none does */
const struct service *services_find(const struct services *s, struct span slug); /* NULL: none */
/* One file, for `peygir service check`. */
int service_load(const char *file, struct service **out, struct err *err);
void service_free(struct service *s);

/* The field of type notify_email, where a visitor leaves an address for news (news.h); NULL: there is none. */
const struct service_field *service_news_field(const struct service *s);
/* Append its value among those that service_validate found good; nothing where there is none. */
void service_news_to(const struct service *s, rules_lookup lookup, void *ctx, struct str *out);
/* Validate submitted values. 1: good, *data is the JSON object text to store (only declared fields but notify_email, normalised; absent optional ones
 * left out; "field_confirmation" values dropped); 0: some are broken: `broken` is called for each with its sentence, borrowed for
 * the call; data untouched. A select takes nothing but its choices. */
typedef void (*service_broken)(void *ctx, const struct service_field *field, const char *sentence);
int service_validate(const struct service *s, rules_lookup lookup, void *ctx, const struct locale *locale, service_broken broken,
                     void *broken_ctx, struct str *data);
/* Index of the step with this id, or -1. */
int service_step_index(const struct service *s, struct span id);

#endif
