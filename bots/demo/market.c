/* market.c: a small market API, for Peygir's sources of external data (etc/sources) to fetch from: it answers as those of CoinGecko and Finnhub
 * do, as far as the sources ask. Prices move gently, by the minute, and the same way each time. */
#include "bot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE_BYTES = 200, MINUTE_S = 60, DAY_MINUTES = 1440, POINTS = 60 };

struct thing {
    const char *id, *symbol, *name;
    double price; /* in dollars, about */
};
static const struct thing coins[] = {
    { "bitcoin", "btc", "Bitcoin", 64000 },   { "ethereum", "eth", "Ethereum", 3100 }, { "tether", "usdt", "Tether", 1 },
    { "solana", "sol", "Solana", 145 },       { "cardano", "ada", "Cardano", 0.45 },   { "dogecoin", "doge", "Dogecoin", 0.12 },
    { "litecoin", "ltc", "Litecoin", 82 },    { NULL, NULL, NULL, 0 },
};
static const struct thing stocks[] = {
    { "AAPL", "AAPL", "Apple Inc", 228 },      { "MSFT", "MSFT", "Microsoft Corp", 431 },
    { "GOOGL", "GOOGL", "Alphabet Inc", 176 }, { "AMZN", "AMZN", "Amazon.com Inc", 197 },
    { "NVDA", "NVDA", "NVIDIA Corp", 138 },    { NULL, NULL, NULL, 0 },
};
static const struct {
    const char *code;
    double rate; /* of a dollar */
} currencies[] = { { "usd", 1 }, { "eur", 0.92 }, { "gbp", 0.79 }, { "aed", 3.67 }, { "try", 34 }, { "btc", 0.0000156 } };

/* What was asked for. */
struct asked {
    struct call *call;
    const char *query;
    long minute;    /* since 1970: what prices follow */
};

/* --- what was asked --- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* A value of the query, decoded; `fallback` when it is absent. */
static const char *value(const struct asked *a, const char *name, const char *fallback, char out[VALUE_BYTES])
{
    size_t len = strlen(name), n = 0;
    const char *at = a->query;

    while (at && (strncmp(at, name, len) != 0 || at[len] != '='))
        at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL;
    if (!at)
        return fallback;
    for (at += len + 1; *at && *at != '&' && n + 1 < VALUE_BYTES; at++) {
        bool escaped = *at == '%' && hex(at[1]) >= 0 && hex(at[2]) >= 0;
        out[n++] = escaped ? (char)(hex(at[1]) * 16 + hex(at[2])) : *at;
        at += escaped ? 2 : 0;
    }
    out[n] = '\0';
    return out;
}

static const struct thing *find(const struct thing *list, const char *id, size_t len)
{
    for (; list->id; list++)
        if (strlen(list->id) == len && strncmp(list->id, id, len) == 0)
            return list;
    return NULL;
}

static double rate(const char *code)
{
    for (size_t i = 0; i < sizeof currencies / sizeof *currencies; i++)
        if (strcmp(currencies[i].code, code) == 0)
            return currencies[i].rate;
    return 1;
}

/* --- how prices move --- */

/* From -1 to 1 and back again in `period` minutes. */
static double wave(long minute, long period)
{
    long at = minute % period, half = period / 2;

    return at < half ? 2.0 * (double)at / (double)half - 1 : 3 - 2.0 * (double)at / (double)half;
}

/* Two slow waves and a small quick one, out of step with those of others. */
static double price_at(const struct thing *t, long minute)
{
    long step = (long)(t->name[0] * 37 + t->name[1] * 11);

    if (strcmp(t->id, "tether") == 0)
        return t->price;
    return t->price * (1 + 0.06 * wave(minute + step * 60, 9 * DAY_MINUTES) + 0.025 * wave(minute + step, DAY_MINUTES) + 0.004 * wave(minute + step, 14));
}

static struct json_object *number(double n)
{
    char text[64];

    snprintf(text, sizeof text, n < 0.01 && n > -0.01 ? "%.8f" : n < 10 && n > -10 ? "%.4f" : "%.2f", n);
    return json_object_new_double_s(n, text);
}

static double change_of(const struct thing *t, long minute)
{
    double before = price_at(t, minute - DAY_MINUTES);

    return (price_at(t, minute) - before) / before * 100;
}

