/* sign_in.c: an administrator signs in. */
#include "core/sign_in.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/rnd.h"
#include "core/limit.h"
#include "core/secret.h"
#include "scripts.h"

#define KEEP_MS "3600000" /* a counter, after its last attempt */
#define NONCE_LEN 32
#define PASSWORD_BYTES_MAX (4 * USER_PASSWORD_MAX)

/* --- browsers that are known --- */

/* What the cookie NONCE.MAC is signed with. */
static void known_text(struct str *out, struct span nonce, struct span name)
{
    str_reset(out);
    str_add_span(out, nonce);
    str_addc(out, ':');
    for (size_t i = 0; i < name.len && i <= USER_NAME_MAX; i++)
        str_addc(out, name.s[i] >= 'A' && name.s[i] <= 'Z' ? (char)(name.s[i] + 32) : name.s[i]);
}

/* The nonce of a cookie that was made for this name; absent: it was not. */
static struct span known_nonce(const struct app *app, const struct sign_in *attempt)
{
    struct span nonce = { attempt->known.s, NONCE_LEN }, mac;
    struct str text = STR_INIT;
    bool good = false;

    if (attempt->known.len == NONCE_LEN + 1 + 2 * DIGEST_BYTES && nonce.s[NONCE_LEN] == '.' && rnd_is_hex(nonce.s, NONCE_LEN)) {
        mac = (struct span){ nonce.s + NONCE_LEN + 1, 2 * DIGEST_BYTES };
        known_text(&text, nonce, attempt->name);
        good = secret_verify_hex(app->house->secret, "admin-known", (struct span){ text.s, text.len }, mac);
        str_free(&text);
    }
    return good ? nonce : (struct span){ NULL, 0 };
}

static void make_known(const struct app *app, struct span nonce, const char *name, char out[SIGN_IN_KNOWN_SIZE])
{
    uint8_t random[NONCE_LEN / 2];
    char fresh[NONCE_LEN + 1], mac[DIGEST_HEX_SIZE];
    struct str text = STR_INIT;

    rnd_bytes(random, sizeof random);
    rnd_hex(random, sizeof random, fresh);
    if (!nonce.s)
        nonce = (struct span){ fresh, NONCE_LEN };
    known_text(&text, nonce, span_of(name));
    secret_sign_hex(app->house->secret, "admin-known", (struct span){ text.s, text.len }, mac);
    snprintf(out, SIGN_IN_KNOWN_SIZE, "%.*s.%s", NONCE_LEN, nonce.s, mac);
    str_free(&text);
}

/* --- counting --- */

/* Where an attempt is counted: by its name, and by its address unless the browser is known. */
struct counters {
    struct key key[2];
    int count;
};

static struct key counter(const struct app *app, const char *name, enum limit_by by, struct span text)
{
    char who[LIMIT_WHO_LEN + 1];

    limit_who(app->house, by, text, who);
    return key_limit(app->house, span_of(name), span_of(who));
}

static struct counters find_counters(const struct app *app, const struct sign_in *attempt, struct span nonce)
{
    struct counters c = { .count = nonce.s ? 1 : 2 };
    struct str text = STR_INIT;

    known_text(&text, nonce, attempt->name);
    c.key[0] = counter(app, "sign-in-name", LIMIT_BY_ADMIN, (struct span){ text.s, text.len });
    c.key[1] = counter(app, "sign-in-address", LIMIT_BY_ADDRESS, attempt->address);
    str_free(&text);
    return c;
}

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* May it be tried? It counts as failed from here on. And the account, in the same round trip: *found. */
static int begin(struct app *app, const struct sign_in *attempt, const struct counters *c, struct user *user, bool *found, struct err *err)
{
    const struct span keys[] = { key_span(&c->key[0]), key_span(&c->key[1]) };
    const struct span args[] = { SPAN(KEEP_MS), SPAN("0"), SPAN(TEXT_OF(SIGN_IN_NAME_CAP_S) "000"), SPAN(TEXT_OF(SIGN_IN_ADDRESS_FREE)),
                                 SPAN(TEXT_OF(SIGN_IN_ADDRESS_CAP_S) "000") };
    const struct reply *replies;
    int64_t wait_ms;
    size_t count;

    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, &script_sign_in_begin, c->count, keys, 1 + 2 * c->count, args);
    user_queue(app, attempt->name);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0 || redis_reply_ok(&replies[1], err) < 0)
        return -1;
    *found = user_take(attempt->name, &replies[1], user) > 0;
    wait_ms = reply_int(&replies[0], 0);
    if (wait_ms <= 0)
        return 0;
    err_set(err, ERR_TOO_MANY, "There were too many attempts to sign in.");
    err->retry_after_s = (int)((wait_ms + 999) / 1000);
    return -1;
}

static void post_end(struct app *app, const struct counters *c, const char *name)
{
    const struct key users = key_users(app->house);
    const struct span keys[] = { key_span(&users), key_span(&c->key[0]), key_span(&c->key[1]) }, arg = span_of(name);

    redis_use_db(app->redis, app->main_db);
    redis_post_script(app->redis, &script_sign_in_end, 1 + c->count, keys, 1, &arg);
}

/* --- comparing --- */

static int compare(const struct sign_in *attempt, const struct user *user, bool found, struct err *err)
{
    struct span password = attempt->password.len <= PASSWORD_BYTES_MAX ? attempt->password : SPAN("");

    if (!found)
        return password_check_nobody(password, err);
    return password_check(password, user->hash, err);
}

/* Nobody's sign-in fails because that did. */
static void keep_up(struct app *app, const struct user *user, struct span password)
{
    struct err err = ERR_INIT;

    if (password_is_outdated(user->hash) && user_rehash(app, user, password, &err) < 0)
        log_warn("The password of administrator %s stays hashed at its old cost: %s", user->name, err.text);
}

static int attempt_one(struct app *app, const struct sign_in *attempt, struct admin_session *s, char known_out[SIGN_IN_KNOWN_SIZE],
                       struct err *err)
{
    struct span nonce = known_nonce(app, attempt);
    const struct counters counters = find_counters(app, attempt, nonce);
    struct user user;
    bool found;
    int right;

    if (begin(app, attempt, &counters, &user, &found, err) < 0)
        return -1;
    right = compare(attempt, &user, found, err);
    if (right == 0 && found)
        log_warn("Somebody failed to sign in as administrator %s.", user.name);
    else if (right == 0)
        log_warn("Somebody failed to sign in under a name that no administrator has.");
    if (right <= 0)
        return right;
    keep_up(app, &user, attempt->password);
    post_end(app, &counters, user.name);
    if (admin_session_start(app, &user, s, err) < 0)
        return -1;
    make_known(app, nonce, user.name, known_out);
    log_info("Administrator %s signed in.", user.name);
    return 1;
}

int sign_in(struct app *app, const struct sign_in *attempt, struct admin_session *s, char known_out[SIGN_IN_KNOWN_SIZE], struct err *err)
{
    int rc;

    if (!password_enter()) {
        err_set(err, ERR_TOO_MANY, "Others are signing in at this moment.");
        err->retry_after_s = 1;
        return -1;
    }
    rc = attempt_one(app, attempt, s, known_out, err);
    password_leave();
    return rc;
}
