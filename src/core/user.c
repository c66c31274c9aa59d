/* user.c: the accounts of administrators: made, changed, removed, listed. */
#include "core/user.h"

#include "base/rnd.h"
#include "base/utf8.h"
#include "core/keys.h"
#include "scripts.h"

#include <strings.h>

static struct redis *main_redis(struct app *app)
{
    redis_use_db(app->redis, app->main_db);
    return app->redis;
}

/* --- what is accepted --- */

static bool is_name(struct span name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";

    for (size_t i = 0; i < name.len; i++)
        if (!name.s[i] || !strchr(good, name.s[i]))
            return false;
    return name.len > 0 && name.len <= USER_NAME_MAX;
}

int user_check_name(const char *name, struct err *err)
{
    if (is_name(span_of(name)))
        return 0;
    return err_set(err, ERR_INVALID, "An administrator's name is 1 to %d small letters a-z, digits, _ . and -.", USER_NAME_MAX);
}

/* Beginnings of the lists of passwords that leaked most often, as far as they are long enough. */
static const char *const common[] = {
    "1q2w3e4r5t6y", "1qaz2wsx3edc", "123456789012", "1234567890123", "administrator", "adminpassword", "changemenow1", "iloveyouforever",
    "letmeinletmein", "password1234", "password12345", "passw0rd1234", "qwerty123456", "qwertyuiop12", "qwertyuiop123", "qwertyuiop[]", "welcome12345",
};

static bool same(struct span text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.s, word, text.len) == 0;
}

/* One of `word` after the other, until the end. */
static bool repeats(struct span text, struct span word)
{
    if (word.len == 0 || text.len % word.len != 0)
        return false;
    for (size_t at = 0; at < text.len; at += word.len)
        if (strncasecmp(text.s + at, word.s, word.len) != 0)
            return false;
    return true;
}

static bool is_easy(const char *name, struct span password)
{
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (same(password, common[i]))
            return true;
    for (size_t len = 1; len <= 4 && len <= password.len; len++)
        if (repeats(password, (struct span){ password.s, len }))
            return true;
    return repeats(password, span_of(name)) || repeats(password, SPAN("password")) || repeats(password, SPAN("peygir"));
}

int user_check_password(const char *name, struct span password, struct err *err)
{
    size_t length;

    if (!utf8_valid(password.s, password.len) || span_has_control(password))
        return err_set(err, ERR_INVALID, "A password is UTF-8 text without control characters.");
    length = utf8_length(password.s, password.len);
    if (length < USER_PASSWORD_MIN || length > USER_PASSWORD_MAX)
        return err_set(err, ERR_INVALID, "A password has %d to %d characters, and this one has %zu.", USER_PASSWORD_MIN, USER_PASSWORD_MAX,
                       length);
    if (is_easy(name, password))
        return err_set(err, ERR_INVALID, "This password is among the first that anybody would try; take another one.");
    return 0;
}

/* --- changing --- */

/* 1 written, 0 the account is not as expected, -1. */
static int save(struct app *app, const char *name, struct span password, bool new_era, const char *expected, struct err *err)
{
    const struct key k = key_users(app->house);
    char hash[PASSWORD_HASH_SIZE], era[USER_ERA_LEN + 1] = "";
    uint8_t random[USER_ERA_LEN / 2];
    const struct reply *replies;
    size_t count;

    if (password_hash(password, hash, err) < 0)
        return -1;
    rnd_bytes(random, sizeof random);
    if (new_era)
        rnd_hex(random, sizeof random, era);
    const struct span key = key_span(&k), args[] = { span_of(name), span_of(hash), span_of(era), span_of(expected) };
    redis_queue_script(main_redis(app), &script_user_save, 1, &key, ARRAY_LEN(args), args);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    return (int)reply_int(&replies[0], 0);
}

int user_add(struct app *app, const char *name, struct span password, struct err *err)
{
    int made;

    if (user_check_name(name, err) < 0 || user_check_password(name, password, err) < 0)
        return -1;
    made = save(app, name, password, true, "none", err);
    if (made == 0)
        return err_set(err, ERR_STATE, "There is an administrator %s already; peygir user passwd %s sets a new password.", name, name);
    return made < 0 ? -1 : 0;
}

