/* unit.h: what every unit test includes first; cmocka needs these headers in this order. */
#ifndef PEYGIR_UNIT_H
#define PEYGIR_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
