/* AMX: matrices of 16 rows by 64 levels with 64 weights of 16 outputs; few rows go as with AVX-512 VNNI.
 *
 * Both read the same panels: four inputs of 64 outputs are a row of 256 bytes, of which a matrix of weights takes 64.
 */

#pragma once

#include "blocks_avx512.h"

#define MATRIX_ROWS 16
#define MATRIX_BYTES 64  /* of a row: so many levels, or four weights of sixteen outputs */
#define LEAST_ROWS 8     /* with fewer AVX-512 is as fast */
#define TILE_ROWS MATRIX_ROWS

/* All memory is written by now. gcc before 12.4 takes `_tile_loadconfig` to read 8 bytes, and `_tile_loadd` none: it may
 * leave out or put off what is written for them. */
#define WRITTEN_BEFORE(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

/* How the tile registers are laid out (Intel's manual, volume 2A, LDTILECFG). */
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} Matrices;

/* Registers 0 to 3 are sums (rows, 16 outputs), 4 levels (rows, 64), 5 weights (16 groups of 4 inputs, 16 outputs). */
static void lay_out_matrices(int32_t rows) {
    Matrices matrices = {.palette = 1};
    for (int32_t i = 0; i < 6; i++) {
        matrices.row_bytes[i] = MATRIX_BYTES;
        matrices.rows[i] = i < 5 ? rows : MATRIX_ROWS;
    }
    WRITTEN_BEFORE(&matrices);
    _tile_loadconfig(&matrices);
}

static void multiply_matrices(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    const size_t panel_row = 4 * PANEL, sums_row = PANEL * sizeof *sums;
    WRITTEN_BEFORE(x);
    lay_out_matrices(rows);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int32_t i = 0; i < inputs; i += MATRIX_BYTES) {
        const int8_t *weights = panel + (size_t)i * PANEL;
        _tile_loadd(4, x + i, inputs);
        _tile_loadd(5, weights, panel_row);
        _tile_dpbusd(0, 4, 5);
        _tile_loadd(5, weights + MATRIX_BYTES, panel_row);
        _tile_dpbusd(1, 4, 5);
        _tile_loadd(5, weights + 2 * MATRIX_BYTES, panel_row);
        _tile_dpbusd(2, 4, 5);
        _tile_loadd(5, weights + 3 * MATRIX_BYTES, panel_row);
        _tile_dpbusd(3, 4, 5);
    }
    _tile_stored(0, sums, sums_row);
    _tile_stored(1, sums + 16, sums_row);
    _tile_stored(2, sums + 32, sums_row);
    _tile_stored(3, sums + 48, sums_row);
    _tile_release();
}

static void tile(int32_t rows, const Level *x, int32_t inputs, const int8_t *panel, int32_t *sums) {
    if (rows < LEAST_ROWS) multiply_blocks(rows, x, inputs, panel, sums);
    else multiply_matrices(rows, x, inputs, panel, sums);
}
