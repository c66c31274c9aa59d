/* members.c: reading the body of a program's request by a table. */
#include "web/members.h"

#include "base/json.h"
#include "core/rules_text.h"
#include "web/api.h"

#define EMAIL_MAX 254

static void add_error(struct str *errors, const char *at, const char *name, const char *sentence)
{
    char *field = xasprintf("%s%s", at, name);

    api_add_error(errors, field, sentence);
    free(field);
}

static const struct member *find(const struct member rows[], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void members_read(struct json_object *body, const struct member rows[], size_t count, void *ctx, const char *at, const char *unknown, struct str *errors)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].required && !json_object_object_get(body, rows[i].name))
            add_error(errors, at, rows[i].name, "It is required.");
    FORM_EACH_MEMBER(i, body) {
        const char *name = json_object_iter_peek_name(&i);
        struct json_object *value = json_object_iter_peek_value(&i);
        const struct member *row = find(rows, count, name);
        const char *sentence = !row ? unknown : value ? row->read(ctx, value) : NULL;
        if (sentence)
            add_error(errors, at, name, sentence);
    }
}

const char *members_text(struct json_object *value, int max)
{
    const char *text = json_object_get_string(value);
    int len = json_object_get_string_len(value);

    if (!json_object_is_type(value, json_type_string) || len < 1 || len > max)
        return NULL;
    return span_has_control((struct span){ text, (size_t)len }) ? NULL : text;
}

const char *members_user(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) ? json_object_get_string(value) : members_text(value, MEMBERS_TEXT_MAX);
}

const char *members_job_id(struct json_object *value, const char **out)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";

    *out = members_text(value, MEMBERS_ID_MAX);
    if (!*out || (*out)[strspn(*out, good)] != '\0')
        return "It must be 1 to 100 letters, digits, _ . : and -.";
    return strncmp(*out, "req_", 4) == 0 ? "Ids that begin with req_ belong to requests." : NULL;
}

const char *members_email(struct json_object *value, const char **out)
{
    *out = members_text(value, EMAIL_MAX);
    return *out && rules_is_email(span_of(*out)) ? NULL : "It must be an e-mail address.";
}

const char *members_locale(struct json_object *value, const struct locales *locales, const char **out)
{
    *out = members_text(value, MEMBERS_TEXT_MAX);
    return *out && locales_find(locales, span_of(*out)) ? NULL : "It must be a language that there is, such as fa or en.";
}

const char *members_object(struct json_object *value, size_t max, struct str *out)
{
    size_t before = out->len;

    if (!json_object_is_type(value, json_type_object))
        return "It must be an object.";
    json_add(out, value);
    return out->len - before <= max ? NULL : "It has too many bytes.";
}
