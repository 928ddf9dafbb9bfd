/* Threads that work in step: `parallel_for` runs a function on several, `barrier` is where they wait for each other. */

#pragma once

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#define PATIENCE 1000 /* looks at a barrier before the processor is left to others */

typedef struct {
    atomic_int arrived, generation;
} Barrier;

/* One of the threads that run a piece of work. */
typedef struct {
    int32_t index, count;
    Barrier *barrier;
} Thread;

typedef void (*Work)(void *what, Thread thread);

/* Run `work` on so many threads, of which the caller is one, and wait for all of them. Where the system starts no more
 * threads there are fewer: `Thread.count` says how many. */
void parallel_for(Work work, void *what, int32_t threads);

/* The part of n things that is a thread's own. */
#define PARTITION(i, n, thread) \
    for (int32_t i = (int32_t)((int64_t)(n) * (thread).index / (thread).count), \
                 last_##i = (int32_t)((int64_t)(n) * ((thread).index + 1) / (thread).count); i < last_##i; i++)

/* Wait until all threads are here. A waiting thread does not sleep, for waking takes longer than most waits last; but
 * it leaves the processor to whatever wants it, which may be the very thread that is waited for. */
static inline void barrier(Thread thread) {
    Barrier *b = thread.barrier;
    int generation = atomic_load(&b->generation);
    if (atomic_fetch_add(&b->arrived, 1) == thread.count - 1) {
        atomic_store(&b->arrived, 0);
        atomic_fetch_add(&b->generation, 1);
        return;
    }
    for (int looks = 0; atomic_load(&b->generation) == generation; looks++)
        if (looks > PATIENCE) sched_yield();
}