/* --- answers --- */

static void add(struct json_object *o, const char *name, struct json_object *value)
{
    json_object_object_add(o, name, value);
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
    add(o, name, json_object_new_string(text));
}

static struct json_object *coin(const struct asked *a, const struct thing *t)
{
    char currency[VALUE_BYTES], moment[32];
    double price = price_at(t, a->minute) * rate(value(a, "vs_currency", "usd", currency));
    struct json_object *o = json_object_new_object();
    time_t s = (time_t)a->minute * MINUTE_S;
    struct tm tm;

    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
    add_text(o, "id", t->id);
    add_text(o, "symbol", t->symbol);
    add_text(o, "name", t->name);
    add(o, "current_price", number(price));
    add(o, "market_cap", json_object_new_int64((int64_t)(price * 19000000)));
    add(o, "market_cap_rank", json_object_new_int((int)(t - coins) + 1));
    add(o, "price_change_percentage_24h", number(change_of(t, a->minute)));
    add_text(o, "last_updated", moment);
    return o;
}

static struct json_object *coin_list(const struct asked *a, const char *rest)
{
    struct json_object *list = json_object_new_array();
    char text[VALUE_BYTES];
    long size = strtol(value(a, "per_page", "50", text), NULL, 10), first = (strtol(value(a, "page", "1", text), NULL, 10) - 1) * size;

    (void)rest;
    for (long i = first; i >= 0 && i < first + size && i < (long)(sizeof coins / sizeof *coins) - 1; i++)
        json_object_array_add(list, coin(a, &coins[i]));
    return list;
}

static struct json_object *prices(const struct asked *a, const char *rest)
{
    struct json_object *all = json_object_new_object();
    char ids[VALUE_BYTES], currency[VALUE_BYTES], name[VALUE_BYTES + 16];
    const char *code = value(a, "vs_currencies", "usd", currency);

    (void)rest;
    for (const char *at = value(a, "ids", "", ids); *at; at += strcspn(at, ","), at += *at == ',') {
        const struct thing *t = find(coins, at, strcspn(at, ","));
        struct json_object *o = t ? json_object_new_object() : NULL;
        if (!t)
            continue;
        add(o, code, number(price_at(t, a->minute) * rate(code)));
        snprintf(name, sizeof name, "%s_24h_change", code);
        add(o, name, number(change_of(t, a->minute)));
        add(all, t->id, o);
    }
    return all;
}

static struct json_object *trending(const struct asked *a, const char *rest)
{
    struct json_object *all = json_object_new_object(), *list = json_object_new_array();

    (void)rest;
    for (size_t i = 3; i < 6; i++) {
        struct json_object *o = json_object_new_object();
        add(o, "item", coin(a, &coins[i]));
        json_object_array_add(list, o);
    }
    add(all, "coins", list);
    return all;
}

static struct json_object *coin_detail(const struct asked *a, const char *rest)
{
    const struct thing *t = find(coins, rest, strlen(rest));
    struct json_object *o = t ? coin(a, t) : NULL, *market;

    if (!t)
        return NULL;
    market = json_object_new_object();
    add(market, "current_price", json_object_new_object());
    for (size_t i = 0; i < sizeof currencies / sizeof *currencies; i++)
        add(json_object_object_get(market, "current_price"), currencies[i].code, number(price_at(t, a->minute) * currencies[i].rate));
    add(o, "market_data", market);
    return o;
}

/* [[ms, price]...], so many days up to now. */
static struct json_object *coin_chart(const struct asked *a, const char *rest)
{
    const struct thing *t = find(coins, rest, strcspn(rest, "/"));
    struct json_object *all = t ? json_object_new_object() : NULL, *list;
    char text[VALUE_BYTES], currency[VALUE_BYTES];
    double times = rate(value(a, "vs_currency", "usd", currency));
    long length = strtol(value(a, "days", "7", text), NULL, 10) * DAY_MINUTES;

    if (!t)
        return NULL;
    list = json_object_new_array();
    for (long i = 0; i <= POINTS; i++) {
        struct json_object *point = json_object_new_array();
        long minute = a->minute - length + length * i / POINTS;
        json_object_array_add(point, json_object_new_int64((int64_t)minute * MINUTE_S * 1000));
        json_object_array_add(point, number(price_at(t, minute) * times));
        json_object_array_add(list, point);
    }
    add(all, "prices", list);
    return all;
}

