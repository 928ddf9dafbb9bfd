/* Lays weights and kept frames out as `linear` and `attend` want them. */

#include "attention.h"

/* Bytes of an element in a panel of frames. */
int element_size(void) { return sizeof(Element); }

/* Weights (outputs, inputs) → panels; what pads the last panel is left alone. */
void pack_weight(const int8_t *weight, int32_t outputs, int32_t inputs, int8_t *packed) {
    for (int32_t output = 0; output < outputs; output++)
        for (int32_t input = 0; input < inputs; input++)
            packed[packed_at(output, input, inputs)] = weight[(size_t)output * inputs + input];
}

/* Keys and values (heads, frames, HEAD) → panels of each head; what pads the last panel is left alone. */
void pack_frames(const float *keys, const float *values, int32_t heads, int32_t frames, Element *packed_keys,
                 Element *packed_values) {
    const size_t size = (size_t)panels_of(frames) * PANEL_SIZE;
    for (int32_t h = 0; h < heads; h++)
        for (int32_t t = 0; t < frames; t++) {
            const size_t at = ((size_t)h * frames + t) * HEAD;
            keep_frame(packed_keys + h * size, packed_values + h * size, t, keys + at, values + at);
        }
}
