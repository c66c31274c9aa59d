/* submit.c: checking values and storing a request. */
#include "web/submit.h"

#include "base/rnd.h"
#include "core/locale.h"
#include "web/dispatch.h"
#include "web/metrics.h"
#include "web/visitor.h"

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

int submit_request(struct exchange *x, const struct submission *s, char hash[HASH_SIZE])
{
    char own_key[SUBMIT_KEY_SIZE];
    struct str news_to = STR_INIT;
    bool newcomer = !x->session.known && !x->bearer.s;
    struct request_new n = { .service = x->service, .data = s->data, .owner = span_of(x->session.owner), .key = s->key,
                             .locale = locale_code(x->locale), .listeners = s->listeners, .key_is_exclusive = s->exclusive };
    int rc;

    if (x->session.user_id[0])
        n.user_id = span_of(x->session.user_id);
    if (s->key.len == 0) {
        submit_new_key(own_key);
        n.key = span_of(own_key);
    }
    if (newcomer && store_session(x) < 0)
        return -1;
    service_news_to(x->service, form_lookup, &x->form, &news_to);
    n.news_to = (struct span){ news_to.s, news_to.len };
    rc = request_create(&x->seat->app, &n, hash, &x->err);
    str_free(&news_to);
    if (rc < 0)
        return -1;
    metrics_submission(rc == 1);
    if (newcomer)
        visitor_remember(x);
    return 0;
}
