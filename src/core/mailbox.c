/* mailbox.c: letters to a bot that waits */
#include "core/mailbox.h"

#include "core/keys.h"
#include "scripts.h"

/* What the script says, and what that is. */
static const struct {
    const char *word, *text;
    enum err_kind kind;
} refusals[] = {
    { "gone", "there is no such request", ERR_NOT_FOUND },
    { "stale", "the run of this call is over; another one goes on with the request", ERR_STALE },
    { "final", "the request has ended", ERR_FINAL },
};

static int refuse(struct span word, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (span_is(word, refusals[i].word))
            return err_set(err, refusals[i].kind, "%s", refusals[i].text);
    return 0;
}

/* The reply of a script about a request's keys; NULL with *err. */
static const struct reply *ask(struct app *app, const struct script *script, const struct key keys[], size_t nkeys, const struct span args[],
                               size_t nargs, struct err *err)
{
    const struct reply *reply;
    struct span names[3];
    size_t count;
    for (size_t i = 0; i < nkeys; i++)
        names[i] = key_span(&keys[i]);
    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, script, nkeys, names, nargs, args);
    return redis_exchange(app->redis, &reply, &count, err) < 0 || redis_reply_ok(reply, err) < 0 ? NULL : reply;
}

int mailbox_take(struct app *app, struct span hash, int64_t run, struct letter *out, struct err *err)
{
    const struct key keys[] = { key_document(hash), key_guard(hash), key_mailbox(hash) };
    char digits[NUMBER_SIZE];
    const struct span arg = run > 0 ? span_number(digits, run) : SPAN("");
    const struct reply *reply = ask(app, &script_mailbox_take, keys, ARRAY_LEN(keys), &arg, 1, err);
    if (!reply)
        return -1;
    if (reply->count < 3)
        return refuse(reply->count > 0 ? reply_text(&reply->item[0]) : SPAN(""), err);
    str_reset(&out->text);
    str_add_span(&out->text, reply_text(&reply->item[1]));
    out->stays_ms = reply_int(&reply->item[2], 0);
    return 1;
}

int mailbox_return(struct app *app, struct span hash, const struct letter *letter, struct err *err)
{
    const struct key keys[] = { key_document(hash), key_guard(hash), key_mailbox(hash) };
    char digits[NUMBER_SIZE];
    const struct span args[] = { { letter->text.s, letter->text.len }, span_number(digits, letter->stays_ms) };
    return ask(app, &script_mailbox_return, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args), err) ? 0 : -1;
}
