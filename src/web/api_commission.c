/* api_commission.c: the commission of a sale, for the host site: /api/internal/commission. Its sentences are for operators, in English. */
#include "web/api.h"

#include "base/decimal.h"
#include "core/options.h"
#include "web/dispatch.h"
#include "web/route.h"

#define PLACES_MAX 18

static enum problem refuse(struct exchange *x, const char *sentence)
{
    str_adds(&x->said, sentence);
    return PROBLEM_INVALID;
}

/* ?amount=199.90&decimals=2: the amount times COMMISSION_RATE, exactly, or with so many decimals. */
enum problem api_commission(struct exchange *x)
{
    struct span rate = span_of(settings_text(x->seat->app.house->settings, OPT_COMMISSION_RATE));
    struct span amount = form_get(&x->query, "amount");
    int places = -1;
    struct str *out;

    if (!decimal_ok(amount))
        return refuse(x, "amount must be a decimal number such as 199.90: digits, at most 100, with or without a point; no sign, no exponent.");
    if (!form_number(&x->query, "decimals", 0, PLACES_MAX, &places))
        return refuse(x, "decimals must be a whole number from 0 to 18.");
    str_reset(&x->scratch);
    decimal_add_product(&x->scratch, amount, rate);
    out = api_json(x, 200);
    str_adds(out, "{\"amount\":\"");
    str_add_span(out, amount);
    str_adds(out, "\",\"rate\":\"");
    str_add_span(out, rate);
    str_adds(out, "\",\"commission\":\"");
    if (places < 0)
        str_add(out, x->scratch.s, x->scratch.len);
    else
        decimal_add_rounded(out, (struct span){ x->scratch.s, x->scratch.len }, (size_t)places);
    str_adds(out, "\"}");
    return PROBLEM_NONE;
}
