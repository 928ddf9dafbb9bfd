/* AVX-512 VNNI: dot products of four levels with four weights, sixteen outputs at once, a whole panel in a block. */

#pragma once

#include <immintrin.h>

#include "registers.h"

typedef uint8_t Level;
#define LEVEL_OFFSET 0

typedef __m512i Sums, Weights, LevelGroup;
#define INPUTS 4
#define LANES 16
#define AHEAD 0
#define BLOCK_ROWS 4
#define BLOCK_VECTORS 4

static inline Sums no_sums(void) { return _mm512_setzero_si512(); }

static inline void store_sums(int32_t *to, Sums sums) { _mm512_storeu_si512(to, sums); }

static inline Weights weights_at(const int8_t *panel) {
    __m512i weights = _mm512_loadu_si512(panel);
    KEEP_IN_REGISTER(weights);
    return weights;
}

static inline LevelGroup levels_at(const Level *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

static inline Sums multiply_add(Sums sums, LevelGroup levels, Weights weights) {
    return _mm512_dpbusd_epi32(sums, levels, weights);
}

#include "tile_blocks.h"
