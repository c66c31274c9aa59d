/* page_market.c: what the shipped sources say, as tables and a small chart. Everything is looked for in the cache by one round trip; what is due is
 * fetched in the visitor's name, and nobody waits for it. What sources answer is outsiders' word: each piece that is not as expected is left out. */
#include "web/page.h"

#include "base/json.h"
#include "core/locale.h"
#include "web/data.h"
#include "web/dispatch.h"
#include "web/route.h"

#include <math.h>

enum { ROWS_MAX = 25, POINTS_MAX = 400, WIDTH = 600, HEIGHT = 160, EDGE = 4, CHART_ROWS = 8, PARSED_MAX = 512 * 1024 };

#define AMOUNT_MAX 1e15
#define MOMENT_MAX 253402300799999.0

enum part { COINS, CHART, STOCKS, PARTS };
static const char *const part_names[PARTS] = { [COINS] = "coins", [CHART] = "chart", [STOCKS] = "stocks" };

/* What the page is made of. */
static const struct {
    enum part part;
    const char *source, *method, *parameter, *value;
} wanted[] = {
    { COINS, "crypto", "list", NULL, NULL },
    { CHART, "crypto", "chart", "id", "bitcoin" },
    { STOCKS, "stock", "quote", "symbol", "AAPL" },
    { STOCKS, "stock", "quote", "symbol", "MSFT" },
    { STOCKS, "stock", "quote", "symbol", "GOOGL" },
    { STOCKS, "stock", "quote", "symbol", "AMZN" },
};

struct piece {
    struct source_call call; /* .method NULL: there is no such source */
    struct str name;         /* in the cache */
    struct cache_tags tags;
    struct cache_entry entry;
    bool is_kept;
};

/* --- reading what outsiders wrote --- */

static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
}

/* No sum, difference or quotient of such prices or changes is anything but a number. */
static bool is_amount(struct json_object *value)
{
    return is_number(value) && fabs(json_object_get_double(value)) <= AMOUNT_MAX; /* which NaN is not */
}

static struct json_object *member(struct json_object *of, const char *name)
{
    return json_object_is_type(of, json_type_object) ? json_object_object_get(of, name) : NULL;
}

