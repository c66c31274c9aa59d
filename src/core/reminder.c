/* reminder.c: vendors are reminded of what they have not answered. */
#include "core/reminder.h"

#include "base/raw.h"
#include "core/job_type.h"
#include "core/notice.h"
#include "core/options.h"
#include "scripts.h"

#define HOUR_MS INT64_C(3600000)
#define WEEK_H (7 * 24)
#define LAST_H 1 /* between the last reminder and the recommendation */
#define LAST_NAME "alternatives"
#define NAME_SIZE 16
#define WAITING "waiting"

bool reminder_message_ok(struct span id)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";

    for (size_t i = 0; i < id.len; i++)
        if (!memchr(good, id.s[i], sizeof good - 1))
            return false;
    return id.s && id.len > 0 && id.len <= REMINDER_MESSAGE_MAX;
}

/* --- the state --- */

struct state {
    int64_t since_ms;
    struct reminder_hours hours;
    int last; /* the greatest of them */
};

static void read_hours(const char *list, struct state *s)
{
    struct span item;

    s->hours.count = 0;
    s->last = 0;
    while (s->hours.count < REMINDER_HOURS_MAX && options_list_next(&list, &item)) {
        int hours = (int)strtol(item.s, NULL, 10); /* checked when it was set */
        s->hours.hour[s->hours.count++] = hours;
        if (hours > s->last)
            s->last = hours;
    }
}

/* "waiting MS HOURS" */
static void read_state(struct span text, struct state *s)
{
    char *copy = xmemdupz(text.s ? text.s : "", text.len), *rest = copy;

    strsep(&rest, " ");
    s->since_ms = strtoll(rest ? rest : "", &rest, 10);
    read_hours(rest + strspn(rest, " "), s);
    free(copy);
}

/* One of the two scripts that answer {code, state}. Its code; -1. */
static int ask(struct app *app, const struct script *script, struct span message_id, const struct span args[], int count, struct state *s, struct err *err)
{
    const struct key key = key_reminder(app->house, message_id);
    const struct span keys[] = { key_span(&key) };
    const struct reply *replies;
    size_t got;

    redis_use_db(app->redis, app->main_db);
    redis_queue_script(app->redis, script, ARRAY_LEN(keys), keys, count, args);
    if (redis_exchange(app->redis, &replies, &got, err) < 0 || redis_reply_ok(&replies[got - 1], err) < 0)
        return -1;
    const struct reply *reply = &replies[got - 1];
    read_state(reply->count > 1 ? reply_text(&reply->item[1]) : SPAN(""), s);
    return reply->count > 1 ? (int)reply_int(&reply->item[0], 0) : 0;
}

/* --- making --- */

static const struct job_type *find_type(const struct house *house, const char *name, struct err *err)
{
    const struct job_type *type = house->job_types ? job_types_find(house->job_types, span_of(name)) : NULL;

    if (!type)
        err_set(err, ERR_CONFIG, "The job type %s was taken away; reminders need its file in PEYGIR_JOBS_DIR.", name);
    return type;
}

static void add_member(struct str *out, const char *name, struct span value)
{
    struct str before = *out;

    *out = (struct str)STR_INIT;
    raw_set(out, (struct span){ before.s, before.len }, &(struct raw_member){ name, value }, 1);
    str_free(&before);
}

static void add_text(struct str *out, const char *name, struct span text)
{
    struct str value = STR_INIT;

    str_add_json(&value, text.s, text.len);
    add_member(out, name, (struct span){ value.s, value.len });
    str_free(&value);
}

static char *job_id(struct span message_id, const char *name)
{
    return xasprintf("reminder:%.*s:%s", (int)message_id.len, message_id.s, name);
}

/* The last part of a reminder's id: its hours. */
static void name_of(const struct state *s, size_t i, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "%d", s->hours.hour[i]);
}

static void queue_job(struct app *app, const struct job_type *type, struct span message_id, const char *name, const struct str *payload, int64_t delay_ms)
{
    char *id = job_id(message_id, name);

    job_push_queue(app, &(struct job_new){ .queue = type->queue, .id = id, .type = type->name, .payload = payload->s, .delay_ms = delay_ms });
    free(id);
}

static int64_t delay_ms(const struct app *app, const struct state *s, int hours)
{
    return s->since_ms + hours * HOUR_MS - house_now_ms(app->house);
}

/* What both are told, and that it is over once there is an answer. */
static void begin_payload(struct str *out, const struct reminder_new *n)
{
    str_add_span(out, n->payload);
    add_text(out, "unless_answered", n->message_id);
}

