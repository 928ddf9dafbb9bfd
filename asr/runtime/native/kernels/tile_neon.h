/* NEON without dot products: products of 16 bits added to 32, eight outputs at once. */

#pragma once

#include <arm_neon.h>

typedef int16_t Level;
#define LEVEL_OFFSET 0
#define TILE_ROWS 24

typedef int32x4x2_t Sums;
typedef int16x8_t Weights;
typedef int16_t LevelGroup;
#define INPUTS 1
#define LANES 8
#define AHEAD 0
#define BLOCK_ROWS 6
#define BLOCK_VECTORS 2

static inline Sums no_sums(void) { return (Sums){{vdupq_n_s32(0), vdupq_n_s32(0)}}; }

static inline void store_sums(int32_t *to, Sums sums) {
    vst1q_s32(to, sums.val[0]);
    vst1q_s32(to + 4, sums.val[1]);
}

static inline Weights weights_at(const int8_t *panel) { return vmovl_s8(vld1_s8(panel)); }

static inline LevelGroup levels_at(const Level *x) { return *x; }

static inline Sums multiply_add(Sums sums, LevelGroup level, Weights weights) {
    return (Sums){{vmlal_n_s16(sums.val[0], vget_low_s16(weights), level),
                   vmlal_high_n_s16(sums.val[1], weights, level)}};
}

#include "tile_blocks.h"

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    multiply_blocks(rows, x, inputs, panel, sums);
}
