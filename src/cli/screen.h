/* screen.h: a terminal that a live view is drawn on. Nothing of it is left behind: screen_close() brings back what was there. */
#ifndef PEYGIR_SCREEN_H
#define PEYGIR_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct screen;

/* NULL: standard input and output are no terminal that can be drawn on. */
struct screen *screen_open(void);
void screen_close(struct screen *screen);
/* Draw the lines of `text` from the top, cut at the width and the height that the terminal has now. */
void screen_draw(const struct screen *screen, const char *text, size_t len);
/* Wait until ms are over, or a key, a change of size, a signal. True: q, Ctrl-C or a signal that asks to end. screen NULL: only signals. */
bool screen_wait(const struct screen *screen, int ms);
/* From here on SIGINT and SIGTERM are asked for by screen_wait(), instead of ending the program. */
void screen_catch_signals(void);

#endif
