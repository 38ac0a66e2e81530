/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager wants to hear, in systemd's protocol: datagrams to
 * $NOTIFY_SOCKET. Everything is a no-op when nobody asked. Any thread.
 */
#ifndef COX_BASE_NOTIFY_H
#define COX_BASE_NOTIFY_H

#include <stdint.h>

/* Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; before threads. */
void notify_init(void);
void notify_close(void);
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *text);
void notify_watchdog(void);
/* How often to call notify_watchdog, in ns (half of what is asked for); 0: never. */
uint64_t notify_watchdog_interval(void);

#endif
