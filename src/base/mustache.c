/* mustache.c: Mustache templates, parsed once into a flat list of nodes. Rendering is in mustache_render.c. */
#include "base/mustache.h"

#include "base/mustache_node.h"

enum {
    SECTIONS_MAX = 64,   /* nesting in one template */
    DELIMITER_MAX = 8,   /* bytes */
    PARTS_MAX = 32,      /* a.b.c has three */
    TEMPLATE_MAX_BYTES = 4 << 20
};

struct parser {
    struct mustache *m;
    const char *src; /* as given, never changed */
    size_t len, at;
    char open[DELIMITER_MAX + 1], close[DELIMITER_MAX + 1];
    struct {
        uint32_t node;
        struct span name;
    } section[SECTIONS_MAX];
    unsigned depth;
    struct err *err;
};

/* One tag, from its first byte to behind its last. */
struct tag {
    size_t start, end;
    char sigil;       /* 0 for a plain name */
    struct span name; /* trimmed */
    bool standalone;  /* alone on its line, and of a kind that then takes the line away */
    size_t line;      /* standalone: where its line begins */
    size_t next_line; /* standalone: behind its line end */
};

static int fail(const struct parser *p, size_t at, const char *reason, struct span what)
{
    unsigned line = 1;
    for (size_t i = 0; i < at; i++)
        line += p->src[i] == '\n';
    int shown = what.len > 60 ? 60 : (int)what.len;
    return err_set(p->err, ERR_CONFIG, "%s:%u: %s%s%.*s%s.", p->m->name, line, reason, what.s ? " \"" : "", shown,
                   what.s ? what.s : "", what.s ? "\"" : "");
}

static struct node *add_node(struct mustache *m, enum node_type type, size_t at)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 16;
        m->node = xreallocarray(m->node, m->cap, sizeof *m->node);
    }
    struct node *n = &m->node[m->count++];
    *n = (struct node){ .type = (uint8_t)type, .at = (uint32_t)at };
    return n;
}

static bool begins_line(const struct parser *p, size_t at)
{
    return at == 0 || p->src[at - 1] == '\n';
}

static void add_text(struct parser *p, size_t from, size_t to)
{
    if (from == to)
        return;
    struct node *n = add_node(p->m, NODE_TEXT, from);
    n->len = (uint32_t)(to - from);
    n->line_start = begins_line(p, from);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\n' || c == '\r';
}

static struct span trimmed(const char *s, size_t len)
{
    while (len > 0 && is_space(*s)) {
        s++;
        len--;
    }
    while (len > 0 && is_space(s[len - 1]))
        len--;
    return (struct span){ s, len };
}

/* Only blanks stand before the tag on its first line and behind it on its last. */
static void find_standalone(const struct parser *p, struct tag *t)
{
    size_t before = t->start, behind = t->end;
    while (before > 0 && is_blank(p->src[before - 1]))
        before--;
    while (behind < p->len && is_blank(p->src[behind]))
        behind++;
    if (behind + 1 < p->len && p->src[behind] == '\r' && p->src[behind + 1] == '\n')
        behind++;
    bool at_end = behind == p->len;
    t->standalone = begins_line(p, before) && (at_end || p->src[behind] == '\n');
    t->line = before;
    t->next_line = at_end ? behind : behind + 1;
}

static const char *find(const char *s, size_t len, const char *what)
{
    return memmem(s, len, what, strlen(what));
}

/* The tag that opens at t->start. */
static int read_tag(const struct parser *p, struct tag *t)
{
    static const char sigils[] = "#^/>!&{=";
    size_t at = t->start + strlen(p->open);
    t->sigil = at < p->len && strchr(sigils, p->src[at]) ? p->src[at] : 0;
    at += t->sigil != 0;
    char close[DELIMITER_MAX + 2] = { t->sigil == '{' ? '}' : '=', 0 };
    bool longer = t->sigil == '{' || t->sigil == '=';
    memcpy(close + longer, p->close, strlen(p->close) + 1);
    const char *end = find(p->src + at, p->len - at, close);
    if (!end)
        return fail(p, t->start, "a tag is not closed; its end would be", span_of(close));
    t->name = trimmed(p->src + at, (size_t)(end - p->src) - at);
    t->end = (size_t)(end - p->src) + strlen(close);
    t->standalone = false;
    if (t->sigil && !strchr("&{", t->sigil))
        find_standalone(p, t);
    return 0;
}

/* Write the name's parts into the text as NUL-terminated strings: the byte behind each (a dot, or the rest of the
 * tag) is not needed any more. Sets n->parts. */
static int set_name(struct parser *p, struct node *n, const struct tag *t, bool dotted)
{
    char *text = p->m->text;
    n->at = (uint32_t)(t->name.s - p->src);
    text[n->at + t->name.len] = '\0';
    if (t->name.len == 0)
        return fail(p, t->start, "a tag has no name", (struct span){ NULL, 0 });
    for (size_t i = 0; i < t->name.len; i++)
        if (is_space(t->name.s[i]) || t->name.s[i] == '\0')
            return fail(p, t->start, "a name must not contain white space:", t->name);
    if (span_is(t->name, "."))
        return 0;
    n->parts = 1;
    size_t part = 0; /* bytes of the present part */
    for (size_t i = 0; dotted && i <= t->name.len; i++) {
        if (i < t->name.len && t->name.s[i] != '.') {
            part++;
            continue;
        }
        if (part == 0 || n->parts > PARTS_MAX)
            return fail(p, t->start, "a dotted name has an empty part or too many parts:", t->name);
        text[n->at + i] = '\0';
        n->parts = (uint8_t)(n->parts + (i < t->name.len));
        part = 0;
    }
    return 0;
}

