/* source_read.c: from a definition file's JSON to struct source. Each object of the file has one function here, which lists the members
 * it knows. */
#include "core/source_read.h"

#include "core/options.h"

#define KNOWN(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define TOKEN UPPER LOWER DIGIT "-_."
#define URL_BYTES UPPER LOWER DIGIT "-._~%!$&'()*+,;=:@/[]"
#define PATH_BYTES UPPER LOWER DIGIT "-._~%!$&'()*+,;=:@/{}"
#define NAME_MAX_BYTES 64
#define URL_MAX_BYTES 1024
#define METHODS_MAX 64
#define MEMBERS_MAX 16
#define REFRESH_MAX 32
#define DAY_S 86400
#define MONTH_S (31 * DAY_S)
#define YEAR_S (366 * DAY_S)
#define FETCHES_MAX 100000

/* --- pieces --- */

static int read_needed(const struct jread *in, const char *key, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    struct jread at = jread_member(in, key);
    int rc = jread_int(&at, min, max, out, err);

    return rc == 0 ? jread_missing(&at, err) : rc < 0 ? -1 : 0;
}

/* A text of these bytes. Absent: *out stays. */
static int read_word(const struct jread *in, const char *key, const char *bytes, size_t max, char **out, struct err *err)
{
    struct jread at = jread_member(in, key);
    int rc = jread_copy(&at, out, err);

    if (rc > 0 && !jread_made_of(*out, bytes, max))
        return jread_fail(&at, err, "has a character that cannot be there, or more than %zu.", max);
    return rc;
}

static bool is_name(const char *s)
{
    return jread_made_of(s, LOWER DIGIT "_", NAME_MAX_BYTES) && strchr(LOWER, s[0]);
}

/* The members of an object one by one. */
typedef int (*member_reader)(const struct jread *at, const char *name, void *ctx, size_t index, struct err *err);

static int each_member(const struct jread *at, size_t max, member_reader read, void *ctx, struct err *err)
{
    struct json_object_iterator i, end;
    struct jread member;
    size_t index = 0;

    if (!at->obj)
        return 0;
    if ((size_t)json_object_object_length(at->obj) > max)
        return jread_fail(at, err, "has more than %zu members.", max);
    end = json_object_iter_end(at->obj);
    for (i = json_object_iter_begin(at->obj); !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        member = jread_member(at, json_object_iter_peek_name(&i));
        if (read(&member, json_object_iter_peek_name(&i), ctx, index++, err) < 0)
            return -1;
    }
    return 0;
}

/* --- where it is --- */

/* The row of an option whose name ends so. */
static int read_option(const struct jread *in, const char *ending, enum setting_type type, size_t *out, struct err *err)
{
    struct jread at = jread_member(in, "option");
    const char *name = NULL;
    size_t id = 0, len;

    if (jread_string(&at, &name, err) < 0)
        return -1;
    if (!name)
        return 0;
    while (id < OPT_COUNT && strcmp(options_table[id].name, name) != 0)
        id++;
    len = strlen(name);
    if (id == OPT_COUNT || options_table[id].type != type || len < strlen(ending) || strcmp(name + len - strlen(ending), ending) != 0)
        return jread_fail(&at, err, "there is no option \"%.64s\" whose name ends in %s.", name, ending);
    *out = id;
    return 1;
}

static int read_address(const struct jread *root, struct source *s, struct err *err)
{
    struct jread at = jread_member(root, "address"), is_private = jread_member(root, "private");
    const char *rest;
    int rc;

    if (jread_bool(&is_private, &s->private_network, err) < 0)
        return -1;
    if (json_object_is_type(at.obj, json_type_object)) {
        rc = jread_only(&at, KNOWN("option"), err) < 0 ? -1 : read_option(&at, "_API_URL", SETTING_URL, &s->address_option, err);
        return rc == 0 ? jread_missing(&at, err) : rc < 0 ? -1 : 0;
    }
    rc = jread_copy(&at, &s->address, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&at, err);
    rest = strstr(s->address, "://");
    if ((strncmp(s->address, "https://", 8) != 0 && strncmp(s->address, "http://", 7) != 0) || !rest[3] || rest[3] == '/' ||
        strchr(rest, '@') || !jread_made_of(s->address, URL_BYTES, URL_MAX_BYTES))
        return jread_fail(&at, err, "must be http:// or https:// and a host, perhaps with a path, without a user, ? and #.");
    return 0;
}

