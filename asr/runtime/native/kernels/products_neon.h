/* NEON: four floats at once, keys and values widened from float16. */

#pragma once

#include <arm_neon.h>

typedef uint16_t Element; /* a float16's bits */
typedef float32x4_t FloatVector;
#define FLOATS 4
#define BLOCK_QUERIES 6
#define QUERY_VECTORS 4
#define QUERY_ROWS 12

static inline FloatVector floats_at(const Element *element) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(element)));
}

static inline void narrow(const float *x, Element *out) {
    for (int32_t d = 0; d < HEAD; d += FLOATS)
        vst1_u16(out + d, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + d))));
}

#include "products_blocks.h"
