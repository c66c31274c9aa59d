/* schedule.c: jobs that run by the clock. */
#include "core/schedule.h"

#include "core/job_part.h"
#include "scripts.h"

#include <inttypes.h>

#define LATE_S 60                        /* a skipped tick is older than that */
#define FORGET_MS (30LL * 86400 * 1000)
#define LOOK_BACK_S (2LL * 3600)
#define RUN_TRIES 8
#define ID_SIZE 160

/* --- what Redis remembers --- */

/* Of one type; absent: "". Borrowed from a reply. */
struct memory {
    struct span tick, line, fired, run;
};

static int64_t number(struct span text)
{
    struct reply reply = { .type = REPLY_STRING, .text = text };

    return reply_int(&reply, 0);
}

/* Is `field` the type's, with this ending? */
static bool is_field(struct span field, struct span type, struct span ending)
{
    return field.len == type.len + ending.len && memcmp(field.s, type.s, type.len) == 0 &&
           memcmp(field.s + type.len, ending.s, ending.len) == 0;
}

static struct memory recall(const struct reply *hash, struct span type)
{
    struct memory m = { SPAN(""), SPAN(""), SPAN(""), SPAN("") };
    const struct {
        struct span ending, *to;
    } parts[] = {
        { SPAN(""), &m.tick }, { SPAN(":line"), &m.line }, { SPAN(":fired"), &m.fired }, { SPAN(":run"), &m.run }
    };

    for (size_t i = 0; i + 1 < hash->count; i += 2)
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            if (is_field(hash->item[i].text, type, parts[p].ending))
                *parts[p].to = hash->item[i + 1].text;
    return m;
}

/* TIME and the hash, in one round trip. NULL: *err. */
static const struct reply *read_all(struct app *app, int64_t *now_ms, struct err *err)
{
    const struct key schedule = key_schedule(app->house);
    const struct reply *replies;
    size_t count;

    redis_use_db(app->redis, app->main_db);
    redis_queuef(app->redis, "TIME");
    redis_queuef(app->redis, "HGETALL %b", schedule.s, schedule.len);
    if (redis_exchange(app->redis, &replies, &count, err) < 0 || redis_reply_ok(&replies[0], err) < 0 ||
        redis_reply_ok(&replies[1], err) < 0)
        return NULL;
    *now_ms = reply_time_ms(&replies[0]);
    return &replies[1];
}

/* --- what is due --- */

/* "line|zone", as it is remembered; free(). */
static char *line_of(const struct schedule *s)
{
    return xasprintf("%s|%s", s->line, s->zone_name);
}

/* The last tick in (from, to]; -1: none. Looks near `to` first: a year of minutes may have been missed. */
static int64_t last_tick(const struct schedule *s, int64_t from, int64_t to)
{
    int64_t start, tick, last = -1;

    for (int64_t back = LOOK_BACK_S; last < 0; back *= 8) {
        start = to - from > back ? to - back : from;
        for (tick = cron_next(&s->cron, s->zone, start); tick >= 0 && tick <= to;
             tick = cron_next(&s->cron, s->zone, tick))
            last = tick;
        if (start == from)
            break;
    }
    return last;
}

static int64_t next_tick_ms(const struct schedule *s, int64_t now_ms)
{
    int64_t tick = cron_next(&s->cron, s->zone, now_ms / 1000);

    return tick < 0 ? -1 : tick * 1000;
}

enum due { DUE_NOTHING, DUE_BEGIN, DUE_FIRE, DUE_SKIP, DUE_FORGET };

/* What a type wants now. *tick_ms: up to where all is dealt with then. */
static enum due look(const struct job_type *type, const struct memory *m, int64_t now_ms, int64_t *tick_ms)
{
    const struct schedule *s = type->schedule;
    int64_t seen_ms = number(m->tick), tick_s;
    char *line = line_of(s);
    bool known = span_is(m->line, line) && seen_ms > 0;

    free(line);
    *tick_ms = now_ms;
    if (!known || seen_ms > now_ms + LATE_S * 1000) /* the clock went back: the ticks up to there would be left out */
        return DUE_BEGIN;
    tick_s = last_tick(s, seen_ms / 1000, now_ms / 1000);
    if (tick_s < 0)
        return DUE_NOTHING;
    *tick_ms = tick_s * 1000;
    return s->run_missed || now_ms - *tick_ms <= LATE_S * 1000 ? DUE_FIRE : DUE_SKIP;
}

/* --- firing --- */

