/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of locks. A thread that holds one may take only locks further down
 * the list. Whoever adds a lock adds a line here. Nothing is held across a call
 * into a plugin but the two locks that enforce the plugin's own thread model,
 * and the one above them.
 *
 *  0  store  load_lock            one load of collections at a time
 *  1  host   library->serial      one call at a time in a SERIAL plugin
 *  2  host   plugin->one_call     one call at a time in a PER_INSTANCE one
 *  3  host   registry.lock        the list of loaded libraries; held across
 *                                 dlopen, never across a plugin's function
 *  4  store  ingest_lock          the event stream: taken by the plugin's thread
 *  5  store  wake_lock            until the watches of a commit are woken
 *  6  store  lock                 what readers see; no callback under it
 *  7  store  queue_lock           the committer's queues
 *  8  store  shard->lock (forms)  one part of the form cache
 *  9  base   shard->lock (intern) one part of the names
 * 10  net    server->mutex        connections; `gone` is called under it
 * 11  net    tls_mutex            a server's certificates
 * 12  net    set->mutex           the loops of HTTP/2, while one begins
 * 13  net    loop->mutex          the streams of one loop, also of HTTP/2; no
 *                                 callback under it
 * 14  base   workers->mutex       the queues of a pool
 * 15  host   plugin->series_lock  the metrics that one plugin has made
 * 16  api    documents_lock       OpenAPI documents, while one is made
 * 17  base   metrics.lock         the list of series
 * 18  base   slab.lock            blocks of memory
 * 19  base   ring.lock (log)      last of all
 *
 * The kubelet's own, all before 1 but the last: pull_lock (one image pull at a
 * time, held across the pull), admit_lock, prober.lock, and kubelet.lock, under
 * which only the queues' and the jobs' locks are taken.
 *
 * The proxy's own: table.mutex, the marks of changed services; taken from the
 * informers' callbacks, and nothing is taken under it.
 *
 * 1 and 2 are never taken twice by one thread for the same plugin: host_enter
 * ends the process rather than wait for itself.
 */
#ifndef COX_BASE_LOCK_H
#define COX_BASE_LOCK_H
#endif
