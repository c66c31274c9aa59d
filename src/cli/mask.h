/* mask.h: values that may be personal, as an administrator may see them (contract 9). */
#ifndef PEYGIR_MASK_H
#define PEYGIR_MASK_H

#include "core/service.h"

#include <json-c/json.h>

/* The members of a JSON object: personal values and everything that no field of the service describes are masked, their last two
 * characters stay. service NULL: all are masked. {} when it is no object. */
struct json_object *mask_members(const struct service *service, struct span object);
/* A text that may hold a number of a person: of each run of eight digits and more only the last two stay. The caller frees. */
char *mask_numbers(const char *text);

#endif