static int read_key(const struct jread *root, struct source *s, struct err *err)
{
    struct jread at = jread_member(root, "key"), file = jread_member(&at, "file");
    int option;

    if (!at.obj)
        return 0;
    if (jread_expect(&at, KNOWN("option", "file", "header", "query", "scheme"), err) < 0 ||
        (option = read_option(&at, "_API_KEY_FILE", SETTING_PATH, &s->key_option, err)) < 0 || jread_copy(&file, &s->key_file, err) < 0 ||
        read_word(&at, "header", TOKEN, NAME_MAX_BYTES, &s->key_header, err) < 0 ||
        read_word(&at, "query", TOKEN, NAME_MAX_BYTES, &s->key_query, err) < 0 ||
        read_word(&at, "scheme", TOKEN, NAME_MAX_BYTES, &s->key_scheme, err) < 0)
        return -1;
    if ((option > 0) == (s->key_file != NULL))
        return jread_fail(&at, err, "must have either option or file, which tell where the key is.");
    if (s->key_file && s->key_file[0] != '/')
        return jread_fail(&file, err, "must be an absolute path.");
    if ((s->key_header != NULL) == (s->key_query != NULL))
        return jread_fail(&at, err, "must have either header or query, which tell where the key goes.");
    if (s->key_scheme && !s->key_header)
        return jread_fail(&at, err, "has a scheme, which is of use only in a header.");
    return 0;
}

static int read_header(const struct jread *at, const char *name, void *ctx, size_t index, struct err *err)
{
    struct source *s = ctx;
    const char *value = NULL;
    int rc = jread_string(at, &value, err);

    if (rc == 0)
        return jread_fail(at, err, "must be a text in double quotes.");
    if (rc > 0 && (!jread_made_of(name, TOKEN, NAME_MAX_BYTES) || !*value || strlen(value) > URL_MAX_BYTES || span_has_control(span_of(value))))
        return jread_fail(at, err, "must be a header: a name of letters, digits and hyphens, and one line of text.");
    if (rc > 0)
        s->headers[index] = xasprintf("%s: %s", name, value);
    return rc < 0 ? -1 : 0;
}

static int read_headers(const struct jread *root, struct source *s, struct err *err)
{
    struct jread at = jread_member(root, "headers");

    if (jread_object(&at, err) < 0)
        return -1;
    s->headers = xcalloc(MEMBERS_MAX + 1, sizeof(char *));
    return each_member(&at, MEMBERS_MAX, read_header, s, err);
}

static int read_limit(const struct jread *root, struct source *s, struct err *err)
{
    struct jread at = jread_member(root, "limit");

    if (!at.obj)
        return 0;
    if (jread_expect(&at, KNOWN("fetches", "seconds"), err) < 0)
        return -1;
    return read_needed(&at, "fetches", 1, FETCHES_MAX, &s->per_count, err) < 0 ? -1 : read_needed(&at, "seconds", 1, DAY_S, &s->per_s, err);
}

/* --- parameters --- */

static bool is_in_path(const struct source_method *m, const char *name)
{
    char *place = xasprintf("{%s}", name);
    bool found = strstr(m->path, place) != NULL;

    free(place);
    return found;
}

static int check_rules(const struct jread *at, const struct source_parameter *p, struct err *err)
{
    struct jread rules = jread_member(at, "rules"), fallback = jread_member(at, "default");

    if (rules_confirmed(p->rules))
        return jread_fail(&rules, err, "the rule confirmed is for forms.");
    if (!rules_bounded(p->rules))
        return jread_fail(&rules, err, "must have in, regex or max (or between, digits, digits_between): whatever anybody sends would be fetched and kept.");
    if (p->fallback && (strlen(p->fallback) > SOURCE_VALUE_MAX || !rules_check(p->rules, p->name, p->name, span_of(p->fallback), NULL, NULL, NULL, NULL)))
        return jread_fail(&fallback, err, "breaks the parameter's own rules.");
    if (p->in_path && !p->fallback && !rules_required(p->rules))
        return jread_fail(&rules, err, "must have required, or the parameter a default: it stands in the path.");
    return 0;
}

static int read_parameter(const struct jread *at, struct source_method *m, struct err *err)
{
    struct source_parameter *p = &m->parameters[m->parameter_count++];
    struct jread name = jread_member(at, "name"), rules = jread_member(at, "rules"), fallback = jread_member(at, "default");
    int rc;

    if (jread_expect(at, KNOWN("name", "as", "rules", "default"), err) < 0)
        return -1;
    rc = jread_copy(&name, &p->name, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&name, err);
    if (!is_name(p->name) || strcmp(p->name, "lang") == 0)
        return jread_fail(&name, err, "\"%.64s\" must be lower-case letters, digits and underscores, a letter first, at most %d, and not lang.", p->name, NAME_MAX_BYTES);
    for (size_t i = 0; i + 1 < m->parameter_count; i++)
        if (strcmp(m->parameters[i].name, p->name) == 0)
            return jread_fail(&name, err, "\"%s\" stands here twice.", p->name);
    p->in_path = is_in_path(m, p->name);
    if (read_word(at, "as", TOKEN "[]", NAME_MAX_BYTES, &p->as, err) < 0 || rules_parse(&rules, &p->rules, err) < 0 ||
        jread_copy(&fallback, &p->fallback, err) < 0)
        return -1;
    if (!p->as)
        p->as = xstrdup(p->name);
    return check_rules(at, p, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct source_parameter *)a)->name, ((const struct source_parameter *)b)->name);
}

