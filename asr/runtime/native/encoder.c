/* Whisper's audio encoder on a CPU, from its first block on, with int8 weights. */

#include "attention.h"

typedef struct {
    LayerNorm attn_ln;
    Linear query_key_value, attn_out; /* queries come scaled by HEAD ** -0.5 */
    LayerNorm mlp_ln;
    Linear mlp_in, mlp_out;
} EncoderBlock;

typedef struct {
    int32_t state, heads, layers;
    const EncoderBlock *blocks; /* (layers) */
    LayerNorm ln_post;
    int32_t silent_frames;                      /* kept of a silent window */
    const Element *silent_keys, *silent_values; /* (layers, heads, panels) of them */
    float silent_bias;                          /* added to their scores */
} Encoder;

/* A clip that several threads encode together. */
typedef struct {
    const Encoder *encoder;
    int32_t rows, silent_from; /* frames; and which of the silent ones follow them */
    float *x;                  /* (rows, state) */
    float *hidden;             /* (rows, 4 * state) */
    float *attended;           /* (rows, state) */
    Levels levels;             /* (rows), with room for 4 * state values each */
    Factor *queries;           /* (heads, rows, HEAD) */
    Element *keys, *values;    /* (heads, panels) */
    Scratch scratch;           /* of the first thread; those of the others follow */
} Clip;

/* Put queries, keys and values where attention wants them. */
static void arrange(const Clip *clip, Thread thread) {
    const Encoder *m = clip->encoder;
    const size_t size = (size_t)panels_of(clip->rows) * PANEL_SIZE;
    SHARE_OUT(i, m->heads * clip->rows, thread) {
        const int32_t h = i / clip->rows, r = i % clip->rows;
        const float *query = clip->hidden + (size_t)r * 3 * m->state + h * HEAD;
        for (int32_t d = 0; d < HEAD; d++) clip->queries[(size_t)i * HEAD + d] = factor(query[d]);
        store_frame(clip->keys + h * size, clip->values + h * size, r, query + m->state, query + 2 * m->state);
    }
    barrier(thread);
}

/* Every head of every frame looks at all frames, and at the silence after them. */
static void attend_to_all(const Clip *clip, Thread thread, int32_t layer) {
    const Encoder *m = clip->encoder;
    const size_t size = (size_t)panels_of(clip->rows) * PANEL_SIZE;
    const size_t silent_size = (size_t)panels_of(m->silent_frames) * PANEL_SIZE;
    const int32_t tiles = (clip->rows + QUERY_ROWS - 1) / QUERY_ROWS;
    SHARE_OUT(i, m->heads * tiles, thread) {
        const int32_t h = i / tiles, top = i % tiles * QUERY_ROWS;
        const size_t silent = ((size_t)layer * m->heads + h) * silent_size;
        const Span spans[2] = {
            {clip->keys + h * size, clip->values + h * size, 0, clip->rows, 0.0f},
            {m->silent_keys + silent, m->silent_values + silent, clip->silent_from, m->silent_frames, m->silent_bias},
        };
        attend(spans, clip->rows - top < QUERY_ROWS ? clip->rows - top : QUERY_ROWS,
               clip->queries + ((size_t)h * clip->rows + top) * HEAD, scratch_of(clip->scratch, thread),
               clip->attended + (size_t)top * m->state + h * HEAD, m->state);
    }
    barrier(thread);
}

/* What one thread does of a clip (Radford et al. 2022, figure 1, on the left). */
static void work_on_clip(void *what, Thread thread) {
    const Clip *clip = what;
    const Encoder *m = clip->encoder;
    const int32_t rows = clip->rows, state = m->state;
    for (int32_t layer = 0; layer < m->layers; layer++) {
        const EncoderBlock *block = m->blocks + layer;
        normalise_rows(thread, &block->attn_ln, rows, clip->x, state, clip->levels);
        linear(thread, &block->query_key_value, rows, clip->levels, clip->hidden, SET);
        arrange(clip, thread);
        attend_to_all(clip, thread, layer);
        quantise_rows(thread, rows, clip->attended, state, clip->levels);
        linear(thread, &block->attn_out, rows, clip->levels, clip->x, ADD);

        normalise_rows(thread, &block->mlp_ln, rows, clip->x, state, clip->levels);
        linear(thread, &block->mlp_in, rows, clip->levels, clip->hidden, GELU);
        quantise_rows(thread, rows, clip->hidden, 4 * state, clip->levels);
        linear(thread, &block->mlp_out, rows, clip->levels, clip->x, ADD);
    }
    SHARE_OUT(r, rows, thread) {
        float *row = clip->x + (size_t)r * state;
        normalise(&m->ln_post, row, state, row);
    }
}

static size_t lay_out_clip(Clip *clip, int32_t threads, char *memory) {
    const Encoder *m = clip->encoder;
    const size_t n = clip->rows, state = m->state, kept = m->heads * (size_t)panels_of(clip->rows) * PANEL_SIZE;
    Arena arena = {memory, 0};
    clip->keys = take(&arena, kept, sizeof(Element));
    clip->values = take(&arena, kept, sizeof(Element));
    clip->hidden = take(&arena, n * 4 * state, sizeof(float));
    clip->attended = take(&arena, n * state, sizeof(float));
    clip->queries = take(&arena, n * state, sizeof(Factor));
    clip->levels = take_levels(&arena, n, 4 * state);
    clip->scratch = take_scratch(&arena, panels_of(clip->rows) + panels_of(m->silent_frames), threads);
    return arena.used;
}

/* Encode embedded frames x (rows, state) in place, which are followed by the silent frames from `silent_from` on.
 * Gives 0, or -1 when there is no memory. */
int EXPORT(encoder_run)(const Encoder *encoder, int32_t rows, float *x, int32_t silent_from, int32_t threads) {
    Clip clip = {.encoder = encoder, .rows = rows, .silent_from = silent_from, .x = x};
    char *memory = reserve(lay_out_clip(&clip, threads, NULL));
    if (!memory) return -1;
    lay_out_clip(&clip, threads, memory);
    const size_t size = (size_t)panels_of(rows) * PANEL_SIZE;
    for (int32_t h = 0; h < encoder->heads; h++) {
        clear_padding(clip.keys + h * size, rows);
        clear_padding(clip.values + h * size, rows);
    }
    parallel_for(work_on_clip, &clip, threads);
    free(memory);
    return 0;
}

/* Bytes of the structures that Python mirrors: Encoder, EncoderBlock. */
void EXPORT(encoder_sizes)(int32_t sizes[2]) {
    sizes[0] = sizeof(Encoder);
    sizes[1] = sizeof(EncoderBlock);
}
