/* daemon.h: manners of a long-running program. */
#ifndef PEYGIR_DAEMON_H
#define PEYGIR_DAEMON_H

/* sodium_init, SIGPIPE ignored, RLIMIT_NOFILE raised to the hard limit, umask 027, stdio fds open. Call first. */
void daemon_init(void);
/* Block SIGTERM, SIGINT, SIGHUP, SIGUSR1 in this thread and all it starts; for daemon_wait. */
void daemon_block_signals(void);
/* Wait for one of the blocked signals at most timeout_ms (-1: for ever). The signal, or 0 when time ran out. */
int daemon_wait(int timeout_ms);

/* Exit statuses (sysexits.h and the contract's section 8). */
enum { EXIT_USAGE = 2, EXIT_AWAY = 69, EXIT_OSERR = 71, EXIT_CONFIG = 78 };

#endif
