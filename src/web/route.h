/* route.h: THE table of routes. A row says what a route demands; the dispatcher enforces it, so that pages contain
 * no guards. To add a route: write its function, declare it below, add a row. */
#ifndef PEYGIR_WEB_ROUTE_H
#define PEYGIR_WEB_ROUTE_H

#include "core/limit.h"
#include "web/exchange.h"

/* Answers, or says what is wrong (x->err, x->detail). */
typedef enum problem (*route_function)(struct exchange *x);

enum route_flags {
    ROUTE_API = 1,       /* errors are problem+json, a body is JSON; else HTML and urlencoded */
    DEMAND_SESSION = 2,  /* find out who asks: a stored session is looked up in Redis */
    DEMAND_NEWCOMER = 4, /* who has no session gets a signed cookie (a page with a form) */
    DEMAND_CSRF = 8,     /* a token of the visitor's own */
    DEMAND_REQUEST = 16, /* {hash} exists, belongs to the visitor, and {service} is its service; else 404 */
    DEMAND_PERSON = 32,  /* a person asked for it: counts as activity of signed-in users too */
    DEMAND_PLACE = 64,   /* with DEMAND_REQUEST: the place in the queue as well */
    ROUTE_ALWAYS = 128,  /* answered also when too much is waiting */
    DEMAND_DATA = 2048,  /* what the cache has fresh of {source} and {method}, where that lies on the same server */
    ROUTE_LOOKS = 512,   /* GET with DEMAND_REQUEST or DEMAND_DATA whose function asks Redis nothing: several share a round trip */
    DEMAND_OPEN = 256,   /* {service} is not closed. Not with DEMAND_REQUEST: requests already made go on */
    ROUTE_RAW = 1 << 10, /* with ROUTE_API: a body of any type is taken as it is, and may be as large as a value of the cache */
    DEMAND_USER = 1 << 14, /* signed in by the host site */
    ROUTE_ADMIN = 4096,  /* of the administrators' area: cookies and forms of its own, and nothing of the visitor's session */
    DEMAND_ADMIN = 8192, /* with ROUTE_ADMIN: an administrator who has signed in; for anyone else PROBLEM_FORBIDDEN */
};
/* A bearer token of this role; of any of them, when there are several. Such routes know no cookies, and so no session and no
 * CSRF. With DEMAND_SESSION either will do: who sends a token is an API client, whom DEMAND_CSRF does not concern, for no browser
 * sends one by itself. */
#define DEMAND_TOKEN(role) (1u << (16 + (role)))
#define DEMAND_SOME_TOKEN (DEMAND_TOKEN(TOKEN_ROLES) - DEMAND_TOKEN(0))

struct route {
    enum method method;      /* GET serves HEAD too */
    const char *pattern;     /* "/services/{service}/otp/{hash}" */
    route_function function;
    unsigned flags;
    enum limit_id limit;     /* how often a session and an address may ask; LIMIT_NONE: without limit */
    route_function refused;  /* answers x->problem in its own way (the form with its values); NULL: the error page */
};
static inline bool demands(const struct exchange *x, unsigned flag)
{
    return (x->route->flags & flag) != 0;
}

extern const struct route routes[];
extern const size_t route_count;

/* Does it take nothing but a token? */
static inline bool route_is_for_programs(const struct route *route)
{
    return (route->flags & DEMAND_SOME_TOKEN) && !(route->flags & DEMAND_SESSION);
}

/* What stands in a path for {service}, {hash}, {id}, {key}, {source} and {method}; absent when the pattern has none. */
struct route_names {
    struct span slug, hash, id, key, source, method;
};
/* The row for method and path, with its names; *problem is PROBLEM_NONE. NULL: *problem is PROBLEM_NOT_FOUND, or PROBLEM_METHOD
 * when another method would do; no names. */
const struct route *route_find(enum method method, const struct span segments[], size_t count, struct route_names *names,
                               enum problem *problem);
/* Append the methods the path has ("GET, HEAD, POST"); nothing for an unknown path. */
void route_allowed(const struct span segments[], size_t count, struct str *out);
/* Does the path answer programs (ROUTE_API), by whatever method? */
bool route_is_api(const struct span segments[], size_t count);

/* page_*.c and api_*.c: one function a row */
enum problem page_home(struct exchange *x);
enum problem page_form(struct exchange *x);
enum problem page_form_submit(struct exchange *x);
enum problem page_form_refused(struct exchange *x);
enum problem page_form_closed(struct exchange *x);
enum problem page_progress(struct exchange *x);
enum problem page_cancel(struct exchange *x);
enum problem page_otp(struct exchange *x);
enum problem page_otp_submit(struct exchange *x);
enum problem page_otp_resend(struct exchange *x);
enum problem page_result(struct exchange *x);
enum problem page_requests(struct exchange *x);
enum problem page_market(struct exchange *x);
enum problem page_delete(struct exchange *x);
enum problem page_delete_all(struct exchange *x);
enum problem page_enter(struct exchange *x);
enum problem page_account(struct exchange *x);
enum problem page_account_revoke(struct exchange *x);
enum problem page_account_revoke_others(struct exchange *x);
enum problem page_account_sign_out(struct exchange *x);
enum problem page_notifications(struct exchange *x);
enum problem page_notifications_read(struct exchange *x);
enum problem page_admin(struct exchange *x);
enum problem page_sign_in(struct exchange *x);
enum problem page_sign_in_submit(struct exchange *x);
enum problem page_sign_in_refused(struct exchange *x);
enum problem page_sign_in_first(struct exchange *x);
enum problem page_sign_out(struct exchange *x);
enum problem api_services(struct exchange *x);
enum problem api_data(struct exchange *x);
enum problem api_request_create(struct exchange *x);
enum problem api_request_status(struct exchange *x);
enum problem api_request_result(struct exchange *x);
enum problem api_request_cancel(struct exchange *x);
enum problem api_otp_submit(struct exchange *x);
enum problem api_otp_resend(struct exchange *x);
enum problem api_notifications(struct exchange *x);
enum problem api_notification_read(struct exchange *x);
enum problem api_notifications_read(struct exchange *x);
enum problem api_notifications_create(struct exchange *x);
enum problem api_reminders_create(struct exchange *x);
enum problem api_reminder_answered(struct exchange *x);
enum problem api_jobs_create(struct exchange *x);
enum problem api_job_view(struct exchange *x);
enum problem api_job_cancel(struct exchange *x);
enum problem api_limit_count(struct exchange *x);
enum problem api_cache_get(struct exchange *x);
enum problem api_cache_put(struct exchange *x);
enum problem api_cache_forget(struct exchange *x);
enum problem api_cache_invalidate(struct exchange *x);
enum problem api_presence(struct exchange *x);
enum problem api_health(struct exchange *x);
enum problem api_stats(struct exchange *x);
enum problem api_commission(struct exchange *x);
enum problem api_bot_state(struct exchange *x);
enum problem api_bot_progress(struct exchange *x);
enum problem api_bot_code(struct exchange *x);
enum problem api_bot_completed(struct exchange *x);
enum problem api_bot_failed(struct exchange *x);
enum problem api_sessions_create(struct exchange *x);
enum problem api_session_current(struct exchange *x);
enum problem api_sessions_revoke(struct exchange *x);
enum problem api_healthz(struct exchange *x);
enum problem api_readyz(struct exchange *x);
enum problem api_metrics(struct exchange *x);

#endif
