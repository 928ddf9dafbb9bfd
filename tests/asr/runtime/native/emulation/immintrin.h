/* Intel's instructions in portable C, so that kernels which this processor cannot run are tested all the same.
 *
 * SIMDe has nearly all of them (Debian: libsimde-dev); here are the aliases and the instructions that it lacks: AMX, and
 * AVX-512's conversions of float16.
 */

#pragma once

#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

#include <stdint.h>
#include <string.h>

#define KEEP_IN_REGISTER(vector)
#ifndef _MM_FROUND_TO_NEAREST_INT
#define _MM_FROUND_TO_NEAREST_INT 0
#endif
#ifndef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32
#endif

static inline __m512 emulated_cvtph_ps(__m256i halves) {
    uint16_t half[16];
    float out[16];
    memcpy(half, &halves, sizeof half);
    for (int i = 0; i < 16; i++) out[i] = simde_float16_to_float32(simde_uint16_as_float16(half[i]));
    return simde_mm512_loadu_ps(out);
}

static inline __m256i emulated_cvtps_ph(__m512 floats) {
    float in[16];
    uint16_t half[16];
    __m256i out;
    memcpy(in, &floats, sizeof in);
    for (int i = 0; i < 16; i++) half[i] = simde_float16_as_uint16(simde_float16_from_float32(in[i]));
    memcpy(&out, half, sizeof half);
    return out;
}

#define _mm512_cvtph_ps(halves) emulated_cvtph_ps(halves)
#define _mm512_cvtps_ph(floats, rounding) emulated_cvtps_ph(floats)

/* AMX as Intel's manual has it, volume 2: eight matrices of up to 16 rows of 64 bytes, of one thread. */
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} EmulatedTiles;

static _Thread_local EmulatedTiles tiles_are;
static _Thread_local uint8_t tile_bytes[8][16][64];

static inline void _tile_loadconfig(const void *config) {
    memcpy(&tiles_are, config, sizeof tiles_are);
    memset(tile_bytes, 0, sizeof tile_bytes);
}

static inline void _tile_release(void) { memset(&tiles_are, 0, sizeof tiles_are); }

static inline void _tile_zero(int tile) { memset(tile_bytes[tile], 0, sizeof tile_bytes[tile]); }

static inline void _tile_loadd(int tile, const void *from, size_t stride) {
    for (int r = 0; r < tiles_are.rows[tile]; r++)
        memcpy(tile_bytes[tile][r], (const char *)from + r * stride, tiles_are.row_bytes[tile]);
}

static inline void _tile_stored(int tile, void *to, size_t stride) {
    for (int r = 0; r < tiles_are.rows[tile]; r++)
        memcpy((char *)to + r * stride, tile_bytes[tile][r], tiles_are.row_bytes[tile]);
}

/* Sums of products of four unsigned bytes of the left with four signed bytes of the right. */
static inline void _tile_dpbusd(int sums, int left, int right) {
    for (int m = 0; m < tiles_are.rows[sums]; m++)
        for (int k = 0; k < tiles_are.row_bytes[left] / 4; k++)
            for (int n = 0; n < tiles_are.row_bytes[sums] / 4; n++) {
                int32_t sum;
                memcpy(&sum, tile_bytes[sums][m] + 4 * n, 4);
                for (int i = 0; i < 4; i++)
                    sum += (int32_t)tile_bytes[left][m][4 * k + i] * (int32_t)(int8_t)tile_bytes[right][k][4 * n + i];
                memcpy(tile_bytes[sums][m] + 4 * n, &sum, 4);
            }
}