static int read_parameters(const struct jread *in, struct source_method *m, struct err *err)
{
    struct jread at = jread_member(in, "parameters"), item;
    size_t length = 0;

    if (jread_list(&at, &length, err) < 0)
        return -1;
    if (length > SOURCE_PARAMETERS)
        return jread_fail(&at, err, "has %zu items; at most %d are possible.", length, SOURCE_PARAMETERS);
    m->parameters = xcalloc(length + 1, sizeof(*m->parameters));
    for (size_t i = 0; i < length; i++) {
        item = jread_item(&at, i);
        if (read_parameter(&item, m, err) < 0)
            return -1;
    }
    qsort(m->parameters, m->parameter_count, sizeof(*m->parameters), by_name);
    return 0;
}

/* Each place of the path is a parameter's. */
static int check_path(const struct jread *in, const struct source_method *m, struct err *err)
{
    struct jread at = jread_member(in, "path");
    const char *open, *close = m->path;
    size_t i;

    while (*(open = close + strcspn(close, "{}"))) {
        size_t len = strcspn(open + 1, "{}");
        struct span name = { open + 1, len };
        if (*open != '{' || open[1 + len] != '}')
            return jread_fail(&at, err, "has a { or } without the other.");
        for (i = 0; i < m->parameter_count && !span_is(name, m->parameters[i].name); i++)
            ;
        if (i == m->parameter_count)
            return jread_fail(&at, err, "has a place for \"%.*s\", which is none of its parameters.", len > 64 ? 64 : (int)len, name.s);
        close = open + 2 + len;
    }
    return 0;
}

/* --- methods --- */

static int read_path(const struct jread *in, struct source_method *m, struct err *err)
{
    struct jread at = jread_member(in, "path");
    int rc = jread_copy(&at, &m->path, err);

    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&at, err);
    if (m->path[0] != '/' || !jread_made_of(m->path, PATH_BYTES, URL_MAX_BYTES))
        return jread_fail(&at, err, "must begin with / and hold only what a path of a URL may, without ? and #.");
    return 0;
}

static int read_fixed(const struct jread *at, const char *name, void *ctx, size_t index, struct err *err)
{
    struct str *query = ctx;
    const char *value = NULL;
    int rc = jread_string(at, &value, err);

    if (rc == 0)
        return jread_fail(at, err, "must be a text in double quotes.");
    if (rc < 0)
        return -1;
    str_adds(query, index ? "&" : "");
    str_add_url(query, name, strlen(name));
    str_addc(query, '=');
    str_add_url(query, value, strlen(value));
    return 0;
}

static int read_time(const struct jread *at, const char *name, void *ctx, size_t index, struct err *err)
{
    struct source_method *m = ctx;
    int rc = jread_int(at, -10 * (int64_t)YEAR_S, 10 * (int64_t)YEAR_S, &m->times[index].after_s, err);

    m->times[index].name = xstrdup(name);
    m->time_count = index + 1;
    return rc == 0 ? jread_fail(at, err, "must be a number of seconds.") : rc < 0 ? -1 : 0;
}

static int read_query(const struct jread *in, struct source_method *m, struct err *err)
{
    struct jread at = jread_member(in, "query"), times = jread_member(in, "times");
    struct str query = STR_INIT;
    int rc;

    if (jread_object(&at, err) < 0 || jread_object(&times, err) < 0)
        return -1;
    rc = each_member(&at, MEMBERS_MAX, read_fixed, &query, err);
    m->query = str_take(&query, NULL);
    m->times = xcalloc(MEMBERS_MAX, sizeof(*m->times));
    return rc < 0 ? -1 : each_member(&times, MEMBERS_MAX, read_time, m, err);
}

