/* AVX-VNNI: dot products of four levels with four weights, eight outputs at once. */

#pragma once

#include <immintrin.h>

#include "registers.h"

typedef uint8_t Level;
#define LEVEL_OFFSET 0
#define TILE_ROWS 24

typedef __m256i Sums, Weights, LevelGroup;
#define INPUTS 4
#define LANES 8
#define AHEAD 0
#define BLOCK_ROWS 6
#define BLOCK_VECTORS 2

static inline Sums no_sums(void) { return _mm256_setzero_si256(); }

static inline void store_sums(int32_t *to, Sums sums) { _mm256_storeu_si256((__m256i *)to, sums); }

static inline Weights weights_at(const int8_t *panel) {
    __m256i weights = _mm256_loadu_si256((const __m256i *)panel);
    KEEP_IN_REGISTER(weights);
    return weights;
}

static inline LevelGroup levels_at(const Level *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline Sums multiply_add(Sums sums, LevelGroup levels, Weights weights) {
    return _mm256_dpbusd_avx_epi32(sums, levels, weights);
}

#include "tile_blocks.h"

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    multiply_blocks(rows, x, inputs, panel, sums);
}
