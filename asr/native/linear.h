/* What the encoder and the decoder share: threads that work in step, and linear layers with int8 weights.
 *
 * Weights are int8 with one scale for each output; a row's activations become uint8 with a scale and a zero point of
 * their own. The sums of products are integers and exact, and all else is done row by row in the same order: a row's
 * result never depends on the rows beside it, nor on the number of threads.
 */

#pragma once

#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__AVX512VNNI__) || defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#define PATIENCE 1000 /* looks at a barrier before the processor is left to others */
#define PANEL 64      /* outputs whose weights lie together */
#define TILE 4        /* rows that are multiplied with a panel at once */

typedef struct {
    int32_t inputs, outputs; /* inputs: a multiple of 4 */
    const int8_t *weight;    /* packed: panels (outputs / PANEL, rounded up) of PANEL * inputs, see `pack_weight` */
    const float *scale;      /* (outputs) */
    const int32_t *weight_sum; /* (outputs): the sum of each output's weights, for the zero points */
    const float *bias;         /* (outputs), or NULL */
} Linear;

typedef struct {
    const float *gain, *bias; /* (state) */
} LayerNorm;

typedef struct {
    float scale, zero;
} Quantised;

/* Rows of activations, quantised. */
typedef struct {
    Quantised *scales; /* (rows) */
    uint8_t *values;   /* (rows, inputs) */
} Levels;

typedef enum { SET, ADD, GELU } Store;

/* Where the threads of a piece of work meet. */
typedef struct {
    atomic_int arrived, generation;
} Team;

typedef struct {
    int32_t index, count;
    Team *team;
} Thread;

/* The part of n things that is a thread's own. */
#define OWN_SHARE(i, n, thread) \
    for (int32_t i = (int32_t)((int64_t)(n) * (thread).index / (thread).count), \
                 last_##i = (int32_t)((int64_t)(n) * ((thread).index + 1) / (thread).count); i < last_##i; i++)

/* Wait until all threads are here. Who waits does not sleep, for waking takes longer than most waits last; but it
 * leaves the processor to whoever wants it, which may be the very thread that is waited for. */
static void meet(Thread thread) {
    Team *team = thread.team;
    int generation = atomic_load(&team->generation);
    if (atomic_fetch_add(&team->arrived, 1) == thread.count - 1) {
        atomic_store(&team->arrived, 0);
        atomic_fetch_add(&team->generation, 1);
        return;
    }
    for (int looks = 0; atomic_load(&team->generation) == generation; looks++)
        if (looks > PATIENCE) sched_yield();
}

/* Run `work` with a team of threads, and wait for all of them. */
static inline void together(void (*work)(void *, Thread), void *what, int32_t threads) {
    Team team = {0};
#ifdef _OPENMP
    #pragma omp parallel num_threads(threads)
    work(what, (Thread){omp_get_thread_num(), omp_get_num_threads(), &team});
#else
    (void)threads;
    work(what, (Thread){0, 1, &team});
#endif
}

static inline float exponential(float x) {
    /* 2^n times a polynomial of the fraction's natural exponential; 1e-7 off at most (Cephes, expf). */
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float n = floorf(x * 1.44269504f + 0.5f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    union { int32_t i; float f; } power = {((int32_t)n + 127) << 23};
    return (p * r * r + r + 1.0f) * power.f;
}

static inline float gelu(float x) {
    /* x times the normal distribution's integral, by Abramowitz and Stegun 7.1.26; 2e-7 off at most. */
    float z = fabsf(x) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float tail = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    float half = 0.5f * tail * exponential(-z * z);
    return x * (x < 0.0f ? half : 1.0f - half);
}

static inline float widened(uint16_t bfloat16) {
    union { uint32_t i; float f; } bits = {(uint32_t)bfloat16 << 16};
    return bits.f;
}

static inline uint16_t narrowed(float x) {
    /* To the nearest bfloat16, of two as near the even one. */
    union { float f; uint32_t i; } bits = {x};
    return (uint16_t)((bits.i + 0x7fff + ((bits.i >> 16) & 1)) >> 16);
}

static Quantised quantise(const float *restrict x, int32_t n, uint8_t *restrict out) {
    float low = 0.0f, high = 0.0f;
    for (int32_t i = 0; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;
    float scale = high > low ? (high - low) / 255.0f : 1.0f;
    float zero = rintf(-low / scale), inverse = 1.0f / scale;
    for (int32_t i = 0; i < n; i++) {
        float level = x[i] * inverse + zero + 0.5f;
        out[i] = (uint8_t)(int32_t)(level > 255.0f ? 255.0f : level);
    }
    return (Quantised){scale, zero};
}

/* Layer normalisation; `out` may be `x`. */
static void normalise(const LayerNorm *ln, const float *x, int32_t n, float *out) {
    float sum = 0.0f, squares = 0.0f;
    for (int32_t i = 0; i < n; i++) sum += x[i];
    float mean = sum / (float)n;
    for (int32_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    float inverse = 1.0f / sqrtf(squares / (float)n + 1e-5f);
    for (int32_t i = 0; i < n; i++) out[i] = (x[i] - mean) * inverse * ln->gain[i] + ln->bias[i];
}

/* Quantise rows x (rows, n) for the product that follows. */
static void quantise_rows(Thread thread, int32_t rows, const float *x, int32_t n, Levels out) {
    OWN_SHARE(r, rows, thread) out.scales[r] = quantise(x + (size_t)r * n, n, out.values + (size_t)r * n);
    meet(thread);
}

/* The same for the rows normalised. */
static void normalise_rows(Thread thread, const LayerNorm *ln, int32_t rows, const float *x, int32_t n, Levels out) {
    float normed[n];
    OWN_SHARE(r, rows, thread) {
        normalise(ln, x + (size_t)r * n, n, normed);
        out.scales[r] = quantise(normed, n, out.values + (size_t)r * n);
    }
    meet(thread);
}

#ifdef __AVX512VNNI__

/* A panel is 4 inputs of 64 outputs after the other, as the processor's dot products of four take them. */
static inline size_t packed_at(int32_t output, int32_t input, int32_t inputs) {
    int32_t panel = output / PANEL, column = output % PANEL;
    return (size_t)panel * PANEL * inputs + (size_t)(input / 4) * PANEL * 4 + column * 4 + input % 4;
}

static inline __attribute__((always_inline)) void multiply(int32_t rows, const uint8_t *x, int32_t inputs,
                                                           const int8_t *panel, int32_t *sums) {
    __m512i sum[TILE][4];
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < 4; v++) sum[r][v] = _mm512_setzero_si512();
    for (int32_t i = 0; i < inputs; i += 4) {
        const __m512i *weight = (const __m512i *)(panel + (size_t)i * PANEL);
        __m512i w[4];
        for (int32_t v = 0; v < 4; v++) {
            w[v] = _mm512_loadu_si512(weight + v);
            __asm__("" : "+v"(w[v])); /* stays in its register, where the compiler would read it again for each row */
        }
        for (int32_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * inputs + i, 4);
            for (int32_t v = 0; v < 4; v++) sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], _mm512_set1_epi32(four), w[v]);
        }
    }
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < 4; v++) _mm512_storeu_si512(sums + r * PANEL + v * 16, sum[r][v]);
}

