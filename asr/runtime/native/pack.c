/* Lays weights and kept frames out as `linear` and `attend` want them. */

#include "attention.h"

/* Bytes of an element in a panel of frames. */
int EXPORT(element_size)(void) { return sizeof(Element); }

/* Weights (outputs, inputs) → panels; what pads the last panel is left alone. */
void EXPORT(pack_weight)(const int8_t *weight, int32_t outputs, int32_t inputs, int8_t *packed) {
    for (int32_t output = 0; output < outputs; output++)
        for (int32_t input = 0; input < inputs; input++)
            packed[packed_at(output, input, inputs)] = weight[(size_t)output * inputs + input];
}

/* Keys and values (heads, frames, HEAD) → panels of each head. */
void EXPORT(pack_frames)(const float *keys, const float *values, int32_t heads, int32_t frames, Element *packed_keys,
                 Element *packed_values) {
    const size_t size = (size_t)panels_of(frames) * PANEL_SIZE;
    for (int32_t h = 0; h < heads; h++) {
        clear_padding(packed_keys + h * size, frames);
        clear_padding(packed_values + h * size, frames);
        for (int32_t t = 0; t < frames; t++) {
            const size_t at = ((size_t)h * frames + t) * HEAD;
            store_frame(packed_keys + h * size, packed_values + h * size, t, keys + at, values + at);
        }
    }
}

/* The integer sums of levels 0 to 255 (rows, inputs) with packed weights, as `linear` takes them: (rows, outputs), the
 * outputs a multiple of PANEL. Gives 0, or -1 when there is no memory. This is for tests, which hold it to be exact. */
int EXPORT(integer_sums)(int32_t rows, int32_t inputs, int32_t outputs, const uint8_t *levels, const int8_t *packed,
                         const int32_t *weight_sum, int32_t *sums) {
    Level *x = malloc((size_t)rows * inputs * sizeof(Level));
    if (!x) return -1;
    for (size_t i = 0; i < (size_t)rows * inputs; i++) x[i] = (Level)((int32_t)levels[i] - LEVEL_OFFSET);
    int32_t own[TILE_ROWS * PANEL];
    for (int32_t first = 0; first < outputs; first += PANEL)
        for (int32_t top = 0; top < rows; top += TILE_ROWS) {
            const int32_t some = rows - top < TILE_ROWS ? rows - top : TILE_ROWS;
            tile(some, x + (size_t)top * inputs, inputs, packed + (size_t)first * inputs, own);
            for (int32_t r = 0; r < some; r++)
                for (int32_t n = 0; n < PANEL; n++)
                    sums[(size_t)(top + r) * outputs + first + n] =
                        own[r * PANEL + n] + LEVEL_OFFSET * weight_sum[first + n];
        }
    free(x);
    return 0;
}