static const char *text_of(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* --- pieces of the page --- */

/* In the visitor's digits: "63,660.28", "0.4512". */
static const char *price_words(struct exchange *x, double price)
{
    char text[64];

    snprintf(text, sizeof text, price < 10 && price > -10 ? "%.4f" : "%.2f", price);
    str_reset(&x->words);
    locale_add_decimal(x->locale, &x->words, span_of(text));
    return x->words.s;
}

static void add_change(struct exchange *x, struct json_object *row, double percent)
{
    char text[64];

    snprintf(text, sizeof text, "%.2f", percent);
    str_reset(&x->scratch);
    str_adds(&x->scratch, percent > 0 ? "+" : "");
    locale_add_decimal(x->locale, &x->scratch, span_of(text));
    page_text(row, "change", page_words(x, "progress.percent", LOCALE_PARAMS("percent", x->scratch.s)));
    page_flag(row, "rises", percent > 0);
    page_flag(row, "falls", percent < 0);
}

static void add_row(struct exchange *x, struct json_object *rows, const char *name, const char *symbol, struct json_object *price,
                    struct json_object *percent)
{
    struct json_object *row;

    if (!name || !is_amount(price) || json_object_array_length(rows) >= ROWS_MAX)
        return;
    row = page_item(rows);
    page_text(row, "name", name);
    page_text(row, "symbol", symbol);
    page_text(row, "price", price_words(x, json_object_get_double(price)));
    page_null(row, "change");
    page_flag(row, "rises", false);
    page_flag(row, "falls", false);
    if (is_amount(percent))
        add_change(x, row, json_object_get_double(percent));
}

static void add_coins(struct exchange *x, struct json_object *part, struct json_object *data, const struct piece *p)
{
    struct json_object *rows = member(part, "rows");
    size_t count = json_object_is_type(data, json_type_array) ? json_object_array_length(data) : 0;

    (void)p;
    for (size_t i = 0; i < count; i++) {
        struct json_object *coin = json_object_array_get_idx(data, i);
        add_row(x, rows, text_of(member(coin, "name")), text_of(member(coin, "symbol")), member(coin, "current_price"),
                member(coin, "price_change_percentage_24h"));
    }
}

static void add_stock(struct exchange *x, struct json_object *part, struct json_object *data, const struct piece *p)
{
    add_row(x, member(part, "rows"), p->call.value[0], NULL, member(data, "c"), member(data, "dp"));
}

/* Of this era, up to the last year with four digits. */
static bool is_moment(struct json_object *ms)
{
    return is_number(ms) && json_object_get_double(ms) >= 0 && json_object_get_double(ms) <= MOMENT_MAX;
}

/* Points as they come: [[ms, price]...]. */
struct line {
    size_t count;
    double ms[POINTS_MAX], price[POINTS_MAX], low, high;
};

static void read_line(struct json_object *prices, struct line *l)
{
    size_t count = json_object_is_type(prices, json_type_array) ? json_object_array_length(prices) : 0;

    l->count = 0;
    for (size_t i = 0; i < count && l->count < POINTS_MAX; i++) {
        struct json_object *point = json_object_array_get_idx(prices, i), *ms, *price;
        if (!json_object_is_type(point, json_type_array) || json_object_array_length(point) < 2)
            continue;
        ms = json_object_array_get_idx(point, 0);
        price = json_object_array_get_idx(point, 1);
        if (!is_moment(ms) || !is_amount(price) || (l->count > 0 && json_object_get_double(ms) <= l->ms[l->count - 1]))
            continue;
        l->ms[l->count] = json_object_get_double(ms);
        l->price[l->count] = json_object_get_double(price);
        l->low = l->count == 0 || l->price[l->count] < l->low ? l->price[l->count] : l->low;
        l->high = l->count == 0 || l->price[l->count] > l->high ? l->price[l->count] : l->high;
        l->count++;
    }
}

static void add_points(const struct line *l, struct str *out)
{
    double from = l->ms[0], span_ms = l->ms[l->count - 1] - from, rise = l->high > l->low ? l->high - l->low : 1;

    str_reset(out);
    for (size_t i = 0; i < l->count; i++)
        str_addf(out, "%s%.1f,%.1f", i ? " " : "", (l->ms[i] - from) / span_ms * WIDTH, HEIGHT - EDGE - (l->price[i] - l->low) / rise * (HEIGHT - 2 * EDGE));
}

static void add_chart_rows(struct exchange *x, struct json_object *rows, const struct line *l)
{
    for (size_t i = 0; i < CHART_ROWS; i++) {
        size_t at = i * (l->count - 1) / (CHART_ROWS - 1);
        struct json_object *row = page_item(rows);
        str_reset(&x->words);
        locale_add_date(x->locale, &x->words, (int64_t)l->ms[at], true);
        page_text(row, "at", x->words.s);
        page_text(row, "price", price_words(x, l->price[at]));
    }
}

static void add_chart(struct exchange *x, struct json_object *part, struct json_object *data, const struct piece *p)
{
    struct line *l = xmalloc(sizeof *l);

    (void)p;
    read_line(member(data, "prices"), l);
    if (l->count >= CHART_ROWS) {
        add_points(l, &x->scratch);
        page_text(part, "points", x->scratch.s);
        page_text(part, "low", price_words(x, l->low));
        page_text(part, "high", price_words(x, l->high));
        add_chart_rows(x, member(part, "rows"), l);
    }
    free(l);
}

static void (*const add_piece[PARTS])(struct exchange *x, struct json_object *part, struct json_object *data, const struct piece *p) = {
    [COINS] = add_coins, [CHART] = add_chart, [STOCKS] = add_stock,
};

/* --- the whole --- */

/* NULL: nobody has said where that source is, or it is gone. */
static const struct source *find_source(const struct house *h, const char *name)
{
    const struct source *s = sources_find(h->sources, span_of(name));

    return s && source_is_set(s, h->settings) ? s : NULL;
}

bool page_has_market(const struct exchange *x)
{
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (find_source(x->seat->app.house, wanted[i].source))
            return true;
    return false;
}

static void find_piece(const struct house *h, size_t i, struct piece *p)
{
    const struct source *s = find_source(h, wanted[i].source);
    const struct source_method *m = s ? source_find_method(s, span_of(wanted[i].method)) : NULL;
    const struct source_given given = { span_of(wanted[i].parameter), span_of(wanted[i].value) };

    *p = (struct piece){ .call = { .method = NULL }, .name = STR_INIT };
    if (m)
        source_call_read(&p->call, m, &given, wanted[i].parameter ? 1 : 0, NULL, NULL, NULL); /* an edited file may not take it */
}

/* One round trip. 0 or -1. */
static int look(struct exchange *x, struct piece pieces[])
{
    struct span keys[ARRAY_LEN(wanted)];
    struct cache_want wants[ARRAY_LEN(wanted)];
    struct cache_entry entries[ARRAY_LEN(wanted)];
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct piece *p = &pieces[i];
        if (!p->call.method)
            continue;
        p->tags = source_tags(p->call.method);
        source_add_name(&p->call, &p->name);
        keys[count] = (struct span){ p->name.s, p->name.len };
        wants[count++] = data_want(&p->tags);
    }
    if (cache_look_many(&x->seat->app, keys, count, wants, entries, &x->err) < 0)
        return -1;
    count = 0;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (!pieces[i].call.method)
            continue;
        pieces[i].entry = entries[count++];
        pieces[i].is_kept = pieces[i].entry.value.s != NULL;
    }
    return 0;
}

