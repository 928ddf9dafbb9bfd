/* Attention to frames whose keys and values are kept in panels, as the processor multiplies them best.
 *
 * A panel holds 64 frames of one head: keys (HEAD / GROUP, 64, GROUP), values (64 / GROUP, HEAD, GROUP). PRODUCTS_H
 * says of which Element: pairs of bfloat16 where the processor multiplies them, elsewhere floats by themselves.
 */

#pragma once

#include "linear.h"

#define HEAD 64 /* the width of a head, in every Whisper */
#define FRAMES 64 /* in a panel */
#define PANEL_SIZE (FRAMES * HEAD)

#include PRODUCTS_H

/* Frames first <= t < length of one head, looked at with `bias` added to their scores. */
typedef struct {
    const Element *keys, *values;
    int32_t first, length;
    float bias;
} Span;

/* What one thread needs to attend, for QUERY_ROWS rows. */
typedef struct {
    float *scores;    /* (QUERY_ROWS, room) */
    Factor *weights;  /* (QUERY_ROWS, room) */
    int32_t room;     /* a multiple of FRAMES */
} Scratch;

/* Scratches for all threads, with room for so many panels. */
static inline Scratch take_scratch(Arena *arena, int32_t panels, int32_t threads) {
    const size_t room = (size_t)panels * FRAMES, size = threads * QUERY_ROWS * room;
    float *scores = take(arena, size, sizeof(float));
    return (Scratch){scores, take(arena, size, sizeof(Factor)), (int32_t)room};
}

static inline Scratch scratch_of(Scratch first, Thread thread) {
    const size_t own = (size_t)thread.index * QUERY_ROWS * first.room;
    return (Scratch){first.scores + own, first.weights + own, first.room};
}

static inline int32_t panels_of(int32_t frames) { return (frames + FRAMES - 1) / FRAMES; }

/* Put a frame's key and value, (HEAD) each, into its head's panels. */
static inline void store_frame(Element *keys, Element *values, int32_t frame, const float *key, const float *value) {
    const size_t panel = (size_t)(frame / FRAMES) * PANEL_SIZE;
    const int32_t t = frame % FRAMES;
    Element narrow_key[HEAD], narrow_value[HEAD];
    narrow(key, narrow_key);
    narrow(value, narrow_value);
    for (int32_t d = 0; d < HEAD; d++) keys[panel + (d / GROUP * FRAMES + t) * GROUP + d % GROUP] = narrow_key[d];
    for (int32_t d = 0; d < HEAD; d++) values[panel + (t / GROUP * HEAD + d) * GROUP + t % GROUP] = narrow_value[d];
}

/* Zeros where a head's last panel will not be full: what is there gets no weight, but must be a number. */
static inline void clear_padding(Element *panels, int32_t frames) {
    if (frames % FRAMES) memset(panels + (size_t)(frames / FRAMES) * PANEL_SIZE, 0, PANEL_SIZE * sizeof(Element));
}

/* Softmax of scores (n), not yet divided by the sum of the weights, which is given back. */
static float weigh(const float *restrict scores, int32_t n, Factor *restrict weights) {
    float highest = -1e30f, sum = 0.0f;
    for (int32_t i = 0; i < n; i++) highest = scores[i] > highest ? scores[i] : highest;
    for (int32_t i = 0; i < n; i++) {
        const float weight = exponential(scores[i] - highest);
        weights[i] = factor(weight);
        sum += weight;
    }
    return sum;
}

/* Scores of up to QUERY_ROWS queries (rows, HEAD) for a span's panels; gives how many frames these hold. */
static int32_t score(const Span *span, int32_t rows, const Factor *queries, float *scores, size_t stride) {
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

/* Up to QUERY_ROWS rows look at the frames of two spans: queries (rows, HEAD) → out (rows, HEAD), `out_stride` apart. */
static void attend(const Span spans[2], int32_t rows, const Factor *queries, Scratch scratch, float *out,
                   size_t out_stride) {
    const size_t stride = scratch.room;
    int32_t frames[2], n = 0;
    for (int32_t i = 0; i < 2; n += frames[i++]) frames[i] = score(spans + i, rows, queries, scratch.scores + n, stride);
    float total[QUERY_ROWS], sums[QUERY_ROWS * HEAD] = {0};
    for (int32_t r = 0; r < rows; r++) total[r] = weigh(scratch.scores + r * stride, n, scratch.weights + r * stride);
    n = 0;
    for (int32_t i = 0; i < 2; n += frames[i++]) {
        const Element *values = spans[i].values + (size_t)(spans[i].first / FRAMES) * PANEL_SIZE;
        add_products(rows, scratch.weights + n, stride, frames[i], values, sums, HEAD);
    }
    for (int32_t r = 0; r < rows; r++)
        for (int32_t d = 0; d < HEAD; d++) out[r * out_stride + d] = sums[r * HEAD + d] / total[r];
}
