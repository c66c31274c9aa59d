/* api_presence.c: which users of the host site are here: /api/internal/presence. Its sentences are for operators, in English. */
#include "web/api.h"

#include "core/presence.h"
#include "web/dispatch.h"
#include "web/route.h"

struct asked {
    struct span user[PRESENCE_USERS];
    size_t count;
};

static bool is_asked(const struct asked *a, struct span user)
{
    for (size_t i = 0; i < a->count; i++)
        if (span_eq(a->user[i], user))
            return true;
    return false;
}

/* What stands before the next comma, which is taken off the list with it; an empty list has one such, and then there is none. */
static struct span next_id(struct span *list)
{
    const char *comma = memchr(list->s, ',', list->len);
    const struct span id = { list->s, comma ? (size_t)(comma - list->s) : list->len };

    *list = comma ? (struct span){ comma + 1, list->len - id.len - 1 } : (struct span){ NULL, 0 };
    return id;
}

/* Each id once. False: there are none, too many, or one is no id. */
static bool read_users(struct span list, struct asked *a)
{
    a->count = 0;
    while (list.s) {
        const struct session_new n = { .user_id = next_id(&list) };

        if (session_check(&n, NULL) < 0)
            return false;
        if (is_asked(a, n.user_id))
            continue;
        if (a->count == PRESENCE_USERS)
            return false;
        a->user[a->count++] = n.user_id;
    }
    return a->count > 0;
}

static void add_user(struct str *out, struct span user, const struct presence *p)
{
    str_add_json(out, user.s, user.len);
    str_adds(out, p->online ? ":{\"online\":true" : ":{\"online\":false");
    api_add_time(out, ",\"last_seen\":", p->seen_ms);
    str_addc(out, '}');
}

enum problem api_presence(struct exchange *x)
{
    struct presence found[PRESENCE_USERS];
    struct asked asked;
    struct str *out;

    if (!read_users(form_get(&x->query, "users"), &asked)) {
        str_addf(&x->said, "users must be 1 to %d user ids with commas between them, each 1 to %d bytes of text without control characters.",
                 PRESENCE_USERS, SESSION_USER_MAX);
        return PROBLEM_INVALID;
    }
    if (presence_read(&x->seat->app, asked.user, asked.count, found, &x->err) < 0)
        return exchange_fail(x);
    out = api_json(x, 200);
    str_adds(out, "{\"users\":{");
    for (size_t i = 0; i < asked.count; i++) {
        str_adds(out, i ? "," : "");
        add_user(out, asked.user[i], &found[i]);
    }
    str_adds(out, "}}");
    return PROBLEM_NONE;
}
