/* api.h: what the JSON routes share. */
#ifndef PEYGIR_WEB_API_H
#define PEYGIR_WEB_API_H

#include "web/exchange.h"

/* A JSON answer: status and content type are set; returns its body, empty, to be filled. */
struct str *api_json(struct exchange *x, int status);
/* Answer x->problem as application/problem+json, in the visitor's language. */
void api_problem(struct exchange *x);
/* x->problem without its closing brace, for further members. `detail`: a sentence for operators; NULL: the visitor's
 * words. */
void api_problem_open(struct exchange *x, const char *detail);
/* Append {"field", "detail"} to a list of them, with commas between. */
void api_add_error(struct str *errors, const char *field, const char *sentence);
/* Answer 422 to a program with such a list. */
void api_refuse_members(struct exchange *x, const struct str *errors);

/* Append a member; `name` with all that stands before the value: ",\"id\":". A text, null for NULL; a time, null for 0 and less; JSON as it
 * was stored, where what outsiders stored and is none becomes a string. */
void api_add_text(struct str *out, const char *name, const char *text);
void api_add_time(struct str *out, const char *name, int64_t ms);
void api_add_stored(struct str *out, const char *name, const char *text);

#endif
