/* service_read.c: from a definition file's JSON to struct service. Each object of the file has one function here, which
 * lists the members it knows. */
#include "core/service_read.h"

#define KNOWN(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define NAME_MAX_LEN 64
#define BAD_NAME "\"%s\" must be lower-case letters, digits and underscores, a letter first, at most %d."
#define STEPS_MAX 64
#define RESULTS_MAX 64
#define CHOICES_MAX 256
#define DAY_S 86400

/* --- pieces --- */

static int read_string(const struct jread *in, const char *key, bool needed, char **out, struct err *err)
{
    struct jread at = jread_member(in, key);
    int rc = jread_copy(&at, out, err);

    if (rc == 0 && needed)
        return jread_missing(&at, err);
    return rc < 0 ? -1 : 0;
}

static int read_text(const struct jread *in, const char *key, bool needed, struct text **out, struct err *err)
{
    struct jread at = jread_member(in, key);
    int rc = text_read(&at, out, err);

    if (rc == 0 && needed)
        return jread_missing(&at, err);
    return rc < 0 ? -1 : 0;
}

/* Absent: *out stays, which is the default. */
static int read_number(const struct jread *in, const char *key, int min, int max, int *out, struct err *err)
{
    struct jread at = jread_member(in, key);
    int64_t n;
    int rc = jread_int(&at, min, max, &n, err);

    if (rc > 0)
        *out = (int)n;
    return rc < 0 ? -1 : rc;
}

static int read_flag(const struct jread *in, const char *key, bool *out, struct err *err)
{
    struct jread at = jread_member(in, key);

    return jread_bool(&at, out, err) < 0 ? -1 : 0;
}

/* A list of at most `max` things: *at is its place, *items a zeroed array for them. Absent: no things. */
static int read_list(const struct jread *in, const char *key, size_t max, size_t item_size, struct jread *at,
                     void **items, size_t *length, struct err *err)
{
    size_t n = 0;

    *at = jread_member(in, key);
    *items = NULL;
    *length = 0;
    if (jread_list(at, &n, err) < 0)
        return -1;
    if (n > max)
        return jread_fail(at, err, "has %zu items; at most %zu are possible.", n, max);
    *items = n ? xcalloc(n, item_size) : NULL;
    *length = n;
    return 0;
}

static bool is_name(const char *s)
{
    return jread_made_of(s, LOWER DIGIT "_", NAME_MAX_LEN) && strchr(LOWER, s[0]);
}

/* Place in a NULL-terminated list, or -1 with the list in the error. */
static int choose(const struct jread *in, const char *key, const char *value, const char *const known[],
                  struct err *err)
{
    struct jread at = jread_member(in, key);
    struct str names = STR_INIT;

    for (int i = 0; known[i]; i++)
        if (strcmp(known[i], value) == 0)
            return i;
    for (int i = 0; known[i]; i++)
        str_addf(&names, "%s%s", i ? ", " : "", known[i]);
    jread_fail(&at, err, "unknown value \"%s\"; known are: %s.", value, names.s);
    str_free(&names);
    return -1;
}

/* --- fields --- */

static int read_choice(const struct jread *at, const struct service_field *f, size_t index, struct err *err)
{
    struct service_choice *c = &f->choices[index];

    if (jread_expect(at, KNOWN("value", "label"), err) < 0 || read_string(at, "value", true, &c->value, err) < 0 ||
        read_text(at, "label", true, &c->label, err) < 0)
        return -1;
    for (size_t i = 0; i < index; i++)
        if (strcmp(f->choices[i].value, c->value) == 0)
            return jread_fail(at, err, "the value \"%s\" stands here twice.", c->value);
    return 0;
}

static int read_choices(const struct jread *in, struct service_field *f, struct err *err)
{
    bool select = strcmp(f->type, "select") == 0;
    struct jread at, item;
    void *items;

    if (read_list(in, "choices", CHOICES_MAX, sizeof(*f->choices), &at, &items, &f->choice_count, err) < 0)
        return -1;
    f->choices = items;
    if (select && f->choice_count == 0)
        return jread_fail(&at, err, "is missing or empty; the type select needs choices.");
    if (!select && at.obj)
        return jread_fail(&at, err, "only the type select has choices; this is of type %s.", f->type);
    for (size_t i = 0; i < f->choice_count; i++) {
        item = jread_item(&at, i);
        if (read_choice(&item, f, i, err) < 0)
            return -1;
    }
    return 0;
}

/* Is it a name that a bot gets with the form's values, or that marks sealed ones? */
static bool is_reserved(const char *name)
{
    return strcmp(name, "requestHash") == 0 || strcmp(name, "otp") == 0 || strcmp(name, "otpData") == 0 ||
           strcmp(name, "sealed") == 0;
}

