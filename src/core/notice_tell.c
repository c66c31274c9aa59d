/* notice_tell.c: a job tells a user something: kept, published, and mailed where the event says so. */
#include "core/notice.h"

#include "base/json.h"
#include "core/inbox.h"
#include "core/job_type.h"
#include "core/notify.h"
#include "core/options.h"
#include "core/reminder.h"

/* What of a payload is no data. */
static const char *const reserved[] = { "event", "user_id", "email", "locale", "unless_answered", "data" };

static struct span text_of(struct json_object *payload, const char *name)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(payload, name, &value);
    if (!json_object_is_type(value, json_type_string))
        return (struct span){ NULL, 0 };
    return (struct span){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
}

const struct notice *notice_of_job(const struct house *house, const struct job *job, struct json_object *payload)
{
    struct span event = text_of(payload, "event");

    return notices_find(house->notices, event.s ? event : span_of(job->type));
}

/* Of `user_id`, or what the event takes for one; producers have ids of both kinds. */
static int read_user(const struct notice *notice, struct json_object *payload, struct span *out, struct err *err)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(payload, "user_id", &value) || !value)
        json_object_object_get_ex(payload, notice->to, &value);
    if (json_object_is_type(value, json_type_string))
        *out = (struct span){ json_object_get_string(value), (size_t)json_object_get_string_len(value) };
    else if (json_object_is_type(value, json_type_int))
        *out = span_of(json_object_get_string(value));
    if (out->s && out->len > 0 && out->len <= NOTICE_USER_MAX && !span_has_control(*out))
        return 0;
    return err_set(err, ERR_INVALID, "The payload of %s must name a user: user_id or %s, a whole number, or a text of 1 to %d bytes without control characters.",
                   notice->event, notice->to, NOTICE_USER_MAX);
}

