/* service.c: services: loading, looking up, validating what was submitted. */
#include "core/service.h"

#include "core/definitions.h"
#include "core/service_read.h"

struct services {
    struct service **list; /* by slug, ascending */
    size_t count;
};

/* --- one --- */

static void free_field(struct service_field *f)
{
    for (size_t i = 0; i < f->choice_count; i++) {
        free(f->choices[i].value);
        text_free(f->choices[i].label);
    }
    free(f->choices);
    free(f->name);
    text_free(f->label);
    text_free(f->hint);
    text_free(f->placeholder);
    free(f->type);
    free(f->autocomplete);
    rules_free(f->rules);
}

void service_free(struct service *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->field_count; i++)
        free_field(&s->fields[i]);
    for (size_t i = 0; i < s->step_count; i++) {
        free(s->steps[i].id);
        text_free(s->steps[i].label);
    }
    for (size_t i = 0; i < s->result_count; i++) {
        free(s->results[i].path);
        text_free(s->results[i].label);
    }
    free(s->fields);
    free(s->steps);
    free(s->results);
    free(s->slug);
    free(s->handler);
    text_free(s->title);
    text_free(s->summary);
    text_free(s->submit);
    free(s);
}

static int load(const char *file, const char *name, struct service **out, struct err *err)
{
    struct json_object *root;
    struct service *s;
    struct jread at;
    int rc;

    if (jread_file(file, &root, err) < 0)
        return -1;
    s = xcalloc(1, sizeof(*s));
    at = jread_root(file, root);
    rc = service_read(s, &at, name, err);
    json_object_put(root);
    if (rc < 0)
        service_free(s);
    else
        *out = s;
    return rc;
}

int service_load(const char *file, struct service **out, struct err *err)
{
    char *name = definitions_name(file);
    int rc = load(file, name, out, err);

    free(name);
    return rc;
}

int service_step_index(const struct service *s, struct span id)
{
    for (size_t i = 0; i < s->step_count; i++)
        if (s->steps[i].id && span_is(id, s->steps[i].id))
            return (int)i;
    return -1;
}

/* --- all --- */

static int load_one(void *ctx, const char *file, const char *name, struct err *err)
{
    struct services *all = ctx;
    struct service *s;

    if (load(file, name, &s, err) < 0)
        return -1;
    all->list = xreallocarray(all->list, all->count + 1, sizeof(struct service *));
    all->list[all->count++] = s;
    return 0;
}

int services_load(const char *dir, struct services **out, struct err *err)
{
    struct services *all = xcalloc(1, sizeof(*all));

    if (definitions_each(dir, load_one, all, err) < 0) {
        services_free(all);
        return -1;
    }
    *out = all;
    return 0;
}

void services_free(struct services *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        service_free(s->list[i]);
    free(s->list);
    free(s);
}

size_t services_count(const struct services *s)
{
    return s->count;
}

const struct service *services_at(const struct services *s, size_t index)
{
    return s->list[index];
}

const char *services_sealing(const struct services *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i]->seal != SERVICE_SEAL_OFF)
            return s->list[i]->slug;
    return NULL;
}

const struct service *services_find(const struct services *s, struct span slug)
{
    for (size_t i = 0; i < s->count; i++)
        if (span_is(slug, s->list[i]->slug))
            return s->list[i];
    return NULL;
}

/* --- what was submitted --- */

static bool is_choice(const struct service_field *f, struct span value)
{
    for (size_t i = 0; i < f->choice_count; i++)
        if (span_is(value, f->choices[i].value))
            return true;
    return f->choice_count == 0 || value.len == 0;
}

/* 1: good; 0: the sentence is in message. */
static int check_field(const struct service_field *f, struct span value, rules_lookup lookup, void *ctx,
                       const struct locale *locale, struct str *message)
{
    const char *label = text_in(f->label, locale);

    if (!rules_check(f->rules, f->name, label, value, lookup, ctx, locale, message))
        return 0;
    if (is_choice(f, value))
        return 1;
    locale_add(locale, message, "validation.in", LOCALE_PARAMS("field", label));
    return 0;
}

static void add_member(struct str *json, const char *name, struct span value)
{
    str_addc(json, json->len ? ',' : '{');
    str_add_json(json, name, strlen(name));
    str_addc(json, ':');
    str_add_json(json, value.s, value.len);
}

const struct service_field *service_news_field(const struct service *s)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (strcmp(s->fields[i].type, FIELD_NEWS) == 0)
            return &s->fields[i];
    return NULL;
}

void service_news_to(const struct service *s, rules_lookup lookup, void *ctx, struct str *out)
{
    const struct service_field *f = service_news_field(s);

    if (f)
        rules_tidy(f->rules, lookup(ctx, f->name), out);
}

int service_validate(const struct service *s, rules_lookup lookup, void *ctx, const struct locale *locale,
                     service_broken broken, void *broken_ctx, struct str *data)
{
    struct str value = STR_INIT, message = STR_INIT, json = STR_INIT;
    const struct service_field *f, *news = service_news_field(s);
    int good = 1;

    for (size_t i = 0; i < s->field_count; i++) {
        f = &s->fields[i];
        str_reset(&value);
        str_reset(&message);
        rules_tidy(f->rules, lookup(ctx, f->name), &value);
        if (!check_field(f, (struct span){ value.s, value.len }, lookup, ctx, locale, &message)) {
            broken(broken_ctx, f, message.s);
            good = 0;
        } else if (value.len && f != news) {
            add_member(&json, f->name, (struct span){ value.s, value.len });
        }
    }
    if (good)
        str_addf(data, "%s}", json.len ? json.s : "{");
    str_free(&value);
    str_free(&message);
    str_free(&json);
    return good;
}