static struct json_object *part_of(struct json_object *data, enum part which)
{
    struct json_object *part = json_object_object_get(data, part_names[which]);

    if (part)
        return part;
    part = page_object(data, part_names[which]);
    page_list(part, "rows");
    page_null(part, "points");
    page_null(part, "as_of");
    page_text(part, "name", which == CHART ? "Bitcoin" : NULL);
    page_flag(part, "is_old", false);
    page_flag(part, "is_fetched", false);
    page_flag(part, "is_away", false);
    return part;
}

/* A part is as old as its oldest piece. */
static void date_part(struct exchange *x, struct json_object *part, const struct piece *p, int64_t *age_ms)
{
    if (p->entry.fresh_ms <= 0)
        page_flag(part, "is_old", true);
    if (p->entry.age_ms < *age_ms)
        return;
    *age_ms = p->entry.age_ms;
    str_reset(&x->words);
    locale_add_date(x->locale, &x->words, house_now_ms(x->seat->app.house) - p->entry.age_ms, true);
    page_text(part, "as_of", x->words.s);
}

/* Before the next exchange takes the value away. *age_ms: of what was shown of the part before; 0: nothing. */
static void show(struct exchange *x, struct json_object *data, enum part which, const struct piece *p, int64_t *age_ms)
{
    struct json_object *part = part_of(data, which), *json = NULL;
    struct span value = p->entry.value;

    if (!p->is_kept) {
        page_flag(part, p->entry.failed.len ? "is_away" : "is_fetched", true);
    } else if (value.len > PARSED_MAX || json_parse(value.s, value.len, &json, NULL) < 0) {
        page_flag(part, "is_away", true);
    } else {
        add_piece[which](x, part, json, p);
        json_object_put(json);
        date_part(x, part, p, age_ms);
    }
}

/* A limit that is reached, or Redis that takes no job, shows as data that are not there yet. */
static void fetch_due(struct exchange *x, const struct piece pieces[])
{
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (pieces[i].entry.claim[0])
            data_fetch(x, &pieces[i].call, pieces[i].entry.claim, pieces[i].is_kept);
    x->refused = false;
}

enum problem page_market(struct exchange *x)
{
    struct piece pieces[ARRAY_LEN(wanted)];
    struct json_object *data = page_data();
    enum problem problem = PROBLEM_NONE;
    int64_t age_ms[PARTS] = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        find_piece(x->seat->app.house, i, &pieces[i]);
    if (look(x, pieces) < 0) {
        problem = exchange_fail(x);
        json_object_put(data);
    } else {
        for (size_t i = 0; i < PARTS; i++)
            page_null(data, part_names[i]);
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
            if (pieces[i].call.method)
                show(x, data, wanted[i].part, &pieces[i], &age_ms[wanted[i].part]);
        fetch_due(x, pieces);
        page_refresh(x, data, 30);
        page_answer(x, 200, "market", locale_text(x->locale, "title.market"), data);
    }
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        source_call_clear(&pieces[i].call);
        str_free(&pieces[i].name);
    }
    return problem;
}
