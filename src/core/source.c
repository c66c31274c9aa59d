/* source.c: sources: loading, looking up, values of parameters and what becomes of them: a name in the cache, a payload, a request. */
#include "core/source.h"

#include "base/digest.h"
#include "core/definitions.h"
#include "core/options.h"
#include "core/source_read.h"

#include <errno.h>

#define KEY_MAX 1024 /* bytes of an API key */
#define DIGEST_SHOWN 32
#define WORD_OF(n) #n
#define WORD(n) WORD_OF(n)

struct sources {
    struct source **list; /* by name, ascending */
    size_t count;
};

/* --- one --- */

static void free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

static void free_method(struct source_method *m)
{
    for (size_t i = 0; i < m->refresh_count; i++)
        source_call_clear(&m->refresh[i]);
    free(m->refresh);
    for (size_t i = 0; i < m->parameter_count; i++) {
        free(m->parameters[i].name);
        free(m->parameters[i].as);
        free(m->parameters[i].fallback);
        rules_free(m->parameters[i].rules);
    }
    free(m->parameters);
    for (size_t i = 0; i < m->time_count; i++)
        free(m->times[i].name);
    free(m->times);
    free_words(m->tags);
    free(m->name);
    free(m->path);
    free(m->query);
}

void source_free(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->method_count; i++)
        free_method(&s->methods[i]);
    free(s->methods);
    free_words(s->headers);
    text_free(s->title);
    free(s->name);
    free(s->address);
    free(s->key_header);
    free(s->key_query);
    free(s->key_scheme);
    free(s->key_file);
    free(s);
}

static int load(const char *file, const char *name, struct source **out, struct err *err)
{
    struct json_object *root;
    struct source *s;
    struct jread at;
    int rc;

    if (jread_file(file, &root, err) < 0)
        return -1;
    s = xcalloc(1, sizeof(*s));
    at = jread_root(file, root);
    rc = source_read(s, &at, name, err);
    json_object_put(root);
    if (rc < 0)
        source_free(s);
    else
        *out = s;
    return rc;
}

int source_load(const char *file, struct source **out, struct err *err)
{
    char *name = definitions_name(file);
    int rc = load(file, name, out, err);

    free(name);
    return rc;
}

const struct source_method *source_find_method(const struct source *s, struct span name)
{
    for (size_t i = 0; i < s->method_count; i++)
        if (span_is(name, s->methods[i].name))
            return &s->methods[i];
    return NULL;
}

/* --- all --- */

static int load_one(void *ctx, const char *file, const char *name, struct err *err)
{
    struct sources *all = ctx;
    struct source *s;

    if (load(file, name, &s, err) < 0)
        return -1;
    all->list = xreallocarray(all->list, all->count + 1, sizeof(struct source *));
    all->list[all->count++] = s;
    return 0;
}

int sources_load(const char *dir, struct sources **out, struct err *err)
{
    struct sources *all = xcalloc(1, sizeof(*all));

    if (definitions_each(dir, load_one, all, err) < 0) {
        sources_free(all);
        return -1;
    }
    *out = all;
    return 0;
}

void sources_free(struct sources *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        source_free(s->list[i]);
    free(s->list);
    free(s);
}

size_t sources_count(const struct sources *s)
{
    return s->count;
}

const struct source *sources_at(const struct sources *s, size_t index)
{
    return s->list[index];
}

const struct source *sources_find(const struct sources *s, struct span name)
{
    for (size_t i = 0; i < s->count; i++)
        if (span_is(name, s->list[i]->name))
            return s->list[i];
    return NULL;
}

/* --- values --- */

/* What is told about a broken value. */
struct reading {
    const struct source_method *method;
    const struct source_given *given;
    size_t count;
    const struct locale *locale;
    source_broken broken;
    void *ctx;
    bool good;
};

static void tell(struct reading *r, struct span name, const struct str *sentence)
{
    r->good = false;
    if (r->broken)
        r->broken(r->ctx, name, sentence->s);
}

static struct span given_value(const struct reading *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (span_is(r->given[i].name, name))
            return r->given[i].value;
    return (struct span){ NULL, 0 };
}

