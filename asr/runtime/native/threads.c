/* A pool of threads for each thread that calls `parallel_for`; it lives as long as its caller.
 *
 * The pool is our own because the library must run where no OpenMP is installed, as in an image without a compiler.
 */

#include "threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define SPINS 2000 /* looks for new work before a worker sleeps: about as long as the pause between two steps */

struct Pool;

typedef struct {
    pthread_t id;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_int posted, sleeping; /* is there work; and does the worker wait for `wake` */
    int32_t index;
    struct Pool *pool;
} Worker;

typedef struct Pool {
    Worker **workers;
    int32_t count;       /* of workers; with the caller there is one thread more */
    int refused;         /* the system starts no more of them */
    Work work;           /* NULL: the workers end */
    void *what;
    int32_t threads;     /* that the present work has */
    Team team;
    atomic_int left;     /* workers that have not finished it */
} Pool;

static _Thread_local Pool *own_pool;
static pthread_key_t pool_key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void wait_for_work(Worker *worker) {
    for (int looks = 0; looks < SPINS; looks++) {
        if (atomic_load(&worker->posted)) return;
        relax();
    }
    pthread_mutex_lock(&worker->lock);
    atomic_store(&worker->sleeping, 1);
    while (!atomic_load(&worker->posted)) pthread_cond_wait(&worker->wake, &worker->lock);
    atomic_store(&worker->sleeping, 0);
    pthread_mutex_unlock(&worker->lock);
}

static void post(Worker *worker) {
    atomic_store(&worker->posted, 1);
    if (!atomic_load(&worker->sleeping)) return;
    pthread_mutex_lock(&worker->lock);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

static void *run_worker(void *own) {
    Worker *worker = own;
    Pool *pool = worker->pool;
    for (;;) {
        wait_for_work(worker);
        atomic_store(&worker->posted, 0);
        if (!pool->work) return NULL;
        pool->work(pool->what, (Thread){worker->index, pool->threads, &pool->team});
        atomic_fetch_sub(&pool->left, 1);
    }
}

static void free_worker(Worker *worker) {
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

/* Start the worker's thread, to which no signals are delivered: they are for the program's own threads. */
static int start(Worker *worker) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&worker->id, NULL, run_worker, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* One worker more. Gives 0, or -1 where the system has no memory or no thread for it. */
static int add_worker(Pool *pool) {
    Worker **workers = realloc(pool->workers, (size_t)(pool->count + 1) * sizeof(Worker *));
    if (!workers) return -1;
    pool->workers = workers;
    Worker *worker = calloc(1, sizeof(Worker));
    if (!worker) return -1;
    worker->index = pool->count + 1;
    worker->pool = pool;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    if (start(worker)) {
        pool->refused = 1;
        free_worker(worker);
        return -1;
    }
    pool->workers[pool->count++] = worker;
    return 0;
}

/* The caller's thread ends: so do its workers. */
static void end_pool(void *own) {
    Pool *pool = own;
    pool->work = NULL;
    for (int32_t w = 0; w < pool->count; w++) {
        post(pool->workers[w]);
        pthread_join(pool->workers[w]->id, NULL);
        free_worker(pool->workers[w]);
    }
    free(pool->workers);
    free(pool);
    own_pool = NULL;
}

/* In a process that was forked there are no workers: a pool is made anew. */
static void forget_pool(void) {
    own_pool = NULL;
    pthread_setspecific(pool_key, NULL);
}

static void make_key(void) {
    pthread_key_create(&pool_key, end_pool);
    pthread_atfork(NULL, NULL, forget_pool);
}

/* The calling thread's pool with room for so many threads, as far as the system gives them; NULL without memory. */
static Pool *pool_for(int32_t threads) {
    pthread_once(&key_once, make_key);
    if (!own_pool) {
        own_pool = calloc(1, sizeof(Pool));
        pthread_setspecific(pool_key, own_pool);
    }
    if (own_pool && !own_pool->refused)
        while (own_pool->count < threads - 1 && !add_worker(own_pool)) {}
    return own_pool;
}

void parallel_for(Work work, void *what, int32_t threads) {
    Pool *pool = threads > 1 ? pool_for(threads) : NULL;
    if (!pool || !pool->count) {
        Team alone = {0};
        work(what, (Thread){0, 1, &alone});
        return;
    }
    const int32_t workers = threads - 1 < pool->count ? threads - 1 : pool->count;
    pool->work = work;
    pool->what = what;
    pool->threads = workers + 1;
    atomic_store(&pool->team.next, 0);
    atomic_store(&pool->left, workers);
    for (int32_t w = 0; w < workers; w++) post(pool->workers[w]);
    work(what, (Thread){0, pool->threads, &pool->team});
    for (int looks = 0; atomic_load(&pool->left); looks++)
        if (looks > PATIENCE) sched_yield();
}
