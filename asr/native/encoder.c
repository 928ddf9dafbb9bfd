/* A block of Whisper's audio encoder on a CPU, with int8 weights: all of it but the attention, which lies in between. */

#include "linear.h"

typedef struct {
    int32_t state, heads;
    LayerNorm attn_ln;
    Linear query_key_value, attn_out;
    LayerNorm mlp_ln;
    Linear mlp_in, mlp_out;
} EncoderBlock;

/* One half of a block, which several threads take together. */
typedef struct {
    const EncoderBlock *block;
    int32_t rows;
    float *x;               /* (rows, state) */
    uint16_t *projected;    /* bfloat16 (3, heads, rows, width of a head): queries, keys, values */
    const uint16_t *attended; /* bfloat16 (heads, rows, width of a head) */
    float *hidden;          /* (rows, 4 * state) */
    Quantised *scales;      /* (rows) */
    uint8_t *levels;        /* (rows, 4 * state) */
} Work;

static void normalise_rows(const Work *work, Thread thread, const LayerNorm *ln) {
    const int32_t state = work->block->state;
    OWN_SHARE(r, work->rows, thread) {
        float *normed = work->hidden + (size_t)r * 4 * state;
        normalise(ln, work->x + (size_t)r * state, state, normed);
        work->scales[r] = quantise(normed, state, work->levels + (size_t)r * state);
    }
    meet(thread);
}

static void project(void *what, Thread thread) {
    const Work *work = what;
    const EncoderBlock *block = work->block;
    const int32_t width = block->state / block->heads;
    normalise_rows(work, thread, &block->attn_ln);
    linear(thread, &block->query_key_value, work->rows, work->levels, work->scales, work->hidden, SET);
    OWN_SHARE(r, work->rows, thread) {
        const float *row = work->hidden + (size_t)r * 3 * block->state;
        for (int32_t head = 0; head < 3 * block->heads; head++) {
            uint16_t *out = work->projected + ((size_t)head * work->rows + r) * width;
            for (int32_t d = 0; d < width; d++) out[d] = narrowed(row[head * width + d]);
        }
    }
}

static void finish(void *what, Thread thread) {
    const Work *work = what;
    const EncoderBlock *block = work->block;
    const int32_t state = block->state, width = state / block->heads;
    OWN_SHARE(r, work->rows, thread) {
        float *row = work->hidden + (size_t)r * 4 * state;
        for (int32_t head = 0; head < block->heads; head++) {
            const uint16_t *attended = work->attended + ((size_t)head * work->rows + r) * width;
            for (int32_t d = 0; d < width; d++) row[head * width + d] = widened(attended[d]);
        }
        work->scales[r] = quantise(row, state, work->levels + (size_t)r * state);
    }
    meet(thread);
    linear(thread, &block->attn_out, work->rows, work->levels, work->scales, work->x, ADD);
    normalise_rows(work, thread, &block->mlp_ln);
    linear(thread, &block->mlp_in, work->rows, work->levels, work->scales, work->hidden, GELU);
    OWN_SHARE(r, work->rows, thread) {
        work->scales[r] = quantise(work->hidden + (size_t)r * 4 * state, 4 * state, work->levels + (size_t)r * 4 * state);
    }
    meet(thread);
    linear(thread, &block->mlp_out, work->rows, work->levels, work->scales, work->x, ADD);
}

static int in_room(void (*half)(void *, Thread), Work *work, int32_t threads) {
    const size_t rows = work->rows, wide = 4 * (size_t)work->block->state;
    work->hidden = malloc(rows * (wide * sizeof(float) + sizeof(Quantised) + wide));
    if (!work->hidden) return -1;
    work->scales = (Quantised *)(work->hidden + rows * wide);
    work->levels = (uint8_t *)(work->scales + rows);
    together(half, work, threads);
    free(work->hidden);
    return 0;
}

/* What attends to what: x (rows, state) → queries, keys and values. Gives 0, or -1 when there is no memory. */
int encoder_project(const EncoderBlock *block, int32_t rows, const float *x, uint16_t *projected, int32_t threads) {
    Work work = {.block = block, .rows = rows, .x = (float *)x, .projected = projected};
    return in_room(project, &work, threads);
}

/* The rest of the block: what was attended to is worked into x. Gives 0, or -1 when there is no memory. */
int encoder_finish(const EncoderBlock *block, int32_t rows, float *x, const uint16_t *attended, int32_t threads) {
    Work work = {.block = block, .rows = rows, .x = x, .attended = attended};
    return in_room(finish, &work, threads);
}

/* Weights (outputs, inputs) as `linear` wants them; what pads the last panel is left alone. */
void pack_weight(const int8_t *weight, int32_t outputs, int32_t inputs, int8_t *packed) {
    for (int32_t output = 0; output < outputs; output++)
        for (int32_t input = 0; input < inputs; input++)
            packed[packed_at(output, input, inputs)] = weight[(size_t)output * inputs + input];
}
