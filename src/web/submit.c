/* submit.c: checking values and storing a request. */
#include "web/submit.h"

#include "base/digest.h"
#include "base/rnd.h"
#include "core/limit.h"
#include "core/locale.h"
#include "web/dispatch.h"
#include "web/metrics.h"
#include "web/visitor.h"

#include <ctype.h>

void submit_new_key(char out[SUBMIT_KEY_SIZE])
{
    uint8_t random[17]; /* 26 digits of 5 bits */

    rnd_bytes(random, sizeof random);
    rnd_base32(random, SUBMIT_KEY_SIZE - 1, out);
}

static void note_broken(void *ctx, const struct service_field *field, const char *sentence)
{
    struct json_object *wrong = ctx;

    if (!json_object_object_get_ex(wrong, field->name, NULL))
        json_object_object_add(wrong, field->name, json_object_new_string(sentence));
}

int submit_check(struct exchange *x, struct str *data, struct json_object **wrong)
{
    *wrong = json_object_new_object();
    return service_validate(x->service, form_lookup, &x->form, x->locale, note_broken, *wrong, data);
}

/* Queue the session's storing; it goes along with the request unless sessions live on another server. */
static int store_session(struct exchange *x)
{
    struct app *app = &x->seat->app;
    const struct session_about about = { x->param[PARAM_REMOTE_ADDR].s, x->param[PARAM_AGENT].s };
    const struct reply *replies;
    size_t count;

    session_store_queue(app, &x->session, &about);
    if (app->session_redis == app->redis)
        return 0;
    if (redis_exchange(app->session_redis, &replies, &count, &x->err) < 0)
        return -1;
    return redis_reply_ok(&replies[0], &x->err);
}

/* Case makes no other address. */
static void who_reads(const struct house *house, struct span to, char who[LIMIT_WHO_LEN + 1])
{
    struct str lower = STR_INIT;

    for (size_t i = 0; i < to.len; i++)
        str_addc(&lower, (char)tolower((unsigned char)to.s[i]));
    limit_who(house, LIMIT_BY_MAIL, (struct span){ lower.s, lower.len }, who);
    str_free(&lower);
}

/* What makes it another request makes it count again. */
static void name_submission(const struct exchange *x, const struct submission *s, char name[DIGEST_HEX_SIZE])
{
    struct str text = STR_INIT;

    str_addf(&text, "%s\n", x->session.owner);
    str_add_span(&text, s->key);
    str_addc(&text, '\n');
    str_add_span(&text, s->data);
    digest_sha256_hex(text.s, text.len, name);
    str_free(&text);
}

/* May mail of one more request go there? Whoever leaves an address need not be who reads there. 1; 0 (ERR_TOO_MANY); -1. */
static int count_mail(struct exchange *x, struct submission *s, struct span to)
{
    struct app *app = &x->seat->app;
    struct limit_thing thing = { .count = 1 };
    struct limit_verdict verdict;
    char who[LIMIT_WHO_LEN + 1], name[DIGEST_HEX_SIZE];

    if (to.len == 0 || !limit_is_on(app->house))
        return 1;
    who_reads(app->house, to, who);
    name_submission(x, s, name);
    thing.bucket[0] = limit_bucket(app->house, LIMIT_MAIL, LIMIT_BY_MAIL, who);
    thing.bucket[0].once = s->key.len > 0 ? span_of(name) : (struct span){ NULL, 0 };
    s->too_many = "form.notice_mails";
    return limit_ask(app, &thing, &verdict, &x->err);
}

static int create(struct exchange *x, struct submission *s, struct request_new *n, char hash[HASH_SIZE])
{
    struct str to = STR_INIT;
    bool newcomer = !x->session.known && !x->bearer.s;
    int rc;

    service_news_to(x->service, form_lookup, &x->form, &to);
    n->news_to = (struct span){ to.s, to.len };
    rc = count_mail(x, s, n->news_to) > 0 && (!newcomer || store_session(x) == 0) ? 0 : -1;
    if (rc == 0) {
        s->too_many = "form.notice_codes";
        rc = request_create(&x->seat->app, n, hash, &x->err);
    }
    str_free(&to);
    if (rc >= 0 && newcomer)
        visitor_remember(x);
    return rc;
}

int submit_request(struct exchange *x, struct submission *s, char hash[HASH_SIZE])
{
    char own_key[SUBMIT_KEY_SIZE];
    struct request_new n = { .service = x->service, .data = s->data, .owner = span_of(x->session.owner), .key = s->key,
                             .locale = locale_code(x->locale), .listeners = s->listeners, .key_is_exclusive = s->exclusive };
    int rc;

    if (x->session.user_id[0])
        n.user_id = span_of(x->session.user_id);
    if (s->key.len == 0) {
        submit_new_key(own_key);
        n.key = span_of(own_key);
    }
    rc = create(x, s, &n, hash);
    if (rc < 0)
        return -1;
    metrics_submission(rc == 1);
    return 0;
}