static struct job_new job_of(const struct job_type *type, const char *id)
{
    return (struct job_new){ .queue = type->queue, .id = id, .type = type->name,
                             .payload = type->schedule ? type->schedule->payload : NULL,
                             .priority = type->priority < 0 ? 0 : 1 + type->priority };
}

/* What is to be written after a look. The reply of the look is gone when the next exchange begins, so that texts are
 * copied. */
struct change {
    const struct job_type *type; /* NULL: forget */
    char *name, *line, *line_read, *tick_read;
    enum due due;
    int64_t tick_ms;
    char id[ID_SIZE];
};
struct changes {
    struct change *list;
    size_t count;
};

static void changes_free(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->list[i].name);
        free(c->list[i].line);
        free(c->list[i].line_read);
        free(c->list[i].tick_read);
    }
    free(c->list);
}

static void note(struct changes *all, const struct job_type *type, struct span name, const struct memory *m,
                 enum due due, int64_t tick_ms)
{
    struct change *c;

    all->list = xreallocarray(all->list, all->count + 1, sizeof(*all->list));
    c = &all->list[all->count++];
    *c = (struct change){ .type = type,
                          .name = xmemdupz(name.s, name.len),
                          .due = due,
                          .tick_ms = tick_ms,
                          .line = type ? line_of(type->schedule) : xstrdup(""),
                          .line_read = xmemdupz(m->line.s, m->line.len),
                          .tick_read = xmemdupz(m->tick.s, m->tick.len) };
    snprintf(c->id, sizeof(c->id), "schedule:%s:%" PRId64, c->name, tick_ms / 1000);
}

static void look_at_types(const struct job_types *types, const struct reply *hash, int64_t now_ms, struct changes *all,
                          int64_t *next_ms)
{
    const struct job_type *type;
    struct memory m;
    enum due due;
    int64_t tick_ms, next;

    for (size_t i = 0; i < job_types_count(types); i++) {
        type = job_types_at(types, i);
        if (!type->schedule)
            continue;
        m = recall(hash, span_of(type->name));
        due = look(type, &m, now_ms, &tick_ms);
        if (due != DUE_NOTHING)
            note(all, type, span_of(type->name), &m, due, tick_ms);
        next = next_tick_ms(type->schedule, now_ms);
        if (next >= 0 && (*next_ms < 0 || next - now_ms < *next_ms))
            *next_ms = next - now_ms;
    }
}

/* Fields of types that nobody has had for long. Each type is met once: at its first field. */
static void look_at_rest(const struct job_types *types, const struct reply *hash, int64_t now_ms, struct changes *all)
{
    const struct job_type *type;
    struct span name;
    struct memory m;
    const char *colon;
    bool met, known;

    for (size_t i = 0; i + 1 < hash->count; i += 2) {
        name = hash->item[i].text;
        colon = name.len ? memchr(name.s, ':', name.len) : NULL;
        name.len = colon ? (size_t)(colon - name.s) : name.len;
        type = job_types_find(types, name);
        met = type && type->schedule;
        for (size_t c = 0; c < all->count && !met; c++)
            met = span_is(name, all->list[c].name);
        m = recall(hash, name);
        known = m.tick.len + m.line.len + m.fired.len + m.run.len > 0;
        if (!met && known && number(m.tick) < now_ms - FORGET_MS && number(m.run) < now_ms - FORGET_MS)
            note(all, NULL, name, &m, DUE_FORGET, 0);
    }
}

/* The tick's job is pushed and the tick remembered in one step, and only by a worker that saw what is stored: of two that looked
 * before and after a tick, one would fire the missed tick and the other the new one. */
static void queue_change(struct app *app, const struct change *c)
{
    const struct key schedule = key_schedule(app->house);
    char digits[NUMBER_SIZE];
    const struct job_part_guard guard = {
        &script_schedule_tick, key_span(&schedule),
        { span_of(c->name), span_of(c->line), span_of(c->line_read), span_of(c->tick_read),
          c->due == DUE_FORGET ? SPAN("") : span_number(digits, c->tick_ms) },
    };

    if (c->due == DUE_FIRE) {
        struct job_new job = job_of(c->type, c->id);
        char key[JOB_UNIQUE_SIZE];
        job_type_set_unique(c->type, &job, key);
        job_part_push(app, &job, &guard);
    } else {
        redis_queue_script(app->redis, guard.script, 1, &guard.key, JOB_PART_GUARD_ARGS, guard.args);
    }
}