/* Servers, and curl, take these for a way to another path, escaped or not. */
static bool leads_elsewhere(const struct source_parameter *p, struct span value)
{
    return p->in_path && (span_is(value, ".") || span_is(value, ".."));
}

static bool check_value(struct reading *r, const struct source_parameter *p, struct span value, struct str *sentence)
{
    bool said = r->broken != NULL;

    if (value.len > SOURCE_VALUE_MAX) {
        if (said)
            locale_add(r->locale, sentence, "validation.max", LOCALE_PARAMS("field", p->name, "max", WORD(SOURCE_VALUE_MAX)));
        return false;
    }
    if (!rules_check(p->rules, p->name, p->name, value, NULL, NULL, r->locale, said ? sentence : NULL))
        return false;
    if (!leads_elsewhere(p, value))
        return true;
    if (said)
        locale_add(r->locale, sentence, "validation.regex", LOCALE_PARAMS("field", p->name));
    return false;
}

static void read_value(struct reading *r, const struct source_parameter *p, char **out)
{
    struct str tidy = STR_INIT, sentence = STR_INIT;

    rules_tidy(p->rules, given_value(r, p->name), &tidy);
    if (tidy.len == 0 && p->fallback)
        str_adds(&tidy, p->fallback);
    if (!check_value(r, p, (struct span){ tidy.s, tidy.len }, &sentence))
        tell(r, span_of(p->name), &sentence);
    else if (tidy.len > 0)
        *out = str_take(&tidy, NULL);
    str_free(&tidy);
    str_free(&sentence);
}

static void refuse_unknown(struct reading *r, struct span name)
{
    const struct source_method *m = r->method;
    struct str known = STR_INIT, sentence = STR_INIT;

    for (size_t i = 0; i < m->parameter_count; i++)
        if (span_is(name, m->parameters[i].name))
            return;
    for (size_t i = 0; i < m->parameter_count; i++)
        str_addf(&known, "%s%s", i ? ", " : "", m->parameters[i].name);
    if (r->broken && known.len)
        locale_add(r->locale, &sentence, "data.unknown_parameter", LOCALE_PARAMS("known", known.s));
    else if (r->broken)
        locale_add(r->locale, &sentence, "data.no_parameters", LOCALE_PARAMS(NULL));
    tell(r, name, &sentence);
    str_free(&known);
    str_free(&sentence);
}

int source_call_read(struct source_call *call, const struct source_method *method, const struct source_given given[], size_t count,
                     const struct locale *locale, source_broken broken, void *ctx)
{
    struct reading r = { method, given, count, locale, broken, ctx, true };

    *call = (struct source_call){ .method = method };
    for (size_t i = 0; i < count; i++)
        refuse_unknown(&r, given[i].name);
    for (size_t i = 0; i < method->parameter_count; i++)
        read_value(&r, &method->parameters[i], &call->value[i]);
    if (!r.good)
        source_call_clear(call);
    return r.good;
}

void source_call_clear(struct source_call *call)
{
    for (size_t i = 0; i < SOURCE_PARAMETERS; i++)
        free(call->value[i]);
    *call = (struct source_call){ .method = NULL };
}

/* --- payloads --- */

/* The first thing that is wrong with the parameters. */
static void keep_first(void *ctx, struct span name, const char *sentence)
{
    struct err *err = ctx;

    if (err->kind == ERR_NONE)
        err_set(err, ERR_INVALID, "The parameter \"%.*s\" of the payload: %s", name.len > 64 ? 64 : (int)name.len, name.s, sentence);
}

/* Their number, or -1. */
static int take_params(struct json_object *params, struct source_given given[SOURCE_PARAMETERS], struct err *err)
{
    struct json_object_iterator i, end;
    int count = 0;

    if (!params)
        return 0;
    if (!json_object_is_type(params, json_type_object))
        return err_set(err, ERR_INVALID, "The payload's params must be an object.");
    if (json_object_object_length(params) > SOURCE_PARAMETERS)
        return err_set(err, ERR_INVALID, "The payload's params has more than %d members.", SOURCE_PARAMETERS);
    end = json_object_iter_end(params);
    for (i = json_object_iter_begin(params); !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        struct json_object *value = json_object_iter_peek_value(&i);
        if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
            return err_set(err, ERR_INVALID, "The payload's params must hold texts and numbers.");
        given[count++] = (struct source_given){ span_of(json_object_iter_peek_name(&i)), span_of(json_object_get_string(value)) };
    }
    return count;
}