static int parse_value(struct parser *p, const struct tag *t)
{
    return set_name(p, add_node(p->m, t->sigil ? NODE_RAW_VALUE : NODE_VALUE, 0), t, true);
}

static int parse_section(struct parser *p, const struct tag *t)
{
    if (p->depth == SECTIONS_MAX)
        return fail(p, t->start, "more than 64 sections are open at", t->name);
    p->section[p->depth].node = p->m->count;
    p->section[p->depth++].name = t->name;
    return set_name(p, add_node(p->m, t->sigil == '#' ? NODE_SECTION : NODE_INVERTED, 0), t, true);
}

static int parse_close(struct parser *p, const struct tag *t)
{
    if (p->depth == 0)
        return fail(p, t->start, "no section is open that this would close:", t->name);
    p->depth--;
    if (!span_eq(p->section[p->depth].name, t->name))
        return fail(p, t->start, "this does not close the innermost section:", t->name);
    p->m->node[p->section[p->depth].node].len = p->m->count;
    return 0;
}

static int parse_partial(struct parser *p, const struct tag *t)
{
    struct node *n = add_node(p->m, NODE_PARTIAL, 0);
    if (t->standalone) {
        n->line_start = true;
        n->indent = (uint32_t)t->line;
        n->len = (uint32_t)(t->start - t->line);
    }
    return set_name(p, n, t, false);
}

static int parse_comment(struct parser *p, const struct tag *t)
{
    (void)p;
    (void)t;
    return 0;
}

static bool good_delimiter(const char *s, size_t len)
{
    if (len == 0 || len > DELIMITER_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (is_space(s[i]) || s[i] == '=' || s[i] == '\0')
            return false;
    return true;
}

static int parse_delimiters(struct parser *p, const struct tag *t)
{
    const char *s = t->name.s, *end = s + t->name.len;
    const char *gap = s;
    while (gap < end && !is_space(*gap))
        gap++;
    const char *second = gap;
    while (second < end && is_space(*second))
        second++;
    size_t open = (size_t)(gap - s), close = (size_t)(end - second);
    if (!good_delimiter(s, open) || !good_delimiter(second, close))
        return fail(p, t->start, "delimiters are two runs of 1 to 8 bytes without white space and =, not", t->name);
    *(char *)mempcpy(p->open, s, open) = '\0';
    *(char *)mempcpy(p->close, second, close) = '\0';
    return 0;
}

static int parse_tag(struct parser *p, const struct tag *t)
{
    static const struct {
        char sigil;
        int (*parse)(struct parser *p, const struct tag *t);
    } kinds[] = {
        { 0, parse_value },     { '&', parse_value },   { '{', parse_value },   { '#', parse_section },
        { '^', parse_section }, { '/', parse_close },   { '>', parse_partial }, { '!', parse_comment },
        { '=', parse_delimiters },
    };
    size_t i = 0;
    while (kinds[i].sigil != t->sigil)
        i++;
    return kinds[i].parse(p, t);
}

static int parse_all(struct parser *p)
{
    for (;;) {
        const char *open = find(p->src + p->at, p->len - p->at, p->open);
        struct tag t = { .start = open ? (size_t)(open - p->src) : p->len };
        if (!open) {
            add_text(p, p->at, p->len);
            break;
        }
        if (read_tag(p, &t) != 0)
            return -1;
        add_text(p, p->at, t.standalone ? t.line : t.start);
        if (!t.standalone && begins_line(p, t.start)) /* an empty text is where the indentation of a partial goes */
            add_node(p->m, NODE_TEXT, t.start)->line_start = true;
        if (parse_tag(p, &t) != 0)
            return -1;
        p->at = t.standalone ? t.next_line : t.end;
    }
    if (p->depth > 0)
        return fail(p, p->len, "this section is not closed:", p->section[p->depth - 1].name);
    return 0;
}

int mustache_parse(const char *name, const char *text, size_t len, struct mustache **out, struct err *err)
{
    if (len > TEMPLATE_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "%s: a template may have at most 4 MiB.", name);
    struct mustache *m = xcalloc(1, sizeof *m);
    m->name = xstrdup(name);
    m->text = xmemdupz(text, len);
    struct parser p = { .m = m, .src = text, .len = len, .open = "{{", .close = "}}", .err = err };
    if (parse_all(&p) != 0) {
        mustache_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void mustache_free(struct mustache *m)
{
    if (!m)
        return;
    free(m->name);
    free(m->text);
    free(m->node);
    free(m);
}

void mustache_partials(const struct mustache *m, void (*fn)(void *ctx, const char *name), void *ctx)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->node[i].type == NODE_PARTIAL)
            fn(ctx, m->text + m->node[i].at);
}
