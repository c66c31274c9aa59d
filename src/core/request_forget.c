/* request_forget.c: a request deleted at the wish of whoever made it (nothing of it stays) */
#include "core/request.h"

#include "scripts.h"

enum { LOOK_AGAIN_MS = 10000, LEG_FAREWELL = 1, LEGS_MAX = 24, LEG_ID_SIZE = HASH_SIZE + 32, OWNER_SIZE = 160, ARGS = 6 };

/* What is left to know when the request has ended. */
struct forgotten {
    char hash[HASH_SIZE];
    char owner[OWNER_SIZE], user[OWNER_SIZE];
    bool begun;      /* a bot may have worked on it */
    bool cancelled;  /* just now */
    int64_t now_ms;
    char leg[LEGS_MAX][LEG_ID_SIZE]; /* ids of its jobs */
    size_t legs;
};

static void add_legs(struct forgotten *f, const char *hash, const char *before, int64_t last)
{
    int64_t first = last > LEGS_MAX / 3 ? last - LEGS_MAX / 3 + 1 : 1; /* a service allows fewer */

    for (int64_t n = first; n <= last && f->legs < LEGS_MAX; n++)
        snprintf(f->leg[f->legs++], LEG_ID_SIZE, "%s.%s%lld", hash, before, (long long)n);
}

/* 1; 0: there is none; -1. */
static int look(struct app *app, struct span hash, struct forgotten *f, struct err *err)
{
    struct request rq;
    int found = request_read(app, hash, &rq, err);

    if (found <= 0)
        return found;
    *f = (struct forgotten){ .begun = rq.guard.run > 0 || rq.guard.started_ms > 0, .now_ms = rq.now_ms };
    memcpy(f->hash, rq.hash, HASH_SIZE);
    snprintf(f->owner, sizeof f->owner, "%.*s", (int)rq.guard.owner.len, rq.guard.owner.s ? rq.guard.owner.s : "");
    snprintf(f->user, sizeof f->user, "%.*s", (int)rq.guard.user_id.len, rq.guard.user_id.s ? rq.guard.user_id.s : "");
    snprintf(f->leg[f->legs++], LEG_ID_SIZE, "%s", rq.hash);
    snprintf(f->leg[f->legs++], LEG_ID_SIZE, "%s.cancel", rq.hash);
    add_legs(f, rq.hash, "", rq.guard.code);
    add_legs(f, rq.hash, "resend.", rq.guard.resends);
    return 1;
}

/* A job that waits for nothing any more leaves its queue; one that runs is stopped. But the bot is still told that the request was
 * cancelled: that job, which holds nothing of the request but its hash, goes on. */
static int end_jobs(struct app *app, const struct forgotten *f, struct err *err)
{
    struct err local = ERR_INIT;

    for (size_t i = 0; i < f->legs; i++)
        if (i != LEG_FAREWELL && job_cancel(app, NULL, f->leg[i], &local) < 0 && local.kind != ERR_NOT_FOUND) {
            if (err)
                *err = local;
            return -1;
        }
    return 0;
}

/* A bot that had read the document and was about to write it back brings it to life again: somebody looks a moment later (request_watch). */
static int delete(struct app *app, const struct forgotten *f, struct err *err)
{
    const struct house *h = app->house;
    struct span hash = span_of(f->hash);
    const struct key document = key_document(hash), guard = key_guard(hash), events = key_events(hash), mailbox = key_mailbox(hash),
                     watch = key_watch(h), own = key_owner(h, span_of(f->owner)),
                     user = f->user[0] ? key_user_requests(h, span_of(f->user)) : own,
                     failed = key_queue(h, SPAN(JOB_QUEUE_DEFAULT), "failed"), data = key_job(h, SPAN(JOB_QUEUE_DEFAULT), SPAN("")),
                     updates = key_updates(hash);
    const struct span keys[] = { key_span(&document), key_span(&guard), key_span(&events), key_span(&mailbox), key_span(&watch),
                                 SPAN(KEY_REQUEST_LIST), key_span(&own), key_span(&user), key_span(&failed) };
    char message[128], again[NUMBER_SIZE];
    struct span args[ARGS + LEGS_MAX] = { hash, key_span(&updates), { message, 0 }, f->cancelled ? SPAN("1") : SPAN(""),
                                          f->cancelled && f->begun ? span_number(again, f->now_ms + LOOK_AGAIN_MS) : SPAN(""), key_span(&data) };
    const struct reply *replies;
    size_t count;

    args[2].len = (size_t)snprintf(message, sizeof message, "{\"hash\":\"%s\",\"is_deleted\":true}", f->hash);
    for (size_t i = 0; i < f->legs; i++)
        args[ARGS + i] = span_of(f->leg[i]);
    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, &script_request_forget, ARRAY_LEN(keys), keys, (int)(ARGS + f->legs), args);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0)
        return -1;
    if (reply_int(&replies[0], 0) < 0)
        return err_set(err, ERR_STATE, "request %s was opened again and is carried out", f->hash);
    return (int)reply_int(&replies[0], 0);
}

/* One that goes on is cancelled first, so that its call ends and its bot hears of it. */
int request_forget(struct app *app, struct span hash, struct err *err)
{
    struct forgotten f;
    struct err local = ERR_INIT;
    int cancelled = request_cancel(app, hash, &local), found;

    if (cancelled < 0 && local.kind == ERR_NOT_FOUND)
        return 0;
    if (cancelled < 0 && local.kind != ERR_FINAL) {
        if (err)
            *err = local;
        return -1;
    }
    found = look(app, hash, &f, err);
    if (found <= 0)
        return found;
    f.cancelled = cancelled == 1;
    return end_jobs(app, &f, err) < 0 ? -1 : delete(app, &f, err);
}

/* --- all of them --- */

struct hashes {
    char hash[REQUEST_LISTED][HASH_SIZE];
    size_t count;
};

static void add_hash(void *ctx, const struct request *rq)
{
    struct hashes *all = ctx;

    memcpy(all->hash[all->count++], rq->hash, HASH_SIZE);
}

/* As many as one listing shows; how many, or -1. */
static int forget_listed(struct app *app, struct span owner, struct span user_id, struct err *err)
{
    struct hashes *all = xcalloc(1, sizeof *all);
    int count = request_each_of(app, owner, user_id, add_hash, all, err);

    for (size_t i = 0; count >= 0 && i < all->count; i++) {
        int done = request_forget(app, span_of(all->hash[i]), err);
        count = done < 0 ? -1 : count + done;
    }
    free(all);
    return count;
}

int request_forget_all(struct app *app, struct span owner, struct span user_id, struct err *err)
{
    int count = 0, done;

    while ((done = forget_listed(app, owner, user_id, err)) > 0)
        count += done;
    return done < 0 ? -1 : count;
}