static int read_params(struct source_call *call, const struct source_method *m, struct json_object *params, const struct locale *locale,
                       struct err *err)
{
    struct source_given given[SOURCE_PARAMETERS];
    struct err why = ERR_INIT;
    int count = take_params(params, given, err);

    if (count < 0)
        return -1;
    if (source_call_read(call, m, given, (size_t)count, locale, keep_first, &why))
        return 0;
    return err_set(err, ERR_INVALID, "%s", why.text);
}

static int read_payload(struct source_call *call, const struct sources *sources, struct json_object *root, const struct locale *locale,
                        struct err *err)
{
    struct span source = span_of(json_object_get_string(json_object_object_get(root, "source")));
    struct span method = span_of(json_object_get_string(json_object_object_get(root, "method")));
    const struct source *s = sources_find(sources, source);
    const struct source_method *m = s ? source_find_method(s, method) : NULL;

    if (!s)
        return err_set(err, ERR_INVALID, "The payload names no source that there is; it has source, method and params.");
    if (!m)
        return err_set(err, ERR_INVALID, "The payload names no method of the source %s.", s->name);
    return read_params(call, m, json_object_object_get(root, "params"), locale, err);
}

int source_call_of_payload(struct source_call *call, const struct sources *sources, struct span payload, const struct locale *locale,
                           struct err *err)
{
    struct json_object *root = NULL;
    int rc = -1;

    *call = (struct source_call){ .method = NULL };
    if (json_parse(payload.s, payload.len, &root, NULL) < 0 || !json_object_is_type(root, json_type_object))
        err_set(err, ERR_INVALID, "The payload must be an object with source, method and params.");
    else
        rc = read_payload(call, sources, root, locale, err);
    json_object_put(root);
    return rc;
}

void source_add_payload(const struct source_call *call, struct str *out)
{
    const struct source_method *m = call->method;
    const char *comma = "";

    str_addf(out, "{\"source\":\"%s\",\"method\":\"%s\",\"params\":{", m->source->name, m->name);
    for (size_t i = 0; i < m->parameter_count; i++) {
        if (!call->value[i])
            continue;
        str_addf(out, "%s\"%s\":", comma, m->parameters[i].name);
        str_add_json(out, call->value[i], strlen(call->value[i]));
        comma = ",";
    }
    str_adds(out, "}}");
}

/* --- its name --- */

/* "a=1&b=2" as the source has it in its query; "a=1,b=2" as the name in the cache does. */
static void add_values(const struct source_call *call, bool for_source, struct str *out)
{
    const struct source_parameter *p = call->method->parameters;
    size_t start = out->len;

    for (size_t i = 0; i < call->method->parameter_count; i++) {
        const char *name = for_source ? p[i].as : p[i].name;
        if (!call->value[i] || (for_source && p[i].in_path))
            continue;
        if (out->len > start)
            str_addc(out, for_source ? '&' : ',');
        str_add_url(out, name, strlen(name));
        str_addc(out, '=');
        str_add_url(out, call->value[i], strlen(call->value[i]));
    }
}

void source_add_name(const struct source_call *call, struct str *out)
{
    struct str values = STR_INIT;
    char digest[DIGEST_HEX_SIZE];
    size_t start = out->len;

    str_addf(out, "%s_%s", call->method->source->name, call->method->name);
    add_values(call, false, &values);
    if (values.len)
        str_addc(out, '_');
    if (out->len - start + values.len <= SOURCE_NAME_MAX) {
        str_add(out, values.s, values.len);
    } else {
        digest_sha256_hex(values.s, values.len, digest);
        str_add(out, digest, DIGEST_SHOWN);
    }
    str_free(&values);
}

/* --- where it is --- */

static const char *address_of(const struct source *s, const struct settings *settings)
{
    return s->address ? s->address : settings_text(settings, s->address_option);
}