static const struct thing *stock_of(const struct asked *a)
{
    char symbol[VALUE_BYTES];
    const char *id = value(a, "symbol", "", symbol);

    return find(stocks, id, strlen(id));
}

static struct json_object *stock_list(const struct asked *a, const char *rest)
{
    struct json_object *list = json_object_new_array();

    (void)a;
    (void)rest;
    for (const struct thing *t = stocks; t->id; t++) {
        struct json_object *o = json_object_new_object();
        add_text(o, "symbol", t->symbol);
        add_text(o, "displaySymbol", t->symbol);
        add_text(o, "description", t->name);
        add_text(o, "currency", "USD");
        add_text(o, "type", "Common Stock");
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *quote(const struct asked *a, const char *rest)
{
    const struct thing *t = stock_of(a);
    struct json_object *o = t ? json_object_new_object() : NULL;

    (void)rest;
    if (!t)
        return NULL;
    add(o, "c", number(price_at(t, a->minute)));
    add(o, "d", number(price_at(t, a->minute) - price_at(t, a->minute - DAY_MINUTES)));
    add(o, "dp", number(change_of(t, a->minute)));
    add(o, "pc", number(price_at(t, a->minute - DAY_MINUTES)));
    add(o, "t", json_object_new_int64((int64_t)a->minute * MINUTE_S));
    return o;
}

static struct json_object *profile(const struct asked *a, const char *rest)
{
    const struct thing *t = stock_of(a);
    struct json_object *o = t ? json_object_new_object() : NULL;

    (void)rest;
    if (!t)
        return NULL;
    add_text(o, "ticker", t->symbol);
    add_text(o, "name", t->name);
    add_text(o, "country", "US");
    add_text(o, "currency", "USD");
    add_text(o, "exchange", "NASDAQ");
    return o;
}

static struct json_object *news(const struct asked *a, const char *rest)
{
    struct json_object *list = json_object_new_array();

    (void)rest;
    for (int i = 0; i < 3; i++) {
        struct json_object *o = json_object_new_object();
        add_text(o, "category", "general");
        add(o, "datetime", json_object_new_int64((int64_t)(a->minute - a->minute % 60 - 60L * i) * MINUTE_S));
        add_text(o, "headline", i == 0 ? "Markets move gently" : i == 1 ? "A quiet hour for saffron" : "Demonstration prices up and down again");
        add_text(o, "source", "Peygir");
        json_object_array_add(list, o);
    }
    return list;
}

/* A day a point, between the two moments. */
static struct json_object *candles(const struct asked *a, const char *rest)
{
    const struct thing *t = stock_of(a);
    char text[VALUE_BYTES];
    long from = strtol(value(a, "from", "0", text), NULL, 10) / MINUTE_S, to = strtol(value(a, "to", "0", text), NULL, 10) / MINUTE_S;
    struct json_object *all = t ? json_object_new_object() : NULL, *close, *moments;

    (void)rest;
    if (!t)
        return NULL;
    close = json_object_new_array();
    moments = json_object_new_array();
    if (from < to - 400L * DAY_MINUTES)
        from = to - 400L * DAY_MINUTES;
    for (long minute = from - from % DAY_MINUTES; minute <= to; minute += DAY_MINUTES) {
        json_object_array_add(close, number(price_at(t, minute)));
        json_object_array_add(moments, json_object_new_int64((int64_t)minute * MINUTE_S));
    }
    add(all, "c", close);
    add(all, "t", moments);
    add_text(all, "s", "ok");
    return all;
}

/* The first that fits. A path that ends in / is followed by an id; one that ends in more, too. */
static const struct {
    const char *path, *end;
    struct json_object *(*answer)(const struct asked *a, const char *rest);
} answers[] = {
    { "crypto/coins/markets", NULL, coin_list },
    { "crypto/coins/", "/market_chart", coin_chart },
    { "crypto/coins/", NULL, coin_detail },
    { "crypto/simple/price", NULL, prices },
    { "crypto/search/trending", NULL, trending },
    { "stock/stock/symbol", NULL, stock_list },
    { "stock/stock/profile2", NULL, profile },
    { "stock/stock/candle", NULL, candles },
    { "stock/quote", NULL, quote },
    { "stock/news", NULL, news },
};

static struct json_object *answer(const struct asked *a, const char *path)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        size_t len = strlen(answers[i].path), more = strlen(path);
        const char *end = answers[i].end;
        bool fits = strncmp(path, answers[i].path, len) == 0 && (answers[i].path[len - 1] == '/' || more == len);
        if (fits && (!end || (more > strlen(end) && strcmp(path + more - strlen(end), end) == 0)))
            return answers[i].answer(a, path + len);
    }
    return NULL;
}

