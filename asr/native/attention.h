/* Attention to frames whose keys and values are kept in panels, as the processor multiplies them best.
 *
 * A panel holds 64 frames of one head: keys (HEAD / GROUP, 64, GROUP), values (64 / GROUP, HEAD, GROUP). Where the
 * processor multiplies pairs of bfloat16, they are bfloat16 and a group is two; elsewhere they are floats by themselves.
 */

#pragma once

#include "linear.h"

#define HEAD 64 /* the width of a head, in every Whisper */
#define FRAMES 64 /* in a panel */
#define PANEL_SIZE (FRAMES * HEAD)

#ifdef __AVX512BF16__
typedef uint16_t Element;
#define GROUP 2
#else
typedef float Element;
#define GROUP 1
#endif

/* Frames first <= t < length of one head, looked at with `bias` added to their scores. */
typedef struct {
    const Element *keys, *values;
    int32_t first, length;
    float bias;
} Span;

/* What one thread needs to attend, for TILE rows. */
typedef struct {
    float *scores;    /* (TILE, room) */
    Element *weights; /* (TILE, room) */
    int32_t room;     /* a multiple of FRAMES */
} Scratch;

/* Scratches for all threads, with room for so many panels; free(scores) frees them. Gives 0, or -1 without memory. */
static int make_scratch(Scratch *first, int32_t panels, int32_t threads) {
    first->room = panels * FRAMES;
    const size_t size = (size_t)threads * TILE * first->room;
    first->scores = malloc(size * (sizeof(float) + sizeof(Element)));
    if (!first->scores) return -1;
    first->weights = (Element *)(first->scores + size);
    return 0;
}

static inline Scratch scratch_of(Scratch first, Thread thread) {
    const size_t own = (size_t)thread.index * TILE * first.room;
    return (Scratch){first.scores + own, first.weights + own, first.room};
}

static inline int32_t panels_of(int32_t frames) { return (frames + FRAMES - 1) / FRAMES; }

static inline Element element(float x) {
#ifdef __AVX512BF16__
    return narrowed(x);
#else
    return x;
#endif
}

/* Put a frame's key and value, (HEAD) each, into its head's panels. */
static inline void keep_frame(Element *keys, Element *values, int32_t frame, const float *key, const float *value) {
    const size_t panel = (size_t)(frame / FRAMES) * PANEL_SIZE;
    const int32_t t = frame % FRAMES;
    for (int32_t d = 0; d < HEAD; d++) {
        keys[panel + (d / GROUP * FRAMES + t) * GROUP + d % GROUP] = element(key[d]);
        values[panel + (t / GROUP * HEAD + d) * GROUP + t % GROUP] = element(value[d]);
    }
}

#ifdef __AVX512BF16__

static inline __attribute__((always_inline)) void add_products_of(int32_t rows, const Element *x, size_t stride,
                                                                  int32_t inner, const Element *panel, float *sums,
                                                                  size_t sums_stride) {
    __m512 sum[TILE][4];
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < 4; v++) sum[r][v] = _mm512_loadu_ps(sums + r * sums_stride + v * 16);
    for (int32_t i = 0; i < inner; i += 2) {
        const Element *pairs = panel + (size_t)i * 64;
        __m512i w[4];
        for (int32_t v = 0; v < 4; v++) {
            w[v] = _mm512_loadu_si512(pairs + v * 32);
            __asm__("" : "+v"(w[v])); /* stays in its register, as in `multiply` */
        }
        for (int32_t r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, x + r * stride + i, 4);
            const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
            for (int32_t v = 0; v < 4; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], both, (__m512bh)w[v]);
        }
    }
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < 4; v++) _mm512_storeu_ps(sums + r * sums_stride + v * 16, sum[r][v]);
}

/* sums (rows, 64) += products of up to TILE rows x (rows, inner) with panels; rows are `stride` apart. */
static void add_products(int32_t rows, const Element *x, size_t stride, int32_t inner, const Element *panel,
                         float *sums, size_t sums_stride) {
    switch (rows) { /* each number of rows is compiled by itself, all in registers */
    case 1: add_products_of(1, x, stride, inner, panel, sums, sums_stride); return;
    case 2: add_products_of(2, x, stride, inner, panel, sums, sums_stride); return;
    case 3: add_products_of(3, x, stride, inner, panel, sums, sums_stride); return;
    default: add_products_of(4, x, stride, inner, panel, sums, sums_stride);
    }
}

#else

static void add_products(int32_t rows, const Element *x, size_t stride, int32_t inner, const Element *panel,
                         float *sums, size_t sums_stride) {
    for (int32_t i = 0; i < inner; i++)
        for (int32_t r = 0; r < rows; r++) {
            const float own = x[r * stride + i];
            const float *restrict weight = panel + (size_t)i * 64;
            for (int32_t column = 0; column < 64; column++) sums[r * sums_stride + column] += own * weight[column];
        }
}

#endif

/* Softmax of scores (n), not yet divided by the sum of the weights, which is given back. */
static float weigh(const float *restrict scores, int32_t n, Element *restrict weights) {
    float highest = -1e30f, sum = 0.0f;
    for (int32_t i = 0; i < n; i++) highest = scores[i] > highest ? scores[i] : highest;
    for (int32_t i = 0; i < n; i++) {
        const float weight = exponential(scores[i] - highest);
        weights[i] = element(weight);
        sum += weight;
    }
    return sum;
}

/* Scores of up to TILE queries (rows, HEAD) for a span's panels; gives how many frames these hold. */
static int32_t score(const Span *span, int32_t rows, const Element *queries, float *scores, size_t stride) {
    const int32_t begin = span->first / FRAMES * FRAMES, end = panels_of(span->length) * FRAMES;
    if (span->first >= span->length) return 0;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t t = 0; t < end - begin; t++) scores[r * stride + t] = span->bias;
    for (int32_t top = begin; top < end; top += FRAMES)
        add_products(rows, queries, HEAD, HEAD, span->keys + (size_t)top * HEAD, scores + top - begin, stride);
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t t = begin; t < span->first; t++) scores[r * stride + t - begin] = -1e30f;
        for (int32_t t = span->length; t < end; t++) scores[r * stride + t - begin] = -1e30f;
    }
    return end - begin;
}

/* Up to TILE rows look at the frames of two spans: queries (rows, HEAD) → out (rows, HEAD), `out_stride` apart. */
static void attend(const Span spans[2], int32_t rows, const Element *queries, Scratch scratch, float *out,
                   size_t out_stride) {
    const size_t stride = scratch.room;
    int32_t frames[2], n = 0;
    for (int32_t i = 0; i < 2; n += frames[i++]) frames[i] = score(spans + i, rows, queries, scratch.scores + n, stride);
    float total[TILE], sums[TILE * HEAD] = {0};
    for (int32_t r = 0; r < rows; r++) total[r] = weigh(scratch.scores + r * stride, n, scratch.weights + r * stride);
    n = 0;
    for (int32_t i = 0; i < 2; n += frames[i++]) {
        const Element *values = spans[i].values + (size_t)(spans[i].first / FRAMES) * PANEL_SIZE;
        add_products(rows, scratch.weights + n, stride, frames[i], values, sums, HEAD);
    }
    for (int32_t r = 0; r < rows; r++)
        for (int32_t d = 0; d < HEAD; d++) out[r * out_stride + d] = sums[r * HEAD + d] / total[r];
}
