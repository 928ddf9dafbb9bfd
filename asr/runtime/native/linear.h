/* What the encoder and the decoder share: linear layers with int8 weights, layer normalisation, GELU, quantisation.
 *
 * Weights are int8 with one scale for each output; a row's activations become 256 levels with a scale and a zero point
 * of their own. The sums of products are integers and exact, and all else is done row by row in the same order: a row's
 * result never depends on the rows beside it, nor on the number of threads, and the integer sums are the same on every
 * processor.
 *
 * This file is compiled once for each path, a pair of kernels that the build names: TILE_H multiplies levels with
 * weights, PRODUCTS_H multiplies floats for attention. README.md says what they define.
 */

#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "threads.h"

#define PANEL 64 /* outputs whose weights lie together */

#include TILE_H

/* A function that the library gives away, named for this path: EXPORT(encoder_run) is encoder_run_avx2. */
#define JOINED(name, path) name##_##path
#define JOIN(name, path) JOINED(name, path)
#define EXPORT(name) __attribute__((visibility("default"))) JOIN(name, PATH)

/* One piece of memory for several arrays. What lays them out is called twice: without memory, to learn how much is used,
 * and with it. */
typedef struct {
    char *memory; /* or NULL */
    size_t used;  /* bytes */
} Arena;

static inline void *take(Arena *arena, size_t count, size_t size) {
    void *place = arena->memory ? arena->memory + arena->used : NULL;
    arena->used += (count * size + 63) / 64 * 64; /* every array begins a cache line */
    return place;
}

typedef struct {
    int32_t inputs, outputs; /* inputs: a multiple of 64 */
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
    Level *values;      /* (rows, inputs): LEVEL_OFFSET less than the level */
} Levels;

/* Memory for what has been laid out, to be freed; NULL where there is none. */
static inline char *reserve(size_t used) { return aligned_alloc(64, used); }

static inline Levels take_levels(Arena *arena, size_t rows, size_t inputs) {
    Quantised *scales = take(arena, rows, sizeof(Quantised));
    return (Levels){scales, take(arena, rows * inputs, sizeof(Level))};
}

typedef enum { SET, ADD, GELU } Store;

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

static Quantised quantise(const float *restrict x, int32_t n, Level *restrict out) {
    float low = 0.0f, high = 0.0f;
    for (int32_t i = 0; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;
    float scale = high > low ? (high - low) / 255.0f : 1.0f;
    float zero = rintf(-low / scale), inverse = 1.0f / scale;
    for (int32_t i = 0; i < n; i++) {
        float level = x[i] * inverse + zero + 0.5f;
        out[i] = (Level)((int32_t)(level > 255.0f ? 255.0f : level) - LEVEL_OFFSET);
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
    SHARE_OUT(r, rows, thread) out.scales[r] = quantise(x + (size_t)r * n, n, out.values + (size_t)r * n);
    barrier(thread);
}

/* The same for the rows normalised. */
static void normalise_rows(Thread thread, const LayerNorm *ln, int32_t rows, const float *x, int32_t n, Levels out) {
    float normed[n];
    SHARE_OUT(r, rows, thread) {
        normalise(ln, x + (size_t)r * n, n, normed);
        out.scales[r] = quantise(normed, n, out.values + (size_t)r * n);
    }
    barrier(thread);
}

/* y = W x + b for rows x (rows, inputs) → (rows, outputs), shared out among the threads by outputs. */
static void linear(Thread thread, const Linear *l, int32_t rows, Levels x, float *y, Store store) {
    const int32_t inputs = l->inputs, outputs = l->outputs;
    int32_t sums[TILE_ROWS * PANEL];
    SHARE_OUT(panel, (outputs + PANEL - 1) / PANEL, thread) {
        const int32_t first = panel * PANEL, columns = outputs - first < PANEL ? outputs - first : PANEL;
        const int8_t *weight = l->weight + (size_t)first * inputs;
        const float *scale = l->scale + first;
        const int32_t *weight_sum = l->weight_sum + first;
        for (int32_t top = 0; top < rows; top += TILE_ROWS) {
            const int32_t some = rows - top < TILE_ROWS ? rows - top : TILE_ROWS;
            tile(some, x.values + (size_t)top * inputs, inputs, weight, sums);
            for (int32_t r = 0; r < some; r++) {
                const Quantised q = x.scales[top + r];
                const int32_t *restrict sum = sums + r * PANEL;
                float *restrict out = y + (size_t)(top + r) * outputs + first;
                float value[PANEL];
                for (int32_t n = 0; n < columns; n++)
                    value[n] = q.scale * scale[n] * ((float)(sum[n] + LEVEL_OFFSET * weight_sum[n]) - q.zero * (float)weight_sum[n]);
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
    barrier(thread);
}
