/* AVX-512 with bfloat16: pairs of them are multiplied and added at once, for sixteen columns. */

#pragma once

#include <immintrin.h>

#include "registers.h"

typedef uint16_t Element, Factor; /* a bfloat16's bits */
#define GROUP 2
#define QUERY_ROWS 4

static inline uint16_t factor(float x) {
    /* To the nearest bfloat16, of two as near the even one. */
    union { float f; uint32_t i; } bits = {x};
    return (uint16_t)((bits.i + 0x7fff + ((bits.i >> 16) & 1)) >> 16);
}

static inline void narrow(const float *x, Element *out) {
    for (int32_t d = 0; d < HEAD; d++) out[d] = factor(x[d]);
}

static inline __attribute__((always_inline)) void add_block(int32_t rows, const Factor *x, size_t stride, int32_t inner,
                                                            const Element *panel, float *to, size_t to_stride) {
    __m512 sums[QUERY_ROWS][4];
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < 4; v++) sums[r][v] = _mm512_loadu_ps(to + r * to_stride + v * 16);
    for (int32_t i = 0; i < inner; i += 2) {
        const Element *pairs = panel + (size_t)i * 64;
        __m512i weights[4];
        for (int32_t v = 0; v < 4; v++) {
            weights[v] = _mm512_loadu_si512(pairs + v * 32);
            KEEP_IN_REGISTER(weights[v]);
        }
        for (int32_t r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, x + r * stride + i, sizeof pair);
            const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
            for (int32_t v = 0; v < 4; v++) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], both, (__m512bh)weights[v]);
        }
    }
    for (int32_t r = 0; r < rows; r++)
        for (int32_t v = 0; v < 4; v++) _mm512_storeu_ps(to + r * to_stride + v * 16, sums[r][v]);
}

static void add_products(int32_t rows, const Factor *x, size_t stride, int32_t inner, const Element *panel,
                         float *sums, size_t sums_stride) {
    switch (rows) { /* each number of rows is compiled by itself, all in registers */
    case 1: add_block(1, x, stride, inner, panel, sums, sums_stride); return;
    case 2: add_block(2, x, stride, inner, panel, sums, sums_stride); return;
    case 3: add_block(3, x, stride, inner, panel, sums, sums_stride); return;
    default: add_block(4, x, stride, inner, panel, sums, sums_stride);
    }
}
