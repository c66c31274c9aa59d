/* session_admin.c: all sessions, for the command line. */
#include "core/session_admin.h"

#include "base/rnd.h"
#include "core/session_part.h"

#define SCAN_COUNT 500

struct scan {
    void (*fn)(void *ctx, const struct session_view *view);
    void *ctx;
    size_t prefix_len; /* of their keys */
};

/* One page of keys; SCAN may give a key twice, which whoever lists must bear. */
static int show_page(struct app *app, const struct scan *s, const struct reply *page, struct err *err)
{
    size_t count = page->count, got;
    char **keys = xcalloc(count + 1, sizeof *keys);
    const struct reply *replies = NULL;
    struct session_view view;
    int rc = 0;

    for (size_t i = 0; i < count; i++) {
        struct span key = reply_text(&page->item[i]);
        keys[i] = xmemdupz(key.s, key.len);
    }
    for (size_t i = 0; i < count; i++)
        redis_queuef(session_part_redis(app), "GET %s", keys[i]);
    if (count > 0)
        rc = redis_exchange(app->session_redis, &replies, &got, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (session_part_view(app, span_of(keys[i] + s->prefix_len), reply_text(&replies[i]), &view)) {
            s->fn(s->ctx, &view);
            session_view_clear(&view);
        }
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    free(keys);
    return rc;
}

/* A pattern's own characters in a prefix stand for themselves. */
static void add_pattern(struct str *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("*?[]\\^", text.s[i]))
            str_addc(out, '\\');
        str_addc(out, text.s[i]);
    }
    str_addc(out, '*');
}

int session_each(struct app *app, void (*fn)(void *ctx, const struct session_view *view), void *ctx, struct err *err)
{
    const struct key prefix = key_session_name(app->house, SPAN(""));
    const struct scan s = { fn, ctx, prefix.len };
    struct str pattern = STR_INIT;
    char cursor[NUMBER_SIZE] = "0";
    int rc = 0;

    add_pattern(&pattern, key_span(&prefix));
    do {
        const struct reply *page =
            redis_do(session_part_redis(app), err, "SCAN %s MATCH %s COUNT %d TYPE string", cursor, pattern.s, SCAN_COUNT);
        if (!page || page->count != 2) {
            rc = page ? err_set(err, ERR_FAILED, "Redis gave an answer to SCAN that is not known here.") : -1;
            break;
        }
        snprintf(cursor, sizeof cursor, "%s", reply_text(&page->item[0]).s);
        rc = show_page(app, &s, &page->item[1], err);
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    str_free(&pattern);
    return rc;
}

struct wanted {
    char id[SESSION_ID_LEN + 1];
    char *name;
};

static void keep_wanted(void *ctx, const struct session_view *view)
{
    struct wanted *w = ctx;

    if (!w->name && strcmp(view->id, w->id) == 0)
        w->name = xstrdup(view->name);
}

int session_find(struct app *app, struct span word, struct session_view *out, struct err *err)
{
    struct wanted w = { .name = NULL };
    const struct reply *reply;
    struct key k;
    int rc;

    if (session_part_is_token(word))
        return session_look(app, word, out, err);
    if (word.len != SESSION_ID_LEN || !rnd_is_hex(word.s, word.len))
        return 0;
    memcpy(w.id, word.s, word.len);
    if (session_each(app, keep_wanted, &w, err) < 0) {
        free(w.name);
        return -1;
    }
    if (!w.name)
        return 0;
    k = key_session_name(app->house, span_of(w.name));
    reply = redis_do(session_part_redis(app), err, "GET %b", k.s, k.len);
    rc = reply ? session_part_view(app, span_of(w.name), reply_text(reply), out) : -1;
    free(w.name);
    return rc;
}