/* Products of up to TILE rows of levels with a panel: sums (rows, PANEL). */
static void tile(int32_t rows, const uint8_t *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    switch (rows) { /* each number of rows is compiled by itself, all in registers */
    case 1: multiply(1, x, inputs, panel, sums); return;
    case 2: multiply(2, x, inputs, panel, sums); return;
    case 3: multiply(3, x, inputs, panel, sums); return;
    default: multiply(4, x, inputs, panel, sums);
    }
}

#else

/* A panel is one output after the other; the compiler finds the processor's way to multiply them. */
static inline size_t packed_at(int32_t output, int32_t input, int32_t inputs) {
    return (size_t)output * inputs + input;
}

static void tile(int32_t rows, const uint8_t *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    for (int32_t column = 0; column < PANEL; column++)
        for (int32_t r = 0; r < rows; r++) {
            const uint8_t *restrict row = x + (size_t)r * inputs;
            const int8_t *restrict weight = panel + (size_t)column * inputs;
            int32_t sum = 0;
            for (int32_t i = 0; i < inputs; i++) sum += (int32_t)row[i] * (int32_t)weight[i];
            sums[r * PANEL + column] = sum;
        }
}

#endif

/* y = W x + b for rows x (rows, inputs) → (rows, outputs), shared out among the threads by outputs. */
static void linear(Thread thread, const Linear *l, int32_t rows, Levels x, float *y, Store store) {
    const int32_t inputs = l->inputs, outputs = l->outputs;
    int32_t sums[TILE * PANEL];
    OWN_SHARE(panel, (outputs + PANEL - 1) / PANEL, thread) {
        const int32_t first = panel * PANEL, columns = outputs - first < PANEL ? outputs - first : PANEL;
        const int8_t *weight = l->weight + (size_t)first * inputs;
        const float *scale = l->scale + first;
        const int32_t *weight_sum = l->weight_sum + first;
        for (int32_t top = 0; top < rows; top += TILE) {
            const int32_t some = rows - top < TILE ? rows - top : TILE;
            tile(some, x.values + (size_t)top * inputs, inputs, weight, sums);
            for (int32_t r = 0; r < some; r++) {
                const Quantised q = x.scales[top + r];
                const int32_t *restrict sum = sums + r * PANEL;
                float *restrict out = y + (size_t)(top + r) * outputs + first;
                float value[PANEL];
                for (int32_t n = 0; n < columns; n++)
                    value[n] = q.scale * scale[n] * ((float)sum[n] - q.zero * (float)weight_sum[n]);
                if (l->bias)
                    for (int32_t n = 0; n < columns; n++) value[n] += l->bias[first + n];
                if (store == ADD)
                    for (int32_t n = 0; n < columns; n++) out[n] += value[n];
                else if (store == GELU)
                    for (int32_t n = 0; n < columns; n++) out[n] = gelu(value[n]);
                else
                    for (int32_t n = 0; n < columns; n++) out[n] = value[n];
            }
        }
    }
    meet(thread);
}
