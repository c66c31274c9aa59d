/* agent.h: a browser in words: what people recognise their devices by. */
#ifndef PEYGIR_WEB_AGENT_H
#define PEYGIR_WEB_AGENT_H

/* Names as their makers write them; NULL: not known. */
struct agent {
    const char *browser, *system;
};
/* From a User-Agent header; NULL allowed. Only what is common is told apart; the rest is not known. */
struct agent agent_read(const char *user_agent);

#endif