int user_passwd(struct app *app, const char *name, struct span password, struct err *err)
{
    if (!is_name(span_of(name)))
        return 0;
    if (user_check_password(name, password, err) < 0)
        return -1;
    return save(app, name, password, true, "any", err);
}

int user_rehash(struct app *app, const struct user *user, struct span password, struct err *err)
{
    return save(app, user->name, password, false, user->hash, err) < 0 ? -1 : 0;
}

int user_remove(struct app *app, const char *name, struct err *err)
{
    const struct key k = key_users(app->house);
    const struct reply *reply;

    if (!is_name(span_of(name)))
        return 0;
    reply = redis_do(main_redis(app), err, "HDEL %b %s %s:era %s:created %s:changed %s:seen", k.s, k.len, name, name, name, name, name);
    if (!reply)
        return -1;
    return reply_int(reply, 0) > 0;
}

/* --- looking --- */

int user_exists(struct app *app, const char *name, struct err *err)
{
    const struct key k = key_users(app->house);
    const struct reply *reply;

    if (!is_name(span_of(name)))
        return 0;
    reply = redis_do(main_redis(app), err, "HEXISTS %b %s", k.s, k.len, name);
    return reply ? (int)reply_int(reply, 0) : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct user_view *)a)->name, ((const struct user_view *)b)->name);
}

static int64_t number_of(const struct reply *all, const char *name, const char *what)
{
    char *field = xasprintf("%s:%s", name, what);
    int64_t n = 0;

    for (size_t i = 0; i + 1 < all->count; i += 2)
        if (span_is(reply_text(&all->item[i]), field))
            n = reply_int(&all->item[i + 1], 0);
    free(field);
    return n;
}

/* Administrators are few. The views borrow from the reply, whose texts end with NUL. */
int user_each(struct app *app, void (*fn)(void *ctx, const struct user_view *user), void *ctx, struct err *err)
{
    const struct key k = key_users(app->house);
    const struct reply *all = redis_do(main_redis(app), err, "HGETALL %b", k.s, k.len);
    struct user_view *list;
    size_t count = 0;

    if (!all)
        return -1;
    list = xcalloc(all->count / 2 + 1, sizeof *list);
    for (size_t i = 0; i + 1 < all->count; i += 2)
        if (is_name(reply_text(&all->item[i])))
            list[count++].name = reply_text(&all->item[i]).s;
    qsort(list, count, sizeof *list, by_name);
    for (size_t i = 0; i < count; i++) {
        list[i].created_ms = number_of(all, list[i].name, "created");
        list[i].changed_ms = number_of(all, list[i].name, "changed");
        list[i].seen_ms = number_of(all, list[i].name, "seen");
        fn(ctx, &list[i]);
    }
    free(list);
    return 0;
}

/* --- signing in --- */

/* As an account is named; whatever is none becomes "", which is none either. */
static void fold(struct span typed, char name[USER_NAME_MAX + 1])
{
    size_t len = typed.len <= USER_NAME_MAX ? typed.len : 0;

    for (size_t i = 0; i < len; i++)
        name[i] = typed.s[i] >= 'A' && typed.s[i] <= 'Z' ? (char)(typed.s[i] + 32) : typed.s[i];
    name[len] = '\0';
    if (!is_name((struct span){ name, len }))
        name[0] = '\0';
}

void user_queue(struct app *app, struct span typed)
{
    const struct key k = key_users(app->house);
    char name[USER_NAME_MAX + 1];

    fold(typed, name);
    redis_queuef(main_redis(app), "HMGET %b %s %s:era", k.s, k.len, name, name);
}

static bool copy(struct span text, char *out, size_t size)
{
    if (!text.s || text.len >= size)
        return false;
    memcpy(out, text.s, text.len);
    out[text.len] = '\0';
    return true;
}

int user_take(struct span typed, const struct reply *reply, struct user *user)
{
    fold(typed, user->name);
    return user->name[0] && reply->count == 2 && copy(reply_text(&reply->item[0]), user->hash, sizeof user->hash) &&
           copy(reply_text(&reply->item[1]), user->era, sizeof user->era);
}

int user_is_era(struct app *app, const char *name, const char *era, struct err *err)
{
    const struct key k = key_users(app->house);
    const struct reply *reply = redis_do(main_redis(app), err, "HGET %b %s:era", k.s, k.len, name);

    if (!reply)
        return -1;
    return span_is(reply_text(reply), era);
}
