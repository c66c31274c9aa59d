/* mask.h: values that may be personal, as an administrator may see them (contract 9). */
#ifndef PEYGIR_MASK_H
#define PEYGIR_MASK_H

#include "core/service.h"

#include <json-c/json.h>

/* The members of a JSON object: personal values and everything that no field of the service describes are masked, their last two
 * characters stay. service NULL: all are masked. {} when it is no object. */
struct json_object *mask_members(const struct service *service, struct span object);
/* A text that may hold a number of a person, such as a bot's message: of each run of eight digits and more, of any script that a form takes,
 * only the last two stay. mask_numbers: NULL for NULL, the caller frees. */
void mask_add_numbers(struct str *out, const char *text);
char *mask_numbers(const char *text);
/* The same with every text inside a JSON value. */
void mask_texts(struct json_object *value);

#endif
