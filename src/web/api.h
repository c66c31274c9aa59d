/* api.h: what the JSON routes share. */
#ifndef PEYGIR_WEB_API_H
#define PEYGIR_WEB_API_H

#include "web/exchange.h"

/* A JSON answer: status and content type are set; returns its body, empty, to be filled. */
struct str *api_json(struct exchange *x, int status);
/* The problem without its closing brace, for further members. */
void api_problem_open(struct exchange *x);

#endif