static int check_field_name(const struct jread *in, const struct service *s, size_t index, struct err *err)
{
    struct jread at = jread_member(in, "name");
    const char *name = s->fields[index].name;

    if (is_reserved(name))
        return jread_fail(&at, err, "\"%s\" is reserved: the bot gets requestHash, otp and otpData beside the form, and \"sealed\" "
                          "marks a sealed value.", name);
    if (!is_name(name))
        return jread_fail(&at, err, BAD_NAME, name, NAME_MAX_LEN);
    for (size_t i = 0; i < index; i++)
        if (strcmp(s->fields[i].name, name) == 0)
            return jread_fail(&at, err, "another field is called \"%s\" already.", name);
    return 0;
}

static int check_autocomplete(const struct jread *in, const struct service_field *f, struct err *err)
{
    struct jread at = jread_member(in, "autocomplete");

    if (f->autocomplete && !jread_made_of(f->autocomplete, LOWER DIGIT "- ", NAME_MAX_LEN))
        return jread_fail(&at, err, "must be HTML autocomplete tokens like tel or given-name.");
    return 0;
}

static int check_news(const struct jread *in, const struct service *s, const struct service_field *f, struct err *err)
{
    struct jread type = jread_member(in, "type"), rules = jread_member(in, "rules");

    if (strcmp(f->type, FIELD_NEWS) != 0)
        return 0;
    for (const struct service_field *before = s->fields; before < f; before++)
        if (strcmp(before->type, FIELD_NEWS) == 0)
            return jread_fail(&type, err, "another field is of the type " FIELD_NEWS " already; a request has one address for news.");
    return rules_email(f->rules) ? 0 : jread_fail(&rules, err, "must have the rule email, for the type is " FIELD_NEWS ".");
}

static int read_field(const struct jread *at, struct service *s, size_t index, struct err *err)
{
    static const char *const types[] = { "text",     "tel",      "number", "email",    "select",
                                         "checkbox", "textarea", "date",   "password", FIELD_NEWS, NULL };
    struct service_field *f = &s->fields[index];
    struct jread rules = jread_member(at, "rules");

    if (jread_expect(at, KNOWN("name", "label", "hint", "placeholder", "type", "autocomplete", "personal", "rules",
                                "choices"), err) < 0 ||
        read_string(at, "name", true, &f->name, err) < 0 || check_field_name(at, s, index, err) < 0 ||
        read_text(at, "label", true, &f->label, err) < 0 || read_text(at, "hint", false, &f->hint, err) < 0 ||
        read_text(at, "placeholder", false, &f->placeholder, err) < 0 ||
        read_string(at, "type", false, &f->type, err) < 0)
        return -1;
    if (!f->type)
        f->type = xstrdup("text");
    if (choose(at, "type", f->type, types, err) < 0 ||
        read_string(at, "autocomplete", false, &f->autocomplete, err) < 0 ||
        check_autocomplete(at, f, err) < 0 || read_flag(at, "personal", &f->personal, err) < 0 ||
        rules_parse(&rules, &f->rules, err) < 0 || check_news(at, s, f, err) < 0)
        return -1;
    return read_choices(at, f, err);
}

static int read_fields(const struct jread *in, struct service *s, struct err *err)
{
    struct jread at, item;
    void *items;

    if (read_list(in, "fields", SERVICE_FIELDS_MAX, sizeof(*s->fields), &at, &items, &s->field_count, err) < 0)
        return -1;
    s->fields = items;
    if (!at.obj)
        return jread_fail(&at, err, "is missing; it must be a list, which may be empty.");
    for (size_t i = 0; i < s->field_count; i++) {
        item = jread_item(&at, i);
        if (read_field(&item, s, i, err) < 0)
            return -1;
    }
    return 0;
}

/* --- steps --- */

static int check_step_id(const struct jread *in, const struct service *s, size_t index, struct err *err)
{
    struct jread at = jread_member(in, "id");
    const char *id = s->steps[index].id;

    if (!is_name(id))
        return jread_fail(&at, err, BAD_NAME, id, NAME_MAX_LEN);
    if (service_step_index(s, span_of(id)) != (int)index)
        return jread_fail(&at, err, "another step is called \"%s\" already.", id);
    return 0;
}

