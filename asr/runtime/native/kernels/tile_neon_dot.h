/* NEON with dot products, which are of signed levels with signed weights: a level is kept less 128. */

#pragma once

#include <arm_neon.h>

typedef int8_t Level;
#define LEVEL_OFFSET 128
#define TILE_ROWS 24

typedef int32x4_t Sums;
typedef int8x16_t Weights, LevelGroup;
#define INPUTS 4
#define LANES 4
#define AHEAD 0
#define BLOCK_ROWS 6
#define BLOCK_VECTORS 4

static inline Sums no_sums(void) { return vdupq_n_s32(0); }

static inline void store_sums(int32_t *to, Sums sums) { vst1q_s32(to, sums); }

static inline Weights weights_at(const int8_t *panel) { return vld1q_s8(panel); }

static inline LevelGroup levels_at(const Level *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

static inline Sums multiply_add(Sums sums, LevelGroup levels, Weights weights) {
    return vdotq_s32(sums, weights, levels);
}

#include "tile_blocks.h"

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    multiply_blocks(rows, x, inputs, panel, sums);
}