/* --- misdeeds: an id or a symbol that begins with bad- --- */

static void say(struct call *c, int status, const char *headers, const char *text)
{
    call_answer_text(c, status, headers, text, strlen(text));
}

static void say_big(struct call *c)
{
    static const char some[] = "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",";

    say(c, 200, "Content-Type: application/json\r\n", "[");
    for (size_t sent = 0; sent < 5u << 20 && FCGX_PutStr(some, sizeof some - 1, c->fcgi->out) > 0; sent += sizeof some - 1)
        ;
    FCGX_PutStr("0]", 2, c->fcgi->out);
}

static void say_late(struct call *c)
{
    c->stubborn = true;
    call_wait(c, 30 * bot_speed);
    say(c, 200, "Content-Type: application/json\r\n", "{\"late\":true}");
}

static const struct {
    const char *id;
    int status;
    const char *headers, *text;
    void (*do_it)(struct call *c);
} misdeeds[] = {
    { "bad-500", 500, "Content-Type: text/plain\r\n", "Internal Server Error\n", NULL },
    { "bad-garbage", 200, "Content-Type: application/json\r\n", "{\"prices\":[1,", NULL },
    { "bad-html", 200, "Content-Type: text/html\r\n", "<h1>Down for maintenance</h1>", NULL },
    { "bad-redirect", 302, "Location: http://127.0.0.1:1/elsewhere\r\n", "", NULL },
    { "bad-busy", 429, "Retry-After: 5\r\nContent-Type: text/plain\r\n", "Too many\n", NULL },
    { "bad-big", 200, NULL, NULL, say_big },
    { "bad-slow", 200, NULL, NULL, say_late },
};

static bool is_misdeed(struct call *c, const char *path, const char *query)
{
    for (size_t i = 0; i < sizeof misdeeds / sizeof *misdeeds; i++) {
        if (!strstr(path, misdeeds[i].id) && !strstr(query, misdeeds[i].id))
            continue;
        if (misdeeds[i].do_it)
            misdeeds[i].do_it(c);
        else
            say(c, misdeeds[i].status, misdeeds[i].headers, misdeeds[i].text);
        return true;
    }
    return false;
}

/* --- the whole --- */

/* The same for the same minute: whoever has it already is told so. */
static void send(struct asked *a, const char *path, struct json_object *data)
{
    const char *has = FCGX_GetParam("HTTP_IF_NONE_MATCH", a->call->fcgi->envp);
    int format = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    char etag[64], headers[128];
    unsigned long sum = 5381;
    size_t len;
    const char *text = json_object_to_json_string_length(data, format, &len);

    for (const char *at = path; *at; at++)
        sum = sum * 33 + (unsigned char)*at;
    for (size_t i = 0; i < len; i++)
        sum = sum * 33 + (unsigned char)text[i];
    snprintf(etag, sizeof etag, "\"%lx\"", sum);
    snprintf(headers, sizeof headers, "ETag: %s\r\nContent-Type: application/json\r\n", etag);
    if (has && strcmp(has, etag) == 0)
        call_answer_text(a->call, 304, headers, "", 0);
    else
        call_answer_text(a->call, 200, headers, text, len);
    json_object_put(data);
}

void market(struct call *c, const char *path)
{
    const char *query = FCGX_GetParam("QUERY_STRING", c->fcgi->envp);
    struct asked a = { .call = c, .query = query ? query : "", .minute = (long)(time(NULL) / MINUTE_S) };
    struct json_object *data;

    if (is_misdeed(c, path, a.query))
        return;
    data = answer(&a, path);
    if (data)
        send(&a, path, data);
    else
        say(c, 404, "Content-Type: application/json\r\n", "{\"error\":\"not found\"}");
}