static int read_step(const struct jread *at, struct service *s, size_t index, struct err *err)
{
    struct service_step *step = &s->steps[index];
    struct jread progress = jread_member(at, "progress");
    int rc;

    step->repeat = true;
    if (jread_expect(at, KNOWN("id", "label", "progress", "repeat"), err) < 0 ||
        read_string(at, "id", true, &step->id, err) < 0 || check_step_id(at, s, index, err) < 0 ||
        read_text(at, "label", true, &step->label, err) < 0 || read_flag(at, "repeat", &step->repeat, err) < 0)
        return -1;
    rc = read_number(at, "progress", 0, 100, &step->progress, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&progress, err);
    if (index && step->progress <= s->steps[index - 1].progress)
        return jread_fail(&progress, err, "is %d; it must be more than the step before has, %d.", step->progress,
                          s->steps[index - 1].progress);
    return 0;
}

static int read_steps(const struct jread *in, struct service *s, struct err *err)
{
    struct jread at, item;
    void *items;
    size_t length;

    if (read_list(in, "steps", STEPS_MAX, sizeof(*s->steps), &at, &items, &length, err) < 0)
        return -1;
    s->steps = items;
    for (size_t i = 0; i < length; i++) {
        s->step_count++;
        item = jread_item(&at, i);
        if (read_step(&item, s, i, err) < 0)
            return -1;
    }
    return 0;
}

/* --- result --- */

static const char *const format_names[] = {
    [RESULT_TEXT] = "text", [RESULT_NUMBER] = "number", [RESULT_MONEY] = "money",
    [RESULT_DATE] = "date", [RESULT_LIST] = "list",     [RESULT_LINK] = "link",
    NULL,
};

const char *service_format_name(enum result_format format)
{
    return format_names[format];
}

static bool is_path(const char *s)
{
    return jread_made_of(s, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGIT "_.", 128) && s[0] != '.' && s[strlen(s) - 1] != '.' &&
           !strstr(s, "..");
}

static int read_result(const struct jread *at, struct service_result *r, struct err *err)
{
    struct jread path = jread_member(at, "path");
    char *format = NULL;
    int which = RESULT_TEXT;

    if (jread_expect(at, KNOWN("path", "label", "format"), err) < 0 ||
        read_string(at, "path", true, &r->path, err) < 0 || read_text(at, "label", true, &r->label, err) < 0)
        return -1;
    if (!is_path(r->path))
        return jread_fail(&path, err, "\"%s\" must be names with dots between them, like report.score.", r->path);
    if (read_string(at, "format", false, &format, err) < 0)
        return -1;
    if (format)
        which = choose(at, "format", format, format_names, err);
    free(format);
    r->format = (enum result_format)which;
    return which < 0 ? -1 : 0;
}

static int read_results(const struct jread *in, struct service *s, struct err *err)
{
    struct jread at, item;
    void *items;

    if (read_list(in, "result", RESULTS_MAX, sizeof(*s->results), &at, &items, &s->result_count, err) < 0)
        return -1;
    s->results = items;
    for (size_t i = 0; i < s->result_count; i++) {
        item = jread_item(&at, i);
        if (read_result(&item, &s->results[i], err) < 0)
            return -1;
    }
    return 0;
}

/* --- code, calls, policy --- */

static int read_code(const struct jread *in, struct service_code *c, struct err *err)
{
    struct jread at = jread_member(in, "code");
    struct jread per_request = jread_member(&at, "tries_per_request"), cooldown = jread_member(&at, "resend_cooldown");

    *c = (struct service_code){ .used = at.obj != NULL, .length = 5, .seconds = 120, .tries_code = 3,
                                .tries_request = 5, .cooldown_s = 60, .resends = 3 };
    if (!c->used)
        return 0;
    if (jread_expect(&at, KNOWN("length", "seconds", "tries_per_code", "tries_per_request", "resend_cooldown",
                                 "resends"), err) < 0 ||
        read_number(&at, "length", 3, 12, &c->length, err) < 0 ||
        read_number(&at, "seconds", 1, 3600, &c->seconds, err) < 0 ||
        read_number(&at, "tries_per_code", 1, 20, &c->tries_code, err) < 0 ||
        read_number(&at, "tries_per_request", 1, 100, &c->tries_request, err) < 0 ||
        read_number(&at, "resend_cooldown", 1, 3600, &c->cooldown_s, err) < 0 ||
        read_number(&at, "resends", 0, 20, &c->resends, err) < 0)
        return -1;
    if (c->tries_request < c->tries_code)
        return jread_fail(&per_request, err, "is %d; it must be tries_per_code, %d, at least.", c->tries_request,
                          c->tries_code);
    /* Otherwise a request would be given up (a minute after its code expired) before another code could be asked for. */
    if (c->cooldown_s > c->seconds + 30)
        return jread_fail(&cooldown, err, "is %d; it must be at most 30 more than seconds, %d.", c->cooldown_s, c->seconds);
    return 0;
}

