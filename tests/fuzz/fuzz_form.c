/* fuzz_form.c: urlencoded bodies and queries */
#include "tests/fuzz/fuzz.h"

#include "base/utf8.h"
#include "web/form.h"

static bool is_text(struct span s)
{
    return utf8_valid(s.s, s.len) && !memchr(s.s, '\0', s.len);
}

FUZZ(input)
{
    struct form form = FORM_INIT;
    struct err err = ERR_INIT;

    if (form_parse(&form, input, &err) == 0) {
        PROMISE(form.count <= FORM_FIELDS);
        for (size_t i = 0; i < form.count; i++) {
            PROMISE(form.field[i].name.len > 0 && is_text(form.field[i].name) && is_text(form.field[i].value));
            for (size_t j = 0; j < i; j++)
                PROMISE(!span_eq(form.field[i].name, form.field[j].name));
        }
    } else {
        PROMISE(err.kind == ERR_INVALID && err.text[0]);
    }
    form_free(&form);
}
