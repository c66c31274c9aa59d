/* mustache_render.c: rendering of parsed Mustache templates. Allocates nothing but the output. */
#include "base/mustache.h"

#include "base/mustache_node.h"

enum {
    DEPTH_MAX = 32,       /* nesting of partials */
    PARTIALS_MAX = 100000 /* in one rendering: a partial that shows itself twice would double 32 times */
};

/* The contexts and indentations in force are lists on the C stack, innermost first. */
struct frame {
    struct json_object *value;
    const struct frame *outer;
};

struct indent {
    struct span text;
    const struct indent *outer;
};

struct render {
    const struct mustache *m;
    mustache_lookup lookup;
    void *ctx;
    struct str *out;
    const struct indent *indent;
    unsigned depth;     /* of partials */
    unsigned *partials; /* all that were shown so far */
};

static bool member(struct json_object *object, const char *key, struct json_object **out)
{
    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, key, out);
}

/* The value of a name; NULL when absent or null. */
static struct json_object *value_of(const struct render *r, const struct node *n, const struct frame *top)
{
    if (n->parts == 0)
        return top ? top->value : NULL;
    const char *key = r->m->text + n->at;
    struct json_object *value = NULL;
    while (top && !member(top->value, key, &value))
        top = top->outer;
    for (unsigned i = 1; value && i < n->parts; i++) {
        key += strlen(key) + 1;
        if (!member(value, key, &value))
            value = NULL;
    }
    return value;
}

static bool is_true(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return false;
    case json_type_boolean:
        return json_object_get_boolean(value);
    case json_type_array:
        return json_object_array_length(value) > 0;
    case json_type_string:
        return json_object_get_string_len(value) > 0;
    default:
        return true;
    }
}

/* Everything but null: strings as they are, the rest as JSON prints it. */
static void add_value(struct str *out, struct json_object *value, bool raw)
{
    if (json_object_is_type(value, json_type_null))
        return;
    if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) < INT64_MAX) {
        str_add_int(out, json_object_get_int64(value));
        return;
    }
    const char *text;
    size_t len;
    if (json_object_is_type(value, json_type_string)) {
        text = json_object_get_string(value);
        len = (size_t)json_object_get_string_len(value);
    } else {
        text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    }
    if (raw)
        str_add(out, text, len);
    else
        str_add_html(out, text, len);
}

static void add_indents(struct str *out, const struct indent *indent)
{
    if (!indent)
        return;
    add_indents(out, indent->outer);
    str_add_span(out, indent->text);
}

/* Text of a partial whose tag stood alone and indented: every line of it that begins here is indented. */
static void add_indented(const struct render *r, const struct node *n)
{
    const char *s = r->m->text + n->at, *end = s + n->len;
    if (n->line_start)
        add_indents(r->out, r->indent);
    while (s < end) {
        const char *newline = memchr(s, '\n', (size_t)(end - s));
        const char *next = newline ? newline + 1 : end;
        str_add(r->out, s, (size_t)(next - s));
        if (newline && next < end)
            add_indents(r->out, r->indent);
        s = next;
    }
}

static void render_nodes(const struct render *r, uint32_t from, uint32_t to, const struct frame *top);

static void render_section(const struct render *r, uint32_t index, const struct frame *top)
{
    const struct node *n = &r->m->node[index];
    struct frame inner = { value_of(r, n, top), top };
    if (!is_true(inner.value))
        return;
    if (!json_object_is_type(inner.value, json_type_array)) {
        render_nodes(r, index + 1, n->len, &inner);
        return;
    }
    struct json_object *list = inner.value;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        inner.value = json_object_array_get_idx(list, i);
        render_nodes(r, index + 1, n->len, &inner);
    }
}

static void render_partial(const struct render *r, const struct node *n, const struct frame *top)
{
    if (!r->lookup || r->depth == DEPTH_MAX || *r->partials == PARTIALS_MAX)
        return;
    const struct mustache *m = r->lookup(r->ctx, r->m->text + n->at);
    if (!m)
        return;
    ++*r->partials;
    struct indent indent = { { r->m->text + n->indent, n->len }, r->indent };
    struct render inner = *r;
    inner.m = m;
    inner.depth++;
    inner.indent = n->len > 0 ? &indent : n->line_start ? r->indent : NULL;
    render_nodes(&inner, 0, m->count, top);
}

static void render_nodes(const struct render *r, uint32_t from, uint32_t to, const struct frame *top)
{
    for (uint32_t i = from; i < to; i++) {
        const struct node *n = &r->m->node[i];
        switch ((enum node_type)n->type) {
        case NODE_TEXT:
            if (r->indent)
                add_indented(r, n);
            else
                str_add(r->out, r->m->text + n->at, n->len);
            break;
        case NODE_VALUE:
        case NODE_RAW_VALUE:
            add_value(r->out, value_of(r, n, top), n->type == NODE_RAW_VALUE);
            break;
        case NODE_SECTION:
            render_section(r, i, top);
            i = n->len - 1;
            break;
        case NODE_INVERTED:
            if (is_true(value_of(r, n, top)))
                i = n->len - 1;
            break;
        case NODE_PARTIAL:
            render_partial(r, n, top);
            break;
        }
    }
}

/* Make frames of the caller's stack, then render; the frames live on the C stack, hence the recursion. */
static void render_in(const struct render *r, struct json_object *const stack[], size_t depth, const struct frame *top)
{
    if (depth == 0) {
        render_nodes(r, 0, r->m->count, top);
        return;
    }
    struct frame frame = { stack[0], top };
    render_in(r, stack + 1, depth - 1, &frame);
}

void mustache_render(const struct mustache *m, struct json_object *const stack[], size_t depth,
                     mustache_lookup lookup, void *ctx, struct str *out)
{
    unsigned partials = 0;
    struct render r = { .m = m, .lookup = lookup, .ctx = ctx, .out = out, .partials = &partials };
    render_in(&r, stack, depth, NULL);
    str_add(out, "", 0);
}
