/* session_look.c: sessions looked at and ended: one, a user's, by whoever may. */
#include "core/session.h"

#include "base/json.h"
#include "base/rnd.h"
#include "core/session_part.h"
#include "scripts.h"

/* --- views --- */

static void id_of_name(const struct house *h, struct span name, char out[SESSION_ID_LEN + 1])
{
    char hex[DIGEST_HEX_SIZE];

    if (h->plain_session_keys)
        digest_sha256_hex(name.s, name.len, hex);
    else
        snprintf(hex, sizeof hex, "%.*s", (int)(name.len < sizeof hex ? name.len : sizeof hex - 1), name.s);
    snprintf(out, SESSION_ID_LEN + 1, "%.*s", SESSION_ID_LEN, hex);
}

void session_id(const struct app *app, struct span token, char out[SESSION_ID_LEN + 1])
{
    char name[DIGEST_HEX_SIZE];

    session_part_name(app->house, token, name);
    id_of_name(app->house, span_of(name), out);
}

void session_view_clear(struct session_view *view)
{
    char *const texts[] = { view->name, view->user_id, view->role, view->email, view->metadata, view->ip, view->user_agent };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    *view = (struct session_view){ .name = NULL };
}

/* Texts, and ids that others write as numbers; NULL for everything else, and for texts with a NUL. */
static char *copy_text(struct span value)
{
    struct str text = STR_INIT;
    bool is_number = value.len > 0 && (value.s[0] == '-' || (value.s[0] >= '0' && value.s[0] <= '9'));

    if (is_number)
        str_add_span(&text, value);
    else if (!value.s || !raw_string(value, &text) || memchr(text.s, '\0', text.len)) {
        str_free(&text);
        return NULL;
    }
    return str_take(&text, NULL);
}

bool session_part_view(const struct app *app, struct span name, struct span text, struct session_view *out)
{
    enum { USER, ROLE, EMAIL, METADATA, IP, AGENT, CREATED, ACTIVE, MEMBERS };
    static const char *const names[MEMBERS] = { "user_id", "role", "email", "metadata", "ip", "user_agent", "created_at", "last_activity" };
    struct span found[MEMBERS];

    *out = (struct session_view){ .name = NULL };
    if (!text.s || raw_get_many(text, names, found, MEMBERS) < 0)
        return false;
    id_of_name(app->house, name, out->id);
    out->created_ms = raw_int(found[CREATED], 0);
    out->active_ms = raw_int(found[ACTIVE], out->created_ms);
    out->name = xmemdupz(name.s, name.len);
    out->user_id = copy_text(found[USER]);
    out->role = copy_text(found[ROLE]);
    out->email = copy_text(found[EMAIL]);
    out->ip = copy_text(found[IP]);
    out->user_agent = copy_text(found[AGENT]);
    if (found[METADATA].s && !span_is(found[METADATA], "null"))
        out->metadata = xmemdupz(found[METADATA].s, found[METADATA].len);
    if (!out->user_id || !session_part_over(app, out->created_ms, out->active_ms))
        return true;
    session_view_clear(out);
    return false;
}

int session_look(struct app *app, struct span token, struct session_view *out, struct err *err)
{
    const struct key k = key_session(app->house, token);
    char name[DIGEST_HEX_SIZE];
    const struct reply *reply;

    if (!session_part_is_token(token))
        return 0;
    session_part_name(app->house, token, name);
    reply = redis_do(session_part_redis(app), err, "GET %b", k.s, k.len);
    if (!reply)
        return -1;
    return session_part_view(app, span_of(name), reply_text(reply), out) ? 1 : 0;
}

/* --- a user's --- */

static int by_use(const void *a, const void *b)
{
    const struct session_view *one = a, *two = b;

    if (one->active_ms != two->active_ms)
        return one->active_ms < two->active_ms ? 1 : -1;
    return strcmp(one->id, two->id);
}

/* Their names; each is the caller's to free, and the array. */
static int read_names(struct app *app, struct span user_id, char ***out, size_t *count, struct err *err)
{
    const struct key set = key_user_sessions(app->house, user_id);
    const struct reply *reply = redis_do(session_part_redis(app), err, "SMEMBERS %b", set.s, set.len);

    if (!reply)
        return -1;
    *count = reply->count;
    *out = xcalloc(reply->count + 1, sizeof **out);
    for (size_t i = 0; i < reply->count; i++) {
        struct span name = reply_text(&reply->item[i]);
        (*out)[i] = xmemdupz(name.s, name.len);
    }
    return 0;
}

static int read_views(struct app *app, char *const names[], size_t wanted, struct session_view *list, size_t *count, struct err *err)
{
    const struct reply *replies;
    size_t got;

    for (size_t i = 0; i < wanted; i++) {
        const struct key k = key_session_name(app->house, span_of(names[i]));
        redis_queuef(session_part_redis(app), "GET %b", k.s, k.len);
    }
    if (wanted > 0 && redis_exchange(app->session_redis, &replies, &got, err) < 0)
        return -1;
    for (size_t i = 0; i < wanted; i++)
        if (session_part_view(app, span_of(names[i]), reply_text(&replies[i]), &list[*count]))
            (*count)++;
    return 0;
}