/* Number of jobs pushed, or -1 with the first error; all replies are read. *late: another worker was faster somewhere. */
static int carry_out(struct app *app, const struct changes *all, bool *late, struct err *err)
{
    const struct reply *replies;
    struct err first = ERR_INIT;
    size_t count;
    int pushed = 0;

    redis_use_db(app->redis, app->main_db);
    for (size_t i = 0; i < all->count; i++)
        queue_change(app, &all->list[i]);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < all->count; i++) {
        bool overtaken = reply_int(&replies[i], 0) < 0;
        int result = job_push_reply(&replies[i], NULL, first.kind ? NULL : &first);
        pushed += result == JOB_PUSHED && !overtaken && all->list[i].due == DUE_FIRE;
        *late = *late || overtaken;
    }
    return first.kind ? err_set(err, first.kind, "%s", first.text) : pushed;
}

int schedule_tick(struct app *app, const struct job_types *types, int64_t *next_ms, struct err *err)
{
    struct changes all = { NULL, 0 };
    const struct reply *hash;
    bool late = false;
    int64_t now_ms;
    int rc = 0;

    *next_ms = -1;
    hash = read_all(app, &now_ms, err);
    if (!hash)
        return -1;
    look_at_types(types, hash, now_ms, &all, next_ms);
    look_at_rest(types, hash, now_ms, &all);
    if (all.count)
        rc = carry_out(app, &all, &late, err);
    if (late)
        *next_ms = 0; /* there may be a tick after the one that the other saw */
    changes_free(&all);
    return rc;
}

/* --- for people --- */

int schedule_each(struct app *app, const struct job_types *types,
                  void (*fn)(void *ctx, const struct schedule_state *state), void *ctx, struct err *err)
{
    const struct job_type *type;
    const struct reply *hash;
    struct memory m;
    int64_t now_ms;

    hash = read_all(app, &now_ms, err);
    if (!hash)
        return -1;
    for (size_t i = 0; i < job_types_count(types); i++) {
        type = job_types_at(types, i);
        if (!type->schedule)
            continue;
        m = recall(hash, span_of(type->name));
        fn(ctx, &(struct schedule_state){ .type = type, .last_ms = number(m.fired), .run_ms = number(m.run),
                                          .next_ms = next_tick_ms(type->schedule, now_ms) });
    }
    return 0;
}

/* *other: the job that stands in for it (free()). */
static int run_at(struct app *app, const struct job_type *type, int64_t ms, char id[ID_SIZE], char **other, struct err *err)
{
    struct job_new job;
    char key[JOB_UNIQUE_SIZE];
    const struct key schedule = key_schedule(app->house);
    const struct reply *replies;
    size_t count;
    int rc;

    snprintf(id, ID_SIZE, "schedule:%s:%" PRId64, type->name, ms);
    redis_use_db(app->redis, app->main_db);
    job = job_of(type, id);
    job_type_set_unique(type, &job, key);
    job_push_queue(app, &job);
    redis_queuef(app->redis, "HSET %b %s:run %lld", schedule.s, schedule.len, type->name, (long long)ms);
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    rc = job_push_reply(&replies[0], other, err);
    return rc < 0 || redis_reply_ok(&replies[1], err) < 0 ? -1 : rc;
}

int schedule_run(struct app *app, const struct job_types *types, const char *type, char **id, struct err *err)
{
    const struct job_type *found = job_types_find(types, span_of(type));
    const struct reply *time;
    char text[ID_SIZE], *other = NULL;
    int64_t now_ms;
    int rc = JOB_EXISTS;

    if (!found)
        return err_set(err, ERR_NOT_FOUND, "There is no job type \"%s\".", type);
    redis_use_db(app->redis, app->main_db);
    time = redis_do(app->redis, err, "TIME");
    if (!time)
        return -1;
    now_ms = reply_time_ms(time);
    /* Somebody else's may be of the same millisecond. */
    for (int i = 0; i < RUN_TRIES && rc == JOB_EXISTS; i++)
        rc = run_at(app, found, now_ms + i, text, &other, err);
    if (rc == JOB_NOT_UNIQUE)
        rc = err_set(err, ERR_STATE, "Nothing was pushed: the type \"%s\" is unique, and the job %s stands for it.", type, other);
    free(other);
    if (rc == JOB_EXISTS)
        return err_set(err, ERR_TOO_MANY, "The job type \"%s\" was run too often at the same time; try again.", type);
    if (rc == JOB_PUSHED)
        *id = xstrdup(text);
    return rc;
}
