/* letter.c: e-mail as it is written. */
#include "worker/letter.h"

#include "base/json.h"
#include "base/mime.h"
#include "base/mustache_set.h"
#include "core/locale.h"

#include <stdbool.h>

/* In no body: mime.h. */
#define BOUNDARY "=_peygir"
#define NAME_MAX_BYTES 64
#define HTML ".html"
#define TEXT ".txt"

struct letters {
    char *dir; /* for errors */
    const struct locales *locales;
    struct mustache_set *set;
    struct json_object **words; /* by place of the locale: its catalogue */
};

/* --- reading --- */

static void read_words(struct letters *l)
{
    size_t count = locales_count(l->locales);
    l->words = xcalloc(count, sizeof *l->words);
    for (size_t i = 0; i < count; i++) {
        size_t len;
        const char *text = locale_catalogue(locales_at(l->locales, i), &len);
        json_parse(text, len, &l->words[i], NULL); /* it was checked when it was loaded */
    }
}

int letters_load(const char *dir, const struct locales *locales, struct letters **out, struct err *err)
{
    struct letters *l = xcalloc(1, sizeof *l);
    *l = (struct letters){ .dir = xstrdup(dir), .locales = locales, .set = mustache_set_new() };
    read_words(l);
    if (mustache_set_load(l->set, dir, NULL, true, err) == 0 && mustache_set_check(l->set, NULL, err) == 0) {
        *out = l;
        return 0;
    }
    letters_free(l);
    return -1;
}

void letters_free(struct letters *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < locales_count(l->locales); i++)
        json_object_put(l->words[i]);
    free(l->words);
    mustache_set_free(l->set);
    free(l->dir);
    free(l);
}

/* --- looking up --- */

/* Names come from any producer: what is none is not quoted. */
static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return len > 0 && !name[len] && len <= NAME_MAX_BYTES;
}

/* 0 and its place, or -1. */
static int find_locale(const struct letters *l, const char *code, size_t *place, struct err *err)
{
    const struct locale *wanted = code ? locales_find(l->locales, span_of(code)) : locales_default(l->locales);
    for (*place = 0; *place < locales_count(l->locales); ++*place)
        if (locales_at(l->locales, *place) == wanted)
            return 0;
    return code && is_name(code) ? err_set(err, ERR_INVALID, "There is no language \"%s\": no file of that name in PEYGIR_LOCALES_DIR.", code)
                         : err_set(err, ERR_INVALID, "The payload's locale is no name of a language, such as fa or en.");
}

/* The words of a template: mail.NAME of the catalogue; NULL: there are none. */
static struct json_object *find_words(struct json_object *catalogue, const char *template)
{
    char *key = xstrdup(template);
    struct json_object *words = json_object_object_get(catalogue, "mail");
    for (char *at = key; *at; at++)
        if (*at == '-')
            *at = '_';
    words = json_object_object_get(words, key);
    free(key);
    return json_object_object_get(words, "subject") ? words : NULL;
}

static const struct mustache *find_part(const struct letters *l, const char *template, const char *kind)
{
    char *name = xasprintf("%s%s", template, kind);
    const struct mustache *part = mustache_set_find(l->set, NULL, name);
    free(name);
    return part;
}

static const struct mustache *find_partial(void *ctx, const char *name)
{
    return mustache_set_find(((const struct letters *)ctx)->set, NULL, name);
}

/* What a letter is made of. */
struct choice {
    const struct locale *locale;
    const struct mustache *html, *text;
    struct json_object *words;
};

static int choose(const struct letters *l, const struct letter *letter, struct choice *c, struct err *err)
{
    const char *template = letter->template;
    size_t place;
    if (!is_name(template))
        return err_set(err, ERR_INVALID, "The payload's template is no name of one: letters, digits and -, at most %d.", NAME_MAX_BYTES);
    if (find_locale(l, letter->locale, &place, err) < 0)
        return -1;
    *c = (struct choice){ locales_at(l->locales, place), find_part(l, template, HTML), find_part(l, template, TEXT),
                          find_words(l->words[place], template) };
    if (c->html && c->text && c->words)
        return 0;
    return err_set(err, ERR_INVALID, "There is no template \"%s\": %s needs its files " HTML MUSTACHE_SUFFIX " and " TEXT MUSTACHE_SUFFIX
                   ", and the catalogue its words with a subject.", template, l->dir);
}

