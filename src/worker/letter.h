/* letter.h: e-mail as it is written: a template in HTML and one in plain text, in the words of a language, filled with data.
 *
 * TEMPLATE.html.mustache and TEMPLATE.txt.mustache lie in the folder mail of PEYGIR_TEMPLATES_DIR; the words are the texts mail.TEMPLATE.* of
 * www/locales (a - of the name is _ there), `subject` among them. A template is given: lang, dir, site (its name), data, and text: those
 * words, their placeholders filled from data. What data does not have leaves a gap. */
#ifndef PEYGIR_LETTER_H
#define PEYGIR_LETTER_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct letters; /* templates and words; belongs to one thread */
struct locales;

/* Read the folder, which may be absent. 0, or -1 (ERR_CONFIG) with the file and what is wrong. Locales are borrowed. */
int letters_load(const char *dir, const struct locales *locales, struct letters **out, struct err *err);
void letters_free(struct letters *l);

/* Is there a template of this name? */
bool letters_have(const struct letters *l, const char *template);

struct letter {
    const char *from, *to; /* addresses: rules_is_email */
    const char *template;
    const char *locale;    /* NULL: the default one */
    struct span data;      /* JSON object that has passed json_check; absent: {} */
    const char *job_id;    /* of it Message-ID is made, so that a repeated try is known for one */
    int64_t now_ms;
};
/* Append the whole mail, lines with CRLF. 0, or -1 (ERR_INVALID): no such template or language, data that are no object. The sentence
 * quotes none of the values but a template's or language's well-formed name. */
int letters_write(const struct letters *l, const struct letter *letter, struct str *out, struct err *err);

#endif