static int read_call(const struct jread *item, struct service *s, struct err *err)
{
    const char *name = NULL;
    int rc = jread_string(item, &name, err);

    if (rc < 0)
        return -1;
    if (rc && strcmp(name, "resend-otp") == 0)
        s->calls_resend = true;
    else if (rc && strcmp(name, "cancel") == 0)
        s->calls_cancel = true;
    else
        return jread_fail(item, err, "unknown call \"%s\"; known are: resend-otp, cancel.", rc ? name : "null");
    if (s->calls_resend && !s->code.used)
        return jread_fail(item, err, "resend-otp is of use only to a service with a code.");
    return 0;
}

static int read_calls(const struct jread *in, struct service *s, struct err *err)
{
    struct jread at = jread_member(in, "calls"), item;
    size_t length = 0;

    if (jread_list(&at, &length, err) < 0)
        return -1;
    for (size_t i = 0; i < length; i++) {
        item = jread_item(&at, i);
        if (read_call(&item, s, err) < 0)
            return -1;
    }
    return 0;
}

static int read_policy(const struct jread *root, struct service *s, struct err *err)
{
    static const char *const handlers[] = { "http", NULL };

    s->backoff_s = -1;
    if (read_number(root, "timeout", 1, DAY_S, &s->timeout_s, err) < 0 ||
        read_number(root, "call_timeout", 1, DAY_S, &s->call_timeout_s, err) < 0 ||
        read_number(root, "tries", 1, 100, &s->tries, err) < 0 ||
        read_number(root, "backoff", 0, DAY_S, &s->backoff_s, err) < 0 ||
        read_string(root, "handler", false, &s->handler, err) < 0)
        return -1;
    if (!s->handler)
        s->handler = xstrdup("http");
    return choose(root, "handler", s->handler, handlers, err) < 0 ? -1 : 0;
}

static int read_seal(const struct jread *root, struct service *s, struct err *err)
{
    static const char *const names[] = { [SERVICE_SEAL_ON] = "on", [SERVICE_SEAL_OFF] = "off", [SERVICE_SEAL_STRICT] = "strict", NULL };
    char *name = NULL;
    int which = SERVICE_SEAL_ON;

    if (read_string(root, "seal", false, &name, err) < 0)
        return -1;
    if (name)
        which = choose(root, "seal", name, names, err);
    free(name);
    s->seal = (enum service_seal)which;
    return which < 0 ? -1 : 0;
}

/* --- the whole --- */

static int read_slug(const struct jread *root, struct service *s, const char *name, struct err *err)
{
    struct jread at = jread_member(root, "slug");

    if (read_string(root, "slug", true, &s->slug, err) < 0)
        return -1;
    if (!jread_made_of(s->slug, LOWER DIGIT "-", NAME_MAX_LEN))
        return jread_fail(&at, err, "\"%s\" must be lower-case letters, digits and hyphens, at most %d.", s->slug,
                          NAME_MAX_LEN);
    if (strcmp(s->slug, name) != 0)
        return jread_fail(&at, err, "is \"%s\"; it must be the file's name, \"%s\".", s->slug, name);
    return 0;
}

static int read_about(const struct jread *root, struct service *s, struct err *err)
{
    struct jread duration = jread_member(root, "estimated_duration");
    int rc;

    if (read_text(root, "title", true, &s->title, err) < 0 ||
        read_text(root, "summary", false, &s->summary, err) < 0 ||
        read_text(root, "submit", false, &s->submit, err) < 0)
        return -1;
    rc = read_number(root, "estimated_duration", 1, DAY_S, &s->estimated_duration_s, err);
    return rc == 0 ? jread_missing(&duration, err) : rc < 0 ? -1 : 0;
}

int service_read(struct service *s, const struct jread *root, const char *name, struct err *err)
{
    if (jread_expect(root, KNOWN("$schema", "slug", "title", "summary", "submit", "estimated_duration", "handler",
                                  "fields", "steps", "code", "calls", "result", "timeout", "call_timeout", "tries",
                                  "backoff", "seal"), err) < 0 ||
        read_slug(root, s, name, err) < 0 ||
        read_about(root, s, err) < 0 || read_fields(root, s, err) < 0 ||
        read_steps(root, s, err) < 0 || read_code(root, &s->code, err) < 0 || read_calls(root, s, err) < 0 ||
        read_results(root, s, err) < 0 || read_seal(root, s, err) < 0)
        return -1;
    return read_policy(root, s, err);
}
