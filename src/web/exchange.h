/* exchange.h: one request and its answer. An exchange belongs to a thread and is used again and again: its buffers
 * keep their memory, so that a status poll allocates nothing here. It is filled in three steps: exchange_begin()
 * reads the CGI variables, the dispatcher adds what it found out (route, visitor, request), the route's function
 * writes the answer. */
#ifndef PEYGIR_WEB_EXCHANGE_H
#define PEYGIR_WEB_EXCHANGE_H

#include "core/admin_session.h"
#include "core/limit.h"
#include "core/request.h"
#include "core/session.h"
#include "core/source_fetch.h"
#include "core/token.h"
#include "web/form.h"
#include "web/problem.h"

#define EXCHANGE_SEGMENTS 8
#define EXCHANGE_BODY_MAX (64 * 1024)
#define EXCHANGE_TYPE_MAX 128

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_OTHER };
/* "GET"; of METHOD_OTHER "". */
const char *exchange_method(enum method method);

/* The CGI variables that are looked at; all others are ignored. */
enum param {
    PARAM_METHOD, PARAM_URI, PARAM_CONTENT_TYPE, PARAM_CONTENT_LENGTH, PARAM_REMOTE_ADDR, PARAM_HTTPS, PARAM_COOKIE,
    PARAM_LANGUAGE, PARAM_AGENT, PARAM_CSRF, PARAM_IDEMPOTENCY, PARAM_FETCH_SITE, PARAM_AUTHORIZATION, PARAM_ORIGIN, PARAM_HOST, PARAM_RUN, PARAM_SESSION,
    PARAMS
};

/* What an answer is: its type, and the headers that go with it. */
enum content { CONTENT_PAGE, CONTENT_JSON, CONTENT_PROBLEM, CONTENT_METRICS, CONTENT_BYTES /* `bytes_type` says of which type */ };

struct fcgi_io;
struct route;
struct seat;

struct exchange {
    struct seat *seat;           /* the thread's: connections, templates, catalogues */
    struct fcgi_io *io;          /* who waits for the answer */
    int64_t started_ms;          /* clock_mono_ms(); 0: nobody wants to know */

    /* the request as it came */
    struct span param[PARAMS];   /* absent: .s NULL */
    enum method method;
    bool https;
    struct span path;            /* as asked for, still encoded, without the query */
    struct span raw_query;
    struct span segment[EXCHANGE_SEGMENTS]; /* decoded */
    size_t segment_count;
    struct form query;
    struct str body;
    struct form form;            /* the body of a page's POST */
    struct json_object *json;    /* the body of an API's POST; NULL: none, or the route takes it as it is */

    /* what the dispatcher found out */
    const struct route *route;   /* NULL: none */
    const struct locale *locale; /* never NULL */
    struct span slug;            /* of the path; absent: the route has none */
    struct span hash;            /* likewise */
    struct span id;              /* of a job, notification or message, or the name of a limit; likewise */
    struct span key;             /* of the cache, not checked; likewise */
    struct span source, source_method; /* of external data; likewise */
    struct source_call call;     /* what is asked of it; .method NULL: no such thing, or not so */
    bool peeked, has_entry;      /* it was looked for along with all else; and found, fresh */
    struct cache_entry entry;    /* then: valid until the connection's next exchange */
    const struct service *service; /* of the path, or the request's; NULL: none */
    struct span cookie;          /* of the session, as it was sent; absent: none of use, or the route does not ask */
    struct span token;           /* the same when Redis must say what it is worth; else absent */
    struct span bearer;          /* a program's token, as it was sent, where the route takes one: no cookie is looked at then; else absent */
    bool bearer_holds;           /* it was made here and not revoked */
    struct token program;        /* then: whose it is */
    struct session session;      /* of an API client: its owner id alone */
    bool has_owner;              /* session.owner is known: a stored session, a signed cookie, a newcomer, or an API client */
    bool counted;                /* how often it is asked, once for each exchange */
    bool refused;                /* too often: `verdict` says more */
    struct limit_verdict verdict;
    enum limit_id limit;         /* what it is about; LIMIT_NONE: the route's */
    struct admin_session admin;  /* in the administrators' area: what its forms are bound to, and who has signed in */
    bool has_request;
    struct request request;      /* valid until the connection's next exchange */

    /* the answer */
    int status;
    enum content content;
    char bytes_type[EXCHANGE_TYPE_MAX + 1]; /* a media type without control bytes */
    struct str headers;          /* further header lines */
    struct str answer;           /* the body */
    bool no_store;               /* personal: nobody keeps a copy */
    bool own_life;               /* how long a copy may be kept is in `headers` */
    enum problem problem;        /* what is wrong, for the error page or problem+json */
    const char *detail;          /* a catalogue key that says it better than the problem's own; NULL: none */
    const char *detail_param[3]; /* name, value, NULL: filled into it; or NULL first */
    char detail_value[160];      /* backs the value */
    struct str said;             /* finished words that say it better still; empty: none */
    struct err err;
    bool dropped;                /* the peer is gone: send nothing */

    struct str out;              /* the whole answer as sent */
    struct str decoded;          /* backs segment[] */
    struct str words, scratch;   /* for whoever makes the answer */
};

void exchange_free(struct exchange *x);
/* Read the variables: method, path, query. 0; -1: the request line is no good (ERR_INVALID), and everything else is
 * set all the same. */
int exchange_begin(struct exchange *x, const char *const environ_vars[], struct err *err);
/* CONTENT_LENGTH: 0 when absent, -1 when it is no number. */
int64_t exchange_declared(const struct exchange *x);

/* Append one header line. Control bytes in the value are left out, so that no value makes a second line. */
void exchange_header(struct exchange *x, const char *name, struct span value);
void exchange_header_int(struct exchange *x, const char *name, int64_t value);
/* Put status line, headers and body together in x->out. */
void exchange_finish(struct exchange *x);

/* What x->err is as the return value of a route's function. */
enum problem exchange_fail(const struct exchange *x);
/* A problem said with a catalogue key of its own, and with one {name} filled in. */
enum problem exchange_say(struct exchange *x, enum problem problem, const char *detail);
enum problem exchange_say_with(struct exchange *x, enum problem problem, const char *detail, const char *name,
                               const char *value);
/* Append the sentence of x->problem, in the visitor's language. */
void exchange_add_sentence(struct exchange *x, struct str *out);

#endif
