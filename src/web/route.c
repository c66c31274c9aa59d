/* route.c: the table, and finding a row in it. */
#include "web/route.h"

/* Making a request. */
#define SEND (DEMAND_SESSION | DEMAND_CSRF | DEMAND_PERSON)
/* What visitors do with a request of theirs. */
#define LOOK (DEMAND_SESSION | DEMAND_REQUEST)
#define ACT (LOOK | DEMAND_CSRF | DEMAND_PERSON)
/* What administrators do. */
#define ADMIN (ROUTE_ADMIN | DEMAND_ADMIN | DEMAND_PERSON)
/* What programs of the house do. */
#define PROGRAM (ROUTE_API | DEMAND_TOKEN(TOKEN_SITE) | DEMAND_TOKEN(TOKEN_BOT))
#define SITE (ROUTE_API | DEMAND_TOKEN(TOKEN_SITE))
#define BOT (ROUTE_API | DEMAND_TOKEN(TOKEN_BOT))
/* What scripts of pages do, and API clients. */
#define CLIENT (ROUTE_API | DEMAND_TOKEN(TOKEN_API))

const struct route routes[] = {
    { METHOD_GET, "/", page_home, 0, LIMIT_READ, NULL },
    { METHOD_GET, "/services/{service}", page_form, DEMAND_SESSION | DEMAND_NEWCOMER | DEMAND_PERSON | DEMAND_OPEN,
      LIMIT_READ, page_form_closed },
    { METHOD_POST, "/services/{service}", page_form_submit, SEND | DEMAND_NEWCOMER | DEMAND_OPEN, LIMIT_SUBMIT, page_form_refused },
    { METHOD_GET, "/services/{service}/progress/{hash}", page_progress, LOOK | DEMAND_PLACE | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_GET, "/services/{service}/otp/{hash}", page_otp, LOOK | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_POST, "/services/{service}/otp/{hash}", page_otp_submit, ACT, LIMIT_CODE, NULL },
    { METHOD_POST, "/services/{service}/cancel/{hash}", page_cancel, ACT, LIMIT_CANCEL, NULL },
    { METHOD_POST, "/services/{service}/resend-otp/{hash}", page_otp_resend, ACT, LIMIT_RESEND, NULL },
    { METHOD_GET, "/services/{service}/result/{hash}", page_result, LOOK | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_GET, "/requests", page_requests, DEMAND_SESSION | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_GET, "/data", page_market, DEMAND_SESSION | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_POST, "/services/{service}/delete/{hash}", page_delete, ACT, LIMIT_CANCEL, NULL },
    { METHOD_POST, "/requests/delete", page_delete_all, SEND, LIMIT_CANCEL, NULL },

    { METHOD_GET, "/enter", page_enter, DEMAND_SESSION, LIMIT_SIGN_IN, NULL },
    { METHOD_GET, "/account/sessions", page_account, DEMAND_SESSION | DEMAND_USER | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_POST, "/account/sessions/revoke", page_account_revoke, SEND | DEMAND_USER, LIMIT_CANCEL, NULL },
    { METHOD_POST, "/account/sessions/revoke-others", page_account_revoke_others, SEND | DEMAND_USER, LIMIT_CANCEL, NULL },
    { METHOD_POST, "/account/sign-out", page_account_sign_out, SEND | DEMAND_USER, LIMIT_CANCEL, NULL },

    { METHOD_GET, "/notifications", page_notifications, DEMAND_SESSION | DEMAND_USER | DEMAND_PERSON, LIMIT_READ, NULL },
    { METHOD_POST, "/notifications/read", page_notifications_read, SEND | DEMAND_USER, LIMIT_CANCEL, NULL },

    { METHOD_GET, "/admin", page_admin, ADMIN, LIMIT_READ, page_sign_in_first },
    { METHOD_GET, "/admin/sign-in", page_sign_in, ROUTE_ADMIN, LIMIT_READ, NULL },
    { METHOD_POST, "/admin/sign-in", page_sign_in_submit, ROUTE_ADMIN | DEMAND_CSRF, LIMIT_SIGN_IN, page_sign_in_refused },
    { METHOD_POST, "/admin/sign-out", page_sign_out, ADMIN | DEMAND_CSRF, LIMIT_CANCEL, page_sign_in_first },

    { METHOD_GET, "/api/services", api_services, ROUTE_API, LIMIT_READ, NULL },
    { METHOD_GET, "/api/data/{source}/{method}", api_data, ROUTE_API | ROUTE_LOOKS | DEMAND_DATA, LIMIT_READ, NULL },
    { METHOD_POST, "/api/local-requests", api_request_create, CLIENT | SEND, LIMIT_SUBMIT, NULL },
    { METHOD_GET, "/api/local-requests/{hash}/status", api_request_status, CLIENT | ROUTE_LOOKS | LOOK | DEMAND_PLACE, LIMIT_READ, NULL },
    { METHOD_GET, "/api/local-requests/{hash}/result", api_request_result, CLIENT | ROUTE_LOOKS | LOOK, LIMIT_READ, NULL },
    { METHOD_POST, "/api/local-requests/{hash}/cancel", api_request_cancel, CLIENT | ACT, LIMIT_CANCEL, NULL },
    { METHOD_POST, "/api/local-requests/{hash}/otp", api_otp_submit, CLIENT | ACT, LIMIT_CODE, NULL },
    { METHOD_POST, "/api/local-requests/{hash}/resend-otp", api_otp_resend, CLIENT | ACT, LIMIT_RESEND, NULL },

    { METHOD_GET, "/api/notifications", api_notifications, ROUTE_API | DEMAND_SESSION | DEMAND_USER, LIMIT_READ, NULL },
    { METHOD_POST, "/api/notifications/{id}/read", api_notification_read, ROUTE_API | SEND | DEMAND_USER, LIMIT_CANCEL, NULL },
    { METHOD_POST, "/api/notifications/read", api_notifications_read, ROUTE_API | SEND | DEMAND_USER, LIMIT_CANCEL, NULL },

    { METHOD_POST, "/api/internal/jobs", api_jobs_create, PROGRAM, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/jobs/{id}", api_job_view, PROGRAM, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/jobs/{id}/cancel", api_job_cancel, PROGRAM, LIMIT_NONE, NULL },

    { METHOD_GET, "/api/internal/local-requests/{hash}", api_bot_state, BOT, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/local-requests/{hash}/progress", api_bot_progress, BOT, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/local-requests/{hash}/otp-required", api_bot_code, BOT, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/local-requests/{hash}/completed", api_bot_completed, BOT, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/local-requests/{hash}/failed", api_bot_failed, BOT, LIMIT_NONE, NULL },

    { METHOD_POST, "/api/internal/limits/{id}", api_limit_count, SITE, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/health", api_health, SITE, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/stats", api_stats, SITE, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/cache/{key}", api_cache_get, SITE, LIMIT_NONE, NULL },
    { METHOD_PUT, "/api/internal/cache/{key}", api_cache_put, SITE | ROUTE_RAW, LIMIT_NONE, NULL },
    { METHOD_DELETE, "/api/internal/cache/{key}", api_cache_forget, SITE, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/cache/invalidate", api_cache_invalidate, SITE, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/presence", api_presence, SITE, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/notifications", api_notifications_create, SITE, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/reminders", api_reminders_create, SITE, LIMIT_NONE, NULL },
    { METHOD_DELETE, "/api/internal/reminders/{id}", api_reminder_answered, SITE, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/commission", api_commission, SITE, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/sessions", api_sessions_create, SITE, LIMIT_NONE, NULL },
    { METHOD_GET, "/api/internal/sessions/current", api_session_current, SITE, LIMIT_NONE, NULL },
    { METHOD_POST, "/api/internal/sessions/revoke", api_sessions_revoke, SITE, LIMIT_NONE, NULL },

    { METHOD_GET, "/healthz", api_healthz, ROUTE_API | ROUTE_ALWAYS, LIMIT_NONE, NULL },
    { METHOD_GET, "/readyz", api_readyz, ROUTE_API | ROUTE_ALWAYS, LIMIT_NONE, NULL },
    { METHOD_GET, "/metrics", api_metrics, ROUTE_API | ROUTE_ALWAYS, LIMIT_NONE, NULL },
};
const size_t route_count = ARRAY_LEN(routes);

/* The next piece of a pattern between slashes; absent at its end. */
static struct span next_piece(const char **pattern)
{
    const char *start = *pattern + 1, *stop;

    if (**pattern != '/' || *start == '\0')
        return (struct span){ NULL, 0 };
    stop = strchrnul(start, '/');
    *pattern = stop;
    return (struct span){ start, (size_t)(stop - start) };
}

/* Where a placeholder's value goes; NULL: the piece is none. */
static struct span *name_of(struct span piece, struct route_names *names)
{
    if (span_is(piece, "{service}"))
        return &names->slug;
    if (span_is(piece, "{hash}"))
        return &names->hash;
    if (span_is(piece, "{key}"))
        return &names->key;
    if (span_is(piece, "{source}"))
        return &names->source;
    if (span_is(piece, "{method}"))
        return &names->method;
    return span_is(piece, "{id}") ? &names->id : NULL;
}

static bool matches(const char *pattern, const struct span segments[], size_t count, struct route_names *names)
{
    struct span piece;
    size_t i = 0;

    *names = (struct route_names){ .slug = { NULL, 0 } };
    while ((piece = next_piece(&pattern)).s) {
        struct span *name = name_of(piece, names);

        if (i == count || segments[i].len == 0)
            return false;
        if (name)
            *name = segments[i];
        else if (!span_eq(piece, segments[i]))
            return false;
        i++;
    }
    return i == count;
}

const struct route *route_find(enum method method, const struct span segments[], size_t count, struct route_names *names,
                               enum problem *problem)
{
    enum method wanted = method == METHOD_HEAD ? METHOD_GET : method;

    *problem = PROBLEM_NOT_FOUND;
    for (size_t i = 0; i < route_count; i++) {
        if (!matches(routes[i].pattern, segments, count, names))
            continue;
        *problem = routes[i].method == wanted ? PROBLEM_NONE : PROBLEM_METHOD;
        if (*problem == PROBLEM_NONE)
            return &routes[i];
    }
    *names = (struct route_names){ .slug = { NULL, 0 } };
    return NULL;
}

void route_allowed(const struct span segments[], size_t count, struct str *out)
{
    struct route_names names;

    for (size_t i = 0; i < route_count; i++) {
        if (!matches(routes[i].pattern, segments, count, &names))
            continue;
        str_adds(out, out->len ? ", " : "");
        str_adds(out, routes[i].method == METHOD_GET ? "GET, HEAD" : exchange_method(routes[i].method));
    }
}

bool route_is_api(const struct span segments[], size_t count)
{
    struct route_names names;

    for (size_t i = 0; i < route_count; i++)
        if ((routes[i].flags & ROUTE_API) && matches(routes[i].pattern, segments, count, &names))
            return true;
    return false;
}