void source_add_address(const struct source *s, const struct settings *settings, struct str *out)
{
    const char *address = address_of(s, settings);
    size_t len = strlen(address);

    while (len > 0 && address[len - 1] == '/')
        len--;
    str_add(out, address, len);
}

bool source_is_set(const struct source *s, const struct settings *settings)
{
    return s->address || settings->source[s->address_option] != FROM_DEFAULT;
}

bool source_may_be_private(const struct source *s, const struct settings *settings)
{
    return s->private_network || (!s->address && settings->source[s->address_option] != FROM_DEFAULT);
}

/* The file's first line. */
static int read_key(const char *file, struct str *out, struct err *err)
{
    char line[KEY_MAX + 2];
    FILE *in = fopen(file, "re");
    bool read;
    size_t len;

    if (!in)
        return err_set(err, ERR_CONFIG, "The file %s, which should hold an API key, cannot be read: %s.", file, strerror(errno));
    read = fgets(line, sizeof line, in) != NULL;
    fclose(in);
    len = read ? strcspn(line, "\r\n") : 0;
    if (len == 0 || len > KEY_MAX || span_has_control((struct span){ line, len }))
        return err_set(err, ERR_CONFIG, "The file %s holds no API key: its first line must be one, of at most %d bytes.", file, KEY_MAX);
    str_add(out, line, len);
    return 0;
}

static void add_query(const struct source_call *call, int64_t now_s, struct str *out)
{
    const struct source_method *m = call->method;

    if (m->query) {
        str_adds(out, "&");
        str_adds(out, m->query);
    }
    for (size_t i = 0; i < m->time_count; i++) {
        str_adds(out, "&");
        str_add_url(out, m->times[i].name, strlen(m->times[i].name));
        str_addf(out, "=%lld", (long long)(now_s + m->times[i].after_s));
    }
    str_adds(out, "&");
    add_values(call, true, out);
}

static const char *value_of(const struct source_call *call, struct span name)
{
    size_t i = 0;

    while (!span_is(name, call->method->parameters[i].name))
        i++;
    return call->value[i]; /* what stands in a path is required, or has a default */
}

static void add_path(const struct source_call *call, struct str *out)
{
    const char *at = call->method->path;

    for (const char *open; (open = strchr(at, '{')); at = strchr(open, '}') + 1) {
        const char *value = value_of(call, (struct span){ open + 1, strcspn(open + 1, "}") });
        str_add(out, at, (size_t)(open - at));
        str_add_url(out, value, strlen(value));
    }
    str_adds(out, at);
}

static void place_key(const struct source *s, const struct str *key, struct source_request *out)
{
    if (s->key_header)
        str_addf(&out->header, "%s: %s%s%s", s->key_header, s->key_scheme ? s->key_scheme : "", s->key_scheme ? " " : "", key->s);
    else {
        str_addf(&out->url, "&%s=", s->key_query);
        str_add_url(&out->url, key->s, key->len);
    }
}

/* "?a=1&b=2" of "&a=1&&b=2". */
static void tidy_query(struct str *url, size_t start)
{
    size_t to = start;

    for (size_t i = start; i < url->len; i++)
        if (url->s[i] != '&' || (i + 1 < url->len && url->s[i + 1] != '&'))
            url->s[to++] = url->s[i];
    if (to > start)
        url->s[start] = '?';
    url->len = to;
    url->s[to] = '\0';
}

int source_request(const struct source_call *call, const struct settings *settings, int64_t now_s, struct source_request *out, struct err *err)
{
    const struct source *s = call->method->source;
    bool has_key = s->key_header || s->key_query;
    const char *file = !has_key ? NULL : s->key_file ? s->key_file : settings_text(settings, s->key_option);
    struct str key = STR_INIT;
    size_t start;
    int rc = 0;

    *out = (struct source_request){ .url = STR_INIT };
    source_add_address(s, settings, &out->url);
    add_path(call, &out->url);
    start = out->url.len;
    add_query(call, now_s, &out->url);
    if (file)
        rc = read_key(file, &key, err);
    if (file && rc == 0)
        place_key(s, &key, out);
    tidy_query(&out->url, start);
    str_free(&key);
    return rc;
}

void source_request_free(struct source_request *r)
{
    str_free(&r->url);
    str_free(&r->header);
}