/* The message that it waits for; absent where it waits for none. */
static int read_message(const struct notice *notice, struct json_object *payload, struct span *out, struct err *err)
{
    if (!json_object_object_get(payload, "unless_answered"))
        return 0;
    *out = text_of(payload, "unless_answered");
    if (reminder_message_ok(*out))
        return 0;
    return err_set(err, ERR_INVALID, "The payload of %s has unless_answered, which must be the id of a message of which somebody is reminded.", notice->event);
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static void copy_members(struct json_object *to, struct json_object *from, bool all)
{
    struct json_object_iterator i, end;

    if (!json_object_is_type(from, json_type_object))
        return;
    end = json_object_iter_end(from);
    for (i = json_object_iter_begin(from); !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *name = json_object_iter_peek_name(&i);
        if (all || !is_reserved(name))
            json_object_object_add(to, name, json_object_get(json_object_iter_peek_value(&i)));
    }
}

/* What is told. NULL: it is too much. */
static struct json_object *data_of(const struct notice *notice, struct json_object *payload, struct str *text, struct err *err)
{
    struct json_object *data = json_object_new_object(), *own = NULL;

    copy_members(data, payload, false);
    json_object_object_get_ex(payload, "data", &own);
    copy_members(data, own, true);
    json_add(text, data);
    if (text->len <= NOTICE_DATA_MAX)
        return data;
    err_set(err, ERR_INVALID, "What %s tells has %zu bytes of JSON, and %d is the most.", notice->event, text->len, NOTICE_DATA_MAX);
    json_object_put(data);
    return NULL;
}

/* Released by the caller. */
static char *words_of(const struct text *words, const struct locale *locale, struct json_object *data, size_t max)
{
    struct str line = STR_INIT;

    notice_add_words(&line, words, locale, data, max);
    return str_take(&line, NULL);
}

static void add_words(struct str *out, const char *name, const struct text *words, const struct locale *locale, struct json_object *data, size_t max)
{
    char *line = words_of(words, locale, data, max);

    str_adds(out, name);
    str_add_json(out, line, strlen(line));
    free(line);
}

/* {"en":{"title":…,"text":…},…} */
static void add_texts(struct str *out, const struct house *house, const struct notice *notice, struct json_object *data)
{
    for (size_t i = 0; i < locales_count(house->locales); i++) {
        const struct locale *locale = locales_at(house->locales, i);

        str_addf(out, "%s\"%s\":", i ? "," : "{", locale_code(locale));
        add_words(out, "{\"title\":", notice->title, locale, data, NOTICE_TITLE_MAX);
        add_words(out, ",\"text\":", notice->text, locale, data, NOTICE_TEXT_MAX);
        str_addc(out, '}');
    }
    str_addc(out, '}');
}

/* --- the mail --- */

static const struct locale *locale_of_mail(const struct house *house, struct json_object *payload)
{
    struct span code = text_of(payload, "locale");
    const struct locale *locale = code.s ? locales_find(house->locales, code) : NULL;

    return locale ? locale : locales_default(house->locales);
}

/* A mail is read elsewhere: there a path needs the site's address before it. A link that leads nowhere is left out. */
static void mend_link(const struct house *house, struct json_object *data)
{
    const char *site = settings_text(house->settings, OPT_PEYGIR_SITE_URL);
    const char *link = json_object_get_string(json_object_object_get(data, "link"));
    bool is_path = link && link[0] == '/';

    if (!link || !notice_is_place(link) || (is_path && !site)) {
        json_object_object_del(data, "link");
    } else if (is_path) {
        size_t len = strlen(site);
        char *whole = xasprintf("%.*s%s", (int)(site[len - 1] == '/' ? len - 1 : len), site, link);
        json_object_object_add(data, "link", json_object_new_string(whole));
        free(whole);
    }
}

/* What is told, and the words as title and about: they take the place of members of these names. */
static void add_mail(struct str *out, const struct notice *notice, const struct locale *locale, struct span to, struct json_object *data)
{
    char *title = words_of(notice->title, locale, data, NOTICE_TITLE_MAX), *about = words_of(notice->text, locale, data, NOTICE_TEXT_MAX);

    json_object_object_add(data, "title", json_object_new_string(title));
    json_object_object_add(data, "about", json_object_new_string(about));
    str_adds(out, "{\"to\":");
    str_add_json(out, to.s, to.len);
    str_addf(out, ",\"template\":\"%s\",\"locale\":\"%s\",\"data\":", notice->mail, locale_code(locale));
    json_add(out, data);
    str_addc(out, '}');
    free(title);
    free(about);
}

static char *mail_id(const char *job_id)
{
    return xasprintf("%s.mail", job_id);
}

/* NULL: the administrator took mails away. */
static const struct job_type *mail_type(const struct house *house)
{
    return house->job_types ? job_types_find(house->job_types, SPAN(NOTICE_MAIL_TYPE)) : NULL;
}

static bool is_mailed(const struct house *house, const struct notice *notice, struct json_object *payload)
{
    return notice->mail && text_of(payload, "email").s && mail_type(house);
}

static int push_mail(struct app *app, const struct notice *notice, const struct job *job, struct json_object *payload, struct json_object *data, struct err *err)
{
    const struct job_type *type = mail_type(app->house);
    char *id = mail_id(job->id);
    struct str mail = STR_INIT;

    mend_link(app->house, data);
    add_mail(&mail, notice, locale_of_mail(app->house, payload), text_of(payload, "email"), data);
    int rc = job_push(app, &(struct job_new){ .queue = type->queue, .id = id, .type = type->name, .payload = mail.s, .parent = job->id }, NULL, err);
    str_free(&mail);
    free(id);
    return rc < 0 ? -1 : 0;
}

int notice_withdraw_mail(struct app *app, const char *job_id, struct err *err)
{
    const struct job_type *type = mail_type(app->house);
    char *id = mail_id(job_id);
    struct err why = ERR_INIT;
    int rc = type ? job_cancel(app, type->queue, id, &why) : 0;

    free(id);
    return rc >= 0 || why.kind == ERR_NOT_FOUND ? 0 : err_set(err, why.kind, "%s", why.text);
}

/* `rc` is what keeping it came to. An answer ends the mails that it finds; one that was pushed after it had looked is withdrawn here, and by the
 * job's next try where this one broke off. 0 or -1. */
static int mail(struct app *app, int rc, const struct notice *notice, const struct job *job, struct json_object *payload, struct span message,
                struct json_object *data, struct err *err)
{
    int waits = rc != INBOX_ANSWERED;

    if (!is_mailed(app->house, notice, payload))
        return 0;
    if (waits && push_mail(app, notice, job, payload, data, err) < 0)
        return -1;
    if (waits && message.s)
        waits = reminder_waits(app, message, err);
    return waits == 0 ? notice_withdraw_mail(app, job->id, err) : waits < 0 ? -1 : 0;
}

/* --- telling --- */

static int keep(struct app *app, const struct notice *notice, const struct job *job, struct span user, struct span unless_answered,
                struct json_object *data, const struct str *json, struct err *err)
{
    const struct locale *locale = locales_default(app->house->locales);
    char *title = words_of(notice->title, locale, data, NOTICE_TITLE_MAX), *message = words_of(notice->text, locale, data, NOTICE_TEXT_MAX);
    struct str texts = STR_INIT;

    add_texts(&texts, app->house, notice, data);
    const struct inbox_new n = { .told = { .task_id = job->id, .user_id = user, .message = span_of(message), .data = { json->s, json->len } },
                                 .event = notice->event, .title = span_of(title), .texts = { texts.s, texts.len }, .unless_answered = unless_answered };
    int rc = inbox_add(app, &n, err);
    free(title);
    free(message);
    str_free(&texts);
    return rc;
}

int notice_tell(struct app *app, const struct notice *notice, const struct job *job, struct json_object *payload, struct err *err)
{
    struct span user = { NULL, 0 }, message = { NULL, 0 };
    struct str json = STR_INIT;
    struct json_object *data = NULL;
    int rc = -1;

    if (read_user(notice, payload, &user, err) == 0 && read_message(notice, payload, &message, err) == 0 && (data = data_of(notice, payload, &json, err)))
        rc = keep(app, notice, job, user, message, data, &json, err);
    if (rc != -1)
        rc = mail(app, rc, notice, job, payload, message, data, err) < 0 ? -1 : rc != INBOX_ANSWERED;
    json_object_put(data);
    str_free(&json);
    return rc;
}