static int read_tags(const struct jread *in, struct source_method *m, struct err *err)
{
    struct jread at = jread_member(in, "tags"), item;
    size_t length = 0;
    int rc;

    if (jread_list(&at, &length, err) < 0)
        return -1;
    if (length > MEMBERS_MAX)
        return jread_fail(&at, err, "has %zu items; at most %d are possible.", length, MEMBERS_MAX);
    m->tags = xcalloc(length + 1, sizeof(char *));
    for (size_t i = 0; i < length; i++) {
        item = jread_item(&at, i);
        rc = jread_copy(&item, &m->tags[i], err);
        if (rc <= 0)
            return rc < 0 ? -1 : jread_missing(&item, err);
        if (!jread_made_of(m->tags[i], TOKEN, NAME_MAX_BYTES))
            return jread_fail(&item, err, "must be letters, digits, _, - and ., at most %d.", NAME_MAX_BYTES);
    }
    return 0;
}

static int read_value(const struct jread *at, const char *name, void *ctx, size_t index, struct err *err)
{
    struct source_given *given = ctx;
    const char *value = NULL;
    int rc = jread_string(at, &value, err);

    given[index] = (struct source_given){ span_of(name), span_of(value) };
    return rc == 0 ? jread_fail(at, err, "must be a text in double quotes.") : rc < 0 ? -1 : 0;
}

static int read_refresh(const struct jread *in, struct source_method *m, struct err *err)
{
    struct jread at = jread_member(in, "refresh"), item;
    struct source_given given[SOURCE_PARAMETERS];
    size_t length = 0;

    if (jread_list(&at, &length, err) < 0)
        return -1;
    if (length > REFRESH_MAX)
        return jread_fail(&at, err, "has %zu items; at most %d are possible.", length, REFRESH_MAX);
    m->refresh = xcalloc(length + 1, sizeof(*m->refresh));
    for (; m->refresh_count < length; m->refresh_count++) {
        item = jread_item(&at, m->refresh_count);
        if (jread_object(&item, err) <= 0)
            return item.obj ? -1 : jread_fail(&item, err, "must be an object of parameters; {} when none is needed.");
        if (each_member(&item, SOURCE_PARAMETERS, read_value, given, err) < 0)
            return -1;
        if (!source_call_read(&m->refresh[m->refresh_count], m, given, (size_t)json_object_object_length(item.obj), NULL, NULL, NULL))
            return jread_fail(&item, err, "breaks the rules of the method's parameters, or names another.");
    }
    return 0;
}

static int read_method(const struct jread *at, const char *name, void *ctx, size_t index, struct err *err)
{
    struct source *s = ctx;
    struct source_method *m = &s->methods[index];

    s->method_count = index + 1;
    m->source = s;
    m->name = xstrdup(name);
    if (!jread_made_of(name, LOWER DIGIT "-", NAME_MAX_BYTES))
        return jread_fail(at, err, "a method's name is lower-case letters, digits and hyphens, at most %d.", NAME_MAX_BYTES);
    if (jread_expect(at, KNOWN("path", "parameters", "query", "times", "fresh", "stale", "tags", "refresh"), err) < 0 ||
        read_path(at, m, err) < 0 || read_parameters(at, m, err) < 0 || check_path(at, m, err) < 0 || read_query(at, m, err) < 0 ||
        read_needed(at, "fresh", 1, MONTH_S, &m->fresh_s, err) < 0 || read_needed(at, "stale", 0, MONTH_S, &m->stale_s, err) < 0 ||
        read_tags(at, m, err) < 0)
        return -1;
    return read_refresh(at, m, err);
}

static int read_methods(const struct jread *root, struct source *s, struct err *err)
{
    struct jread at = jread_member(root, "methods");

    if (jread_object(&at, err) < 0)
        return -1;
    if (!at.obj || json_object_object_length(at.obj) == 0)
        return jread_fail(&at, err, "must have at least one method.");
    s->methods = xcalloc(METHODS_MAX, sizeof(*s->methods));
    return each_member(&at, METHODS_MAX, read_method, s, err);
}

/* --- the whole --- */

int source_read(struct source *s, const struct jread *root, const char *name, struct err *err)
{
    struct jread title = jread_member(root, "title");
    int rc;

    s->name = xstrdup(name);
    s->address_option = s->key_option = OPT_COUNT;
    if (!jread_made_of(name, LOWER DIGIT "-", NAME_MAX_BYTES))
        return jread_fail(root, err, "the file's name is the source's: lower-case letters, digits and -, at most %d, and .json.", NAME_MAX_BYTES);
    if (jread_expect(root, KNOWN("$schema", "title", "address", "private", "key", "headers", "limit", "methods"), err) < 0)
        return -1;
    rc = text_read(&title, &s->title, err);
    if (rc <= 0)
        return rc < 0 ? -1 : jread_missing(&title, err);
    return read_address(root, s, err) < 0 || read_key(root, s, err) < 0 || read_headers(root, s, err) < 0 || read_limit(root, s, err) < 0
               ? -1
               : read_methods(root, s, err);
}