/* --- data --- */

static void put_text(struct json_object *to, const char *name, const char *text)
{
    json_object_object_add(to, name, json_object_new_string(text));
}

/* The words with their placeholders filled. */
static struct json_object *fill_words(const struct locale *locale, struct json_object *words, struct span data)
{
    struct json_object *filled = json_object_new_object();
    struct json_object_iterator i = json_object_iter_begin(words), end = json_object_iter_end(words);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        struct str text = STR_INIT;
        str_reset(&text);
        locale_add_filled(locale, &text, json_object_get_string(json_object_iter_peek_value(&i)), data);
        put_text(filled, json_object_iter_peek_name(&i), text.s);
        str_free(&text);
    }
    return filled;
}

static struct json_object *make_context(const struct choice *c, struct span raw, struct json_object *data)
{
    struct json_object *context = json_object_new_object();
    put_text(context, "lang", locale_code(c->locale));
    put_text(context, "dir", locale_is_rtl(c->locale) ? "rtl" : "ltr");
    put_text(context, "site", locale_text(c->locale, "site.name"));
    json_object_object_add(context, "text", fill_words(c->locale, c->words, raw));
    json_object_object_add(context, "data", json_object_get(data));
    return context;
}

static int read_data(struct span raw, struct json_object **out, struct err *err)
{
    if (json_parse(raw.s, raw.len, out, NULL) == 0 && json_object_is_type(*out, json_type_object))
        return 0;
    json_object_put(*out);
    return err_set(err, ERR_INVALID, "The payload's data must be a JSON object, its whole numbers of at most 19 digits.");
}

/* --- writing --- */

static void add_head(struct str *out, const struct letter *letter, const struct choice *c, struct json_object *context)
{
    const char *at = strchr(letter->from, '@');
    struct json_object *subject = json_object_object_get(json_object_object_get(context, "text"), "subject");
    str_addf(out, "From: %s\r\nTo: %s\r\n", letter->from, letter->to);
    mime_add_text(out, "Subject", span_of(json_object_get_string(subject)));
    mime_add_date(out, letter->now_ms);
    str_adds(out, "Message-ID: <peygir.");
    str_add_url(out, letter->job_id, strlen(letter->job_id));
    str_addf(out, "%s>\r\nAuto-Submitted: auto-generated\r\nContent-Language: %s\r\nMIME-Version: 1.0\r\n", at ? at : "@localhost",
             locale_code(c->locale));
    str_adds(out, "Content-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\r\n");
}

static void add_part(const struct letters *l, struct str *out, const char *type, const struct mustache *template,
                     struct json_object *context)
{
    struct str body = STR_INIT;
    mustache_render(template, &context, 1, find_partial, (void *)l, &body);
    str_addf(out, "\r\n--" BOUNDARY "\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", type);
    mime_add_quoted(out, (struct span){ body.s, body.len });
    str_free(&body);
}

bool letters_have(const struct letters *l, const char *template)
{
    return is_name(template) && find_part(l, template, HTML) && find_part(l, template, TEXT);
}

int letters_write(const struct letters *l, const struct letter *letter, struct str *out, struct err *err)
{
    struct span raw = letter->data.s ? letter->data : SPAN("{}");
    struct json_object *data = NULL, *context;
    struct choice c = { .locale = NULL };
    if (choose(l, letter, &c, err) < 0 || read_data(raw, &data, err) < 0)
        return -1;
    context = make_context(&c, raw, data);
    add_head(out, letter, &c, context);
    add_part(l, out, "text/plain", c.text, context);
    add_part(l, out, "text/html", c.html, context);
    str_adds(out, "\r\n--" BOUNDARY "--\r\n");
    json_object_put(context);
    json_object_put(data);
    return 0;
}
