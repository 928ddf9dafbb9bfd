/* Threads that work in step: `parallel_for` runs a function on several, `barrier` is where they wait for each other. */

#pragma once

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define PATIENCE 1000 /* looks at a barrier before the processor is left to others */

#define SHARES 8      /* of a loop for each thread: the smaller they are, the less a slow thread holds up the others */

/* What the threads of a piece of work have in common. */
typedef struct {
    atomic_int arrived, generation; /* at the barrier, and how often all have been there */
    atomic_int next;                /* index of the present loop that no thread has taken yet */
} Team;

/* One of the threads that run a piece of work. */
typedef struct {
    int32_t index, count;
    Team *team;
} Thread;

typedef void (*Work)(void *what, Thread thread);

/* Run `work` on so many threads, of which the caller is one, and wait for all of them. Where the system starts no more
 * threads there are fewer: `Thread.count` says how many. `work` must not call it again. */
void parallel_for(Work work, void *what, int32_t threads);

/* Part of a loop that a thread has taken. */
typedef struct {
    int32_t first, end;
} Share;

/* Take the next share of n things that no other thread has; gives 0 when nothing is left. */
static inline int take_share(Share *share, int32_t n, Thread thread) {
    const int32_t size = thread.count == 1 ? n : n / (thread.count * SHARES) + 1;
    share->first = atomic_fetch_add_explicit(&thread.team->next, size, memory_order_relaxed);
    share->end = share->first + size < n ? share->first + size : n;
    return share->first < n;
}

/* A loop over n things in dynamic scheduling: each thread takes the next share when it is done with one, for cores differ
 * in speed, and other programs want them, too. What is computed must not depend on which thread does it. A barrier
 * stands between such a loop and the next. */
#define SHARE_OUT(i, n, thread) \
    for (Share share_##i; take_share(&share_##i, (n), (thread));) \
        for (int32_t i = share_##i.first; i < share_##i.end; i++)

/* Wait until all threads are here. A waiting thread does not sleep, for waking takes longer than most waits last; but
 * it leaves the processor to whatever wants it, which may be the very thread that is waited for. */
static inline void barrier(Thread thread) {
    Team *team = thread.team;
    int generation = atomic_load(&team->generation);
    if (atomic_fetch_add(&team->arrived, 1) == thread.count - 1) {
        atomic_store(&team->arrived, 0);
        atomic_store(&team->next, 0);
        atomic_fetch_add(&team->generation, 1);
        return;
    }
    for (int looks = 0; atomic_load(&team->generation) == generation; looks++)
        if (looks > PATIENCE) sched_yield();
}
