/* AVX-512 VNNI. */

#pragma once

#define TILE_ROWS 4

#include "blocks_avx512.h"

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    multiply_blocks(rows, x, inputs, panel, sums);
}
