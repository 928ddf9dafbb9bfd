/* AVX2: weights and levels widened to 16 bits, pairs of products added to 32. None of it can overflow. */

#pragma once

#include <immintrin.h>

#include "registers.h"

typedef int16_t Level;
#define LEVEL_OFFSET 0
#define TILE_ROWS 24

typedef __m256i Sums, Weights, LevelGroup;
#define INPUTS 2
#define LANES 8
#define AHEAD 1024
#define BLOCK_ROWS 6
#define BLOCK_VECTORS 2

static inline Sums no_sums(void) { return _mm256_setzero_si256(); }

static inline void store_sums(int32_t *to, Sums sums) { _mm256_storeu_si256((__m256i *)to, sums); }

static inline Weights weights_at(const int8_t *panel) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)panel));
}

static inline LevelGroup levels_at(const Level *x) {
    int32_t two;
    memcpy(&two, x, sizeof two);
    return _mm256_set1_epi32(two);
}

static inline Sums multiply_add(Sums sums, LevelGroup levels, Weights weights) {
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights));
    KEEP_IN_REGISTER(sums);
    return sums;
}

#include "tile_blocks.h"

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    multiply_blocks(rows, x, inputs, panel, sums);
}