static size_t queue_reminders(struct app *app, const struct job_type *type, const struct reminder_new *n, const struct state *s)
{
    char hours[NAME_SIZE];
    size_t queued = 0;

    for (size_t i = 0; i < s->hours.count; i++) {
        int64_t delay = delay_ms(app, s, s->hours.hour[i]);
        struct str payload = STR_INIT;
        if (delay <= 0)
            continue;
        begin_payload(&payload, n);
        name_of(s, i, hours);
        add_member(&payload, "hours", span_of(hours));
        if (n->email.s)
            add_text(&payload, "email", n->email);
        queue_job(app, type, n->message_id, hours, &payload, delay);
        str_free(&payload);
        queued++;
    }
    return queued;
}

static size_t queue_last(struct app *app, const struct job_type *type, const struct reminder_new *n, const struct state *s)
{
    int64_t delay = delay_ms(app, s, s->last + LAST_H);
    struct str payload = STR_INIT;

    if (delay <= 0)
        return 0;
    begin_payload(&payload, n);
    if (n->alternatives.s)
        add_member(&payload, "alternatives", n->alternatives);
    queue_job(app, type, n->message_id, LAST_NAME, &payload, delay);
    str_free(&payload);
    return 1;
}

static int push_all(struct app *app, const struct job_type *type, const struct job_type *last, const struct reminder_new *n, const struct state *s, struct err *err)
{
    size_t queued = queue_reminders(app, type, n, s) + queue_last(app, last, n, s), count;
    const struct reply *replies;

    if (queued == 0)
        return 0;
    if (redis_exchange(app->redis, &replies, &count, err) < 0)
        return -1;
    for (size_t i = count - queued; i < count; i++)
        if (job_push_reply(&replies[i], NULL, err) < 0)
            return -1;
    return 0;
}

int reminder_make(struct app *app, const struct reminder_new *n, struct reminder_hours *hours, struct err *err)
{
    const struct house *house = app->house;
    const struct job_type *type = find_type(house, REMINDER_TYPE, err), *last = type ? find_type(house, REMINDER_LAST_TYPE, err) : NULL;
    const char *list = settings_text(house->settings, OPT_RESPONSE_REMINDER_HOURS);
    struct state s;
    char ttl[NUMBER_SIZE];

    if (!last)
        return -1;
    read_hours(list, &s);
    char *value = xasprintf(WAITING " %lld %s", (long long)house_now_ms(house), list ? list : "");
    const struct span args[] = { span_of(value), span_number(ttl, (s.last + LAST_H + WEEK_H) * HOUR_MS) };
    int code = ask(app, &script_reminder_open, n->message_id, args, ARRAY_LEN(args), &s, err);
    free(value);
    if (code == -1 || code == REMINDER_ANSWERED)
        return code;
    *hours = s.hours;
    return push_all(app, type, last, n, &s, err) < 0 ? -1 : code;
}

/* --- answered --- */

/* 1: it waited; 0: not any more; -1. */
static int cancel(struct app *app, const char *type_name, const char *id, struct err *err)
{
    const struct job_type *type = find_type(app->house, type_name, err);
    int rc = type ? job_cancel(app, type->queue, id, err) : 0;

    return rc < 0 && err->kind == ERR_NOT_FOUND ? 0 : rc;
}

/* The job first: whatever it still pushes afterwards it withdraws itself. Only vendors are mailed. */
static int cancel_reminder(struct app *app, struct span message_id, const char *hours, struct err *err)
{
    char *id = job_id(message_id, hours);
    int rc = cancel(app, REMINDER_TYPE, id, err);

    if (rc >= 0 && notice_withdraw_mail(app, id, err) < 0)
        rc = -1;
    free(id);
    return rc;
}

static int cancel_last(struct app *app, struct span message_id, struct err *err)
{
    char *id = job_id(message_id, LAST_NAME);
    int rc = cancel(app, REMINDER_LAST_TYPE, id, err);

    free(id);
    return rc;
}

int reminder_answer(struct app *app, struct span message_id, int *cancelled, struct err *err)
{
    struct state s;
    char hours[NAME_SIZE];
    int code = ask(app, &script_reminder_close, message_id, NULL, 0, &s, err);

    *cancelled = 0;
    if (code <= 0)
        return code;
    for (size_t i = 0; i <= s.hours.count; i++) {
        bool is_last = i == s.hours.count;
        if (!is_last)
            name_of(&s, i, hours);
        int rc = is_last ? cancel_last(app, message_id, err) : cancel_reminder(app, message_id, hours, err);
        if (rc < 0)
            return -1;
        *cancelled += rc;
    }
    return 1;
}

int reminder_waits(struct app *app, struct span message_id, struct err *err)
{
    const struct key key = key_reminder(app->house, message_id);
    const struct reply *reply;

    redis_use_db(app->redis, app->main_db);
    reply = redis_do(app->redis, err, "GET %b", key.s, key.len);
    if (!reply)
        return -1;
    struct span state = reply_text(reply);
    return state.len >= sizeof WAITING - 1 && memcmp(state.s, WAITING, sizeof WAITING - 1) == 0;
}
