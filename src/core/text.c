/* text.c: a text by language. */
#include "core/text.h"

struct text {
    size_t count;
    struct wording {
        char *language; /* "" : for all */
        char *words;
    } list[];
};

/* "fa", "en-GB" */
static bool is_language(const char *s)
{
    size_t letters = strspn(s, "abcdefghijklmnopqrstuvwxyz");

    return letters >= 2 && letters <= 3 &&
           (!s[letters] || (s[letters] == '-' && s[letters + 1] &&
                            strspn(s + letters + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
                                strlen(s + letters + 1)));
}

static int read_wording(const struct jread *at, const char *language, struct wording *w, struct err *err)
{
    const char *words = NULL;
    int rc;

    if (*language && !is_language(language))
        return jread_fail(at, err, "is no language code like fa or en.");
    rc = jread_string(at, &words, err);
    if (rc < 0)
        return -1;
    if (rc == 0 || !words[strspn(words, " \t\r\n")])
        return jread_fail(at, err, "is an empty text.");
    *w = (struct wording){ xstrdup(language), xstrdup(words) };
    return 0;
}

static int read_wordings(const struct jread *at, struct text *t, struct err *err)
{
    struct json_object_iterator i = json_object_iter_begin(at->obj), end = json_object_iter_end(at->obj);
    const char *language;
    struct jread one;

    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        language = json_object_iter_peek_name(&i);
        one = jread_member(at, language);
        if (!*language)
            return jread_fail(at, err, "has a text without a language code.");
        if (read_wording(&one, language, &t->list[t->count], err) < 0)
            return -1;
        t->count++;
    }
    return t->count ? 0 : jread_fail(at, err, "must have a text in one language at least.");
}

int text_read(const struct jread *at, struct text **out, struct err *err)
{
    bool by_language = json_object_is_type(at->obj, json_type_object);
    size_t room = by_language ? (size_t)json_object_object_length(at->obj) : 1;
    struct text *t;
    int rc;

    if (!at->obj)
        return 0;
    if (!by_language && !json_object_is_type(at->obj, json_type_string))
        return jread_fail(at, err, "must be a text, or texts by language like {\"fa\": \"...\", \"en\": \"...\"}.");
    t = xcalloc(1, sizeof(*t) + room * sizeof(t->list[0]));
    rc = by_language ? read_wordings(at, t, err) : read_wording(at, "", &t->list[0], err);
    if (rc < 0) {
        text_free(t);
        return -1;
    }
    t->count = room;
    *out = t;
    return 1;
}

void text_free(struct text *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->list[i].language);
        free(t->list[i].words);
    }
    free(t);
}

const char *text_in(const struct text *t, const struct locale *locale)
{
    const char *code = locale ? locale_code(locale) : "";

    if (!t)
        return "";
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->list[i].language, code) == 0)
            return t->list[i].words;
    return t->list[0].words;
}
