/* fuzz_text.c: UTF-8, digits, decimal numbers, and the rules of codes, cards and numbers; every escaping */
#include "tests/fuzz/fuzz.h"

#include "base/address.h"
#include "base/decimal.h"
#include "base/json.h"
#include "base/utf8.h"
#include "core/rules_text.h"
#include "core/rules.h"

static void try_utf8(struct span input)
{
    struct str mended = STR_INIT, latin = STR_INIT, back = STR_INIT;
    size_t cut = utf8_clip(input.s, input.len, input.len / 2);
    bool valid = utf8_valid(input.s, input.len);

    PROMISE(cut <= input.len / 2 && valid == (utf8_bad(input.s, input.len) == input.len));
    PROMISE(!valid || (utf8_valid(input.s, cut) && utf8_length(input.s, input.len) <= input.len));
    utf8_add_mended(&mended, input.s, input.len);
    PROMISE(utf8_valid(mended.s ? mended.s : "", mended.len) && (!valid || mended.len == input.len));
    utf8_add_persian_digits(&latin, input.s, input.len);
    utf8_add_latin_digits(&back, latin.s ? latin.s : "", latin.len);
    PROMISE(!valid || utf8_valid(back.s ? back.s : "", back.len));
    str_free(&mended);
    str_free(&latin);
    str_free(&back);
}

static void try_rules(struct span input)
{
    struct str once = STR_INIT, twice = STR_INIT;
    struct span s;

    rules_normalise(input, &once);
    s = (struct span){ once.s ? once.s : "", once.len };
    rules_normalise(s, &twice);
    /* Of CR CR LF the first time leaves CR LF. */
    PROMISE(!utf8_valid(input.s, input.len) || memchr(input.s, '\r', input.len) ||
            span_eq(s, (struct span){ twice.s ? twice.s : "", twice.len }));
    PROMISE(!rules_is_national_code(s) || (s.len == 10 && rules_is_digits(s)));
    PROMISE(!rules_is_mobile(s) || (s.len == 11 && rules_is_digits(s)));
    PROMISE(!rules_is_bank_card(s) || (s.len == 16 && rules_is_digits(s)));
    PROMISE(!rules_is_iban(s) || s.len == 26);
    PROMISE(!rules_is_integer(s) || rules_is_numeric(s));
    PROMISE(!rules_is_date(s) || s.len == 10);
    rules_is_email(s);
    rules_is_postal_code(s);
    str_reset(&twice);
    rules_compact(s, true, &twice);
    rules_local_mobile(s, &twice);
    str_free(&once);
    str_free(&twice);
}

static void try_escapes(struct span input)
{
    struct str out = STR_INIT;
    char *text = fuzz_text(input);

    str_add_html(&out, input.s, input.len);
    PROMISE(input.len == 0 || (!memchr(out.s, '<', out.len) && !memchr(out.s, '"', out.len) && !memchr(out.s, '\'', out.len)));
    str_reset(&out);
    str_add_json(&out, input.s, input.len);
    PROMISE(json_check(out.s, out.len, NULL) == 0);
    str_reset(&out);
    str_add_log(&out, input.s, input.len);
    for (size_t i = 0; i < out.len; i++)
        PROMISE((unsigned char)out.s[i] >= 0x20 && out.s[i] != 0x7f);
    str_reset(&out);
    str_add_url(&out, input.s, input.len);
    PROMISE(strspn(out.s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%") == out.len);
    PROMISE(!address_is_list(text) || *text == '\0' || !address_in_list(text, SPAN("no address")));
    address_in_list("127.0.0.0/8,::1,unix:", input);
    free(text);
    str_free(&out);
}

static void try_decimals(struct span input)
{
    struct str once = STR_INIT, twice = STR_INIT;

    if (!decimal_ok(input))
        return;
    decimal_add_product(&once, input, SPAN("1"));
    decimal_add_product(&twice, (struct span){ once.s, once.len }, SPAN("1.0"));
    PROMISE(strcmp(once.s, twice.s) == 0 && decimal_ok((struct span){ once.s, once.len }));
    for (size_t places = 0; places < 4; places++) {
        str_reset(&twice);
        decimal_add_rounded(&twice, input, places);
        const char *point = strchr(twice.s, '.');
        PROMISE(strspn(twice.s, "0123456789.") == twice.len && (point ? strlen(point + 1) : 0) == places);
    }
    str_free(&once);
    str_free(&twice);
}

FUZZ(input)
{
    try_decimals(input);
    try_utf8(input);
    try_rules(input);
    try_escapes(input);
}
