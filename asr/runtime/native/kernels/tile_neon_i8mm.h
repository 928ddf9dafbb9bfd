/* NEON with products of matrices: two rows of eight levels with eight weights of two outputs.
 *
 * A panel is eight inputs of its 64 outputs after the other.
 */

#pragma once

#include <arm_neon.h>

typedef uint8_t Level;
#define LEVEL_OFFSET 0
#define TILE_ROWS 24
#define INPUTS 8
#define PAIRS 4      /* of rows in a block */
#define BLOCK_PAIRS 4 /* of outputs in a block */

static inline size_t packed_at(int32_t output, int32_t input, int32_t inputs) {
    return (size_t)(output / PANEL) * PANEL * inputs + (size_t)(input / INPUTS) * PANEL * INPUTS +
           output % PANEL * INPUTS + input % INPUTS;
}

/* Two rows' sums with two outputs stand together: those of the first row, then those of the second. */
static inline void store_pair(int32_t *first, int32_t *second, int32x4_t sums) {
    vst1_s32(first, vget_low_s32(sums));
    vst1_s32(second, vget_high_s32(sums));
}

/* Of an odd number of rows the last is multiplied twice, and stored where it was. */
static inline __attribute__((always_inline)) void multiply_pairs(int32_t pairs, int32_t rows, const Level *x,
                                                                 int32_t inputs, const int8_t *panel, int32_t *to) {
    int32x4_t sums[PAIRS][BLOCK_PAIRS];
    for (int32_t p = 0; p < pairs; p++)
        for (int32_t v = 0; v < BLOCK_PAIRS; v++) sums[p][v] = vdupq_n_s32(0);
    for (int32_t i = 0; i < inputs; i += INPUTS) {
        int8x16_t weights[BLOCK_PAIRS];
        for (int32_t v = 0; v < BLOCK_PAIRS; v++) weights[v] = vld1q_s8(panel + (size_t)i * PANEL + v * 2 * INPUTS);
        for (int32_t p = 0; p < pairs; p++) {
            const int32_t second = 2 * p + 1 < rows ? 2 * p + 1 : 2 * p;
            const uint8x16_t levels =
                vcombine_u8(vld1_u8(x + (size_t)2 * p * inputs + i), vld1_u8(x + (size_t)second * inputs + i));
            for (int32_t v = 0; v < BLOCK_PAIRS; v++) sums[p][v] = vusmmlaq_s32(sums[p][v], levels, weights[v]);
        }
    }
    for (int32_t p = 0; p < pairs; p++) {
        const int32_t second = 2 * p + 1 < rows ? 2 * p + 1 : 2 * p;
        for (int32_t v = 0; v < BLOCK_PAIRS; v++)
            store_pair(to + 2 * p * PANEL + 2 * v, to + second * PANEL + 2 * v, sums[p][v]);
    }
}

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    for (int32_t first = 0; first < PANEL; first += 2 * BLOCK_PAIRS)
        for (int32_t top = 0; top < rows; top += 2 * PAIRS) {
            const int32_t some = rows - top < 2 * PAIRS ? rows - top : 2 * PAIRS;
            const Level *own = x + (size_t)top * inputs;
            const int8_t *block = panel + (size_t)first * INPUTS;
            int32_t *to = sums + top * PANEL + first;
            switch ((some + 1) / 2) { /* each number of pairs is compiled by itself, all in registers */
            case 1: multiply_pairs(1, some, own, inputs, block, to); break;
            case 2: multiply_pairs(2, some, own, inputs, block, to); break;
            case 3: multiply_pairs(3, some, own, inputs, block, to); break;
            default: multiply_pairs(4, some, own, inputs, block, to);
            }
        }
}