int session_list(struct app *app, struct span user_id, struct session_view **out, size_t *count, struct err *err)
{
    size_t named;
    char **names;
    int rc;

    if (read_names(app, user_id, &names, &named, err) < 0)
        return -1;
    *out = xcalloc(named + 1, sizeof **out);
    *count = 0;
    rc = read_views(app, names, named, *out, count, err);
    for (size_t i = 0; i < named; i++)
        free(names[i]);
    free(names);
    if (rc < 0)
        session_list_free(*out, *count);
    else
        qsort(*out, *count, sizeof **out, by_use);
    return rc;
}

void session_list_free(struct session_view *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        session_view_clear(&list[i]);
    free(list);
}

/* --- ending --- */

/* One script call and its number. */
static int64_t run_script(struct app *app, const struct script *script, int nkeys, const struct span keys[], int nargs,
                          const struct span args[], struct err *err)
{
    const struct reply *replies;
    size_t count;

    redis_queue_script(session_part_redis(app), script, nkeys, keys, nargs, args);
    if (redis_exchange(app->session_redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    return reply_int(&replies[0], 0);
}

int session_revoke_view(struct app *app, const struct session_view *view, struct err *err)
{
    const struct key session = key_session_name(app->house, span_of(view->name)),
                     set = key_user_sessions(app->house, span_of(view->user_id));
    const struct span keys[] = { key_span(&session), key_span(&set) }, name = span_of(view->name);

    return (int)run_script(app, &script_session_revoke, view->user_id ? 2 : 1, keys, 1, &name, err);
}

int session_revoke(struct app *app, struct span token, struct err *err)
{
    struct session_view view;
    int rc = session_look(app, token, &view, err);

    if (rc <= 0)
        return rc;
    rc = session_revoke_view(app, &view, err);
    session_view_clear(&view);
    return rc;
}

int session_revoke_id(struct app *app, struct span user_id, struct span id, struct err *err)
{
    struct session_view *list;
    size_t count;
    int rc = 0;

    if (session_list(app, user_id, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (span_is(id, list[i].id))
            rc = session_revoke_view(app, &list[i], err);
    session_list_free(list, count);
    return rc;
}

int64_t session_revoke_user(struct app *app, struct span user_id, struct span keep, struct err *err)
{
    const struct key set = key_user_sessions(app->house, user_id), users = key_session_users(app->house),
                     prefix = key_session_name(app->house, SPAN(""));
    const struct span keys[] = { key_span(&set), key_span(&users) };
    char name[DIGEST_HEX_SIZE] = "";

    if (keep.s)
        session_part_name(app->house, keep, name);
    const struct span args[] = { user_id, key_span(&prefix), span_of(name) };
    return run_script(app, &script_session_revoke_all, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args, err);
}

/* --- what is left of those that ended by themselves --- */

/* Users whose time has come, by Redis's clock; as read_names. */
static int read_due(struct app *app, char ***out, size_t *count, struct err *err)
{
    const struct key users = key_session_users(app->house);
    const struct reply *reply = redis_do(session_part_redis(app), err, "TIME");

    if (!reply)
        return -1;
    reply = redis_do(app->session_redis, err, "ZRANGE %b -inf %lld BYSCORE LIMIT 0 %d", users.s, users.len,
                     (long long)reply_time_ms(reply), SESSION_CLEANUP);
    if (!reply)
        return -1;
    *count = reply->count;
    *out = xcalloc(reply->count + 1, sizeof **out);
    for (size_t i = 0; i < reply->count; i++)
        (*out)[i] = xmemdupz(reply_text(&reply->item[i]).s, reply_text(&reply->item[i]).len);
    return 0;
}

static void queue_clean(struct app *app, const char *user)
{
    const struct key set = key_user_sessions(app->house, span_of(user)), users = key_session_users(app->house),
                     prefix = key_session_name(app->house, SPAN(""));
    char idle[NUMBER_SIZE];
    const struct span keys[] = { key_span(&set), key_span(&users) };
    const struct span args[] = { span_of(user), key_span(&prefix), span_number(idle, session_part_ms(app, OPT_SESSION_IDLE)) };

    redis_queue_script(session_part_redis(app), &script_session_clean, ARRAY_LEN(keys), keys, ARRAY_LEN(args), args);
}

static int clean(struct app *app, char *const users[], size_t count, int64_t *forgotten, struct err *err)
{
    const struct reply *replies;
    size_t got;

    for (size_t i = 0; i < count; i++)
        queue_clean(app, users[i]);
    if (count > 0 && redis_exchange(app->session_redis, &replies, &got, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (redis_reply_ok(&replies[i], err) < 0)
            return -1;
        *forgotten += reply_int(&replies[i], 0);
    }
    return 0;
}

int session_cleanup(struct app *app, int64_t *forgotten, struct err *err)
{
    size_t count;
    char **users;
    int rc;

    if (read_due(app, &users, &count, err) < 0)
        return -1;
    rc = clean(app, users, count, forgotten, err);
    for (size_t i = 0; i < count; i++)
        free(users[i]);
    free(users);
    return rc < 0 ? -1 : (int)count;
}
